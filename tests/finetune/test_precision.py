import pytest
import torch
from torch import nn

from handful.finetune import precision, training_precision
from handful.finetune.precision import suitable_threads


def described(folder, flags):
    path = folder / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\n\nprocessor : 1\nflags : {flags}\n")
    return path


@pytest.mark.parametrize(
    ("flags", "gain", "expected"),
    [
        ("fpu avx512f avx512_bf16", 1.9, "bfloat16"),
        ("fpu amx_bf16", 1.9, "bfloat16"),
        ("fpu avx512f avx512_bf16", 0.6, "float32"),
        ("fpu avx512f avx2", 1.9, "float32"),
    ],
)
def test_bfloat16_only_where_the_processor_multiplies_it_and_gains(tmp_path, monkeypatch, flags, gain, expected):
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: gain)
    assert training_precision(described(tmp_path, flags)) == expected


def test_the_gain_is_measured_once_per_machine(tmp_path, monkeypatch):
    gains = [1.9, 0.5]
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: gains.pop(0))
    cpu_info = described(tmp_path, "avx512_bf16")
    assert [training_precision(cpu_info) for _ in range(2)] == ["bfloat16"] * 2
    assert gains == [0.5]


def test_the_gain_is_a_ratio_of_times(monkeypatch):
    monkeypatch.setattr(precision, "SIDE", 64)
    assert 0.0 < precision.bfloat16_gain() < 1000.0


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
