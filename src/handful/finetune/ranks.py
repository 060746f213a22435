"""Processes that train one model together, each on its portions of every mini-batch; imports PyTorch.

All hold the same weights and take the same steps, so what one of them knows is what all know. They are called ranks, as
in `torch.distributed`, which carries what they tell each other.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from time import monotonic
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]

T = TypeVar("T")

SIOCGIFADDR = 0x8915
"""Asks Linux for the address of a network interface (netdevice(7))."""


class RankLostError(Exception):
    """Another rank does not answer any more."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks of a training, as one of them sees them; open while `joined` is.

    Attributes:
        rank: its number, from 0.
        n_ranks: how many there are.
        each: threads that compute a portion.
    """

    rank: int
    n_ranks: int
    each: int

    def clock(self) -> float:
        """Returns the seconds of the first rank's clock, so that all end at the same update."""
        now = torch.tensor([monotonic()], dtype=torch.float64)
        with _answering():
            distributed.broadcast(now, src=0)
        return float(now)

    def gathered(self, own: Sequence[T]) -> list[T]:
        """Returns what all ranks have, in their order."""
        held: list[list[T]] = [[] for _ in range(self.n_ranks)]
        with _answering():
            distributed.all_gather_object(held, list(own))
        return [each for part in held for each in part]

    def added(self, own: Sequence[Tensor], counts: Sequence[int], *, like: Tensor) -> Tensor:
        """Returns the sum of all ranks' vectors, added one by one in their order: the bits of a sum in one process.

        Every rank adds a slice of all the vectors, and the slices are put together. That is as little traffic as a sum
        in any order takes where every rank has one vector.

        Args:
            own: vectors of this rank.
            counts: how many each rank has.
            like: an empty vector (M,) of their length, type and device.
        """
        length = -(-len(like) // self.n_ranks)
        sent = like.new_zeros((self.n_ranks, len(own), length))
        for place, vector in enumerate(own):
            for rank in range(self.n_ranks):
                part = vector[rank * length : (rank + 1) * length]
                sent[rank, place, : len(part)] = part
        received, whole = like.new_empty(sum(counts) * length), like.new_empty(self.n_ranks * length)
        with _answering():
            distributed.all_to_all_single(
                received, sent.view(-1), [count * length for count in counts], [len(own) * length] * self.n_ranks
            )
            distributed.all_gather_into_tensor(whole, reduce(torch.add, received.view(-1, length)).contiguous())
        return whole[: len(like)]


@contextmanager
def joined(rank: int, n_ranks: int, *, meeting: tuple[str, int], address: str, each: int, gpu: bool) -> Iterator[Ranks]:
    """Joins the ranks of a training; they wait for each other.

    Args:
        rank: the number of this one.
        n_ranks: how many there are.
        meeting: where the first one opened its store (`open_store`).
        address: of this machine, as the others reach it.
        each: threads that compute a portion.
        gpu: whether tensors on NVIDIA cards are exchanged too.
    """
    if name := _interface(address):
        os.environ["GLOO_SOCKET_IFNAME"] = name  # or gloo takes the address that the machine's own name has
    with _answering():
        store = TCPStore(*meeting, n_ranks, is_master=False)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if gpu else "gloo", store=store, rank=rank, world_size=n_ranks
        )
    try:
        yield Ranks(rank, n_ranks, each)
    finally:
        distributed.destroy_process_group()


def open_store(address: str, n_ranks: int) -> TCPStore:
    """Returns the store at which ranks meet, reached at this address alone; it is open as long as it is held."""
    listening = socket.create_server((address, 0))
    port = listening.getsockname()[1]
    return TCPStore(address, port, n_ranks, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach())


@contextmanager
def _answering() -> Iterator[None]:
    """Says that a rank is lost where what it should have told did not come."""
    try:
        yield
    except RuntimeError as error:
        raise RankLostError(str(error)) from error


def _interface(address: str) -> str:
    """Returns the name of the network interface with an address; "" where none has it, and where it is not Linux."""
    if sys.platform != "linux":
        return ""
    import fcntl

    for _, name in socket.if_nameindex():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            try:
                answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:  # it has no address
                continue
        if socket.inet_ntoa(answer[20:24]) == address:
            return name
    return ""
