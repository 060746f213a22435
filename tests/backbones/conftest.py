"""The toy network, installed like the others."""

from __future__ import annotations

import pytest
import torch

from handful.testing.backbone import install_toy_backbone


@pytest.fixture
def toy(monkeypatch, tmp_path):
    return install_toy_backbone(monkeypatch, tmp_path / "site")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The pictures are tiny; on a busy machine, threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
