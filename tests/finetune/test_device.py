"""Where layers are trained. There is no card here: PyTorch's `meta`, which refuses to mix devices, stands for one."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from handful.core.config import FinetuneConfig
from handful.finetune import gradients, parse_head, resolve, training_device
from handful.finetune.course import Course
from handful.finetune.freeze import split_network
from handful.finetune.stack import build_head
from handful.testing.backbone import toy_network


@pytest.mark.parametrize(
    ("engine", "there", "expected"),
    [
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
        ("auto", False, "cpu"),
        ("fused", True, "cpu"),
        ("openvino", True, "cpu"),
    ],
)
def test_layers_are_trained_on_a_card_where_there_is_one_and_the_engine_allows(monkeypatch, engine, there, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert training_device(engine) == expected


def test_all_that_an_update_needs_is_brought_to_the_device_of_the_model(monkeypatch):
    monkeypatch.setattr(gradients, "autocast", lambda *_: nullcontext())
    monkeypatch.setattr(torch.Tensor, "__float__", lambda _: 1.0)  # meta has shapes and no values
    monkeypatch.setattr(torch.Tensor, "__int__", lambda _: 1)
    cut = split_network(toy_network(), 0)
    head = build_head(parse_head("8d0.3-C", 3), 16, nonlinearity="rectifier", init_scale=1.0, seed=0)
    model = cut.with_head(head).train().to("meta")
    config, _ = resolve(FinetuneConfig(ema=0.9, sparsity=0.1, l1=0.1))
    course = Course.begin(model, config, seed=0)
    labels = torch.zeros(8, dtype=torch.int64)
    taken = gradients.Gradients(model, config, precision="float32", pool=None)
    passed = taken.of(torch.zeros(8, 3, 32, 32), labels, labels, 0.7)
    for parameter, gradient in zip(taken.parameters, passed.gradients, strict=True):
        parameter.grad = gradient
    course.optimiser.update(0.1)
    course.average.update(1)
    held = [*passed.gradients, *course.optimiser.tensors, *course.average.averages]
    assert {tensor.device.type for tensor in held} == {"meta"}
