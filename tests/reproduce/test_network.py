"""Which network is taken, and what is said about it."""

from __future__ import annotations

import pytest

from handful.core.errors import ConfigError, WeightsError
from handful.core.progress import Silent
from handful.reproduce import network
from handful.reproduce.network import choose_network


@pytest.fixture
def at_hand(monkeypatch):
    """Pretends that some networks' weights can be had."""

    def only(*names):
        def get(name, **_):
            if name not in names:
                raise WeightsError(f"{name} cannot be had")

        monkeypatch.setattr(network, "get", get)

    return only


def test_the_whole_network_is_taken_where_it_can_be_had(at_hand):
    at_hand("alexnet:fc7", "alexnet")
    name, sentence = choose_network(None, offline=False, progress=Silent())
    assert name == "alexnet:fc7"
    assert "up to fc7" in sentence


def test_otherwise_the_convolutions_are_and_it_is_said(at_hand):
    at_hand("alexnet")
    name, sentence = choose_network(None, offline=False, progress=Silent())
    assert name == "alexnet"
    assert "convolutions, with the new layers on pool5 (9,216 features)" in sentence
    assert "fc6 and fc7" in sentence


def test_each_of_the_two_can_be_named(at_hand):
    at_hand("alexnet:fc7", "alexnet")
    name, sentence = choose_network("alexnet", offline=False, progress=Silent())
    assert name == "alexnet"
    assert sentence.endswith("that the paper keeps.")
    assert choose_network("alexnet:fc7", offline=False, progress=Silent())[0] == "alexnet:fc7"
    at_hand("alexnet")
    with pytest.raises(WeightsError, match="alexnet:fc7 cannot be had"):
        choose_network("alexnet:fc7", offline=False, progress=Silent())


def test_without_any_weights_the_error_is_that_of_the_convolutions(at_hand):
    at_hand()
    with pytest.raises(WeightsError, match="alexnet cannot be had"):
        choose_network(None, offline=True, progress=Silent())


def test_another_network_is_said_not_to_be_the_papers(toy):
    assert choose_network("toy", offline=True, progress=Silent()) == (
        "toy",
        "Toy, features at head: not the paper's network.",
    )
    with pytest.raises(ConfigError, match="there is no network 'toi'"):
        choose_network("toi", offline=True, progress=Silent())
