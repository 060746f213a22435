import pytest

from handful.finetune import training_precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f avx512_bf16", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx512f avx2", "float32")],
)
def test_bfloat16_only_where_the_processor_multiplies_it(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n\nprocessor : 1\nflags : {flags}\n")
    assert training_precision(tmp_path / "cpuinfo") == expected


def test_an_unknown_processor_trains_in_float32(tmp_path):
    assert training_precision(tmp_path / "absent") == "float32"
