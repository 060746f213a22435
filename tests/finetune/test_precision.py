import pytest
import torch
from torch import nn

from handful.finetune import training_precision
from handful.finetune.precision import suitable_threads


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f avx512_bf16", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx512f avx2", "float32")],
)
def test_bfloat16_only_where_the_processor_multiplies_it(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n\nprocessor : 1\nflags : {flags}\n")
    assert training_precision(tmp_path / "cpuinfo") == expected


def test_an_unknown_processor_trains_in_float32(tmp_path):
    assert training_precision(tmp_path / "absent") == "float32"


@pytest.mark.parametrize(
    ("model", "expected"), [(nn.Linear(9216, 5), 1), (nn.Linear(9216, 500), 2), (nn.Conv2d(3, 8, 3), 2)]
)
def test_small_models_train_on_one_thread(model, expected):
    torch.set_num_threads(2)
    with suitable_threads(model):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2
