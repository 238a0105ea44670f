"""The processes that torchrun started to train one GAN: their ranks, and what they tell each other.

They talk by torch.distributed: gloo for tensors on the CPU, NCCL between GPUs. Rank 0 alone writes and prints. All
processes make each call that talks, in the same order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from lookalike.base.errors import LostError, UsageError, show

STARTED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
TIMEOUT = timedelta(minutes=30)  # of one call; rank 0 may be busy alone as long, with a split or a score
WHERE = re.compile(r"^\[[^]]*\] ")  # the place in gloo's source, before its message
BACKEND = "cpu:gloo,cuda:nccl"


@dataclass(frozen=True)
class Ranks:
    """This process among those that train one GAN.

    Parameters
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many processes there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def own(self, n: int, draw: Callable[[int], Tensor]) -> Tensor:
        """This process's n rows of what `draw` gives for all: so many rows, the same in every process."""
        return draw(n * self.size)[self.rank * n : (self.rank + 1) * n] if self.size > 1 else draw(n)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces tensors by their means over all processes, in place; by one message, of the first one's type."""
        if self.size == 1 or not tensors:
            return
        # of one kind: losses may be on the CPU, or of the type for autocast
        flat = torch.cat([tensor.detach().flatten().to(tensors[0]) for tensor in tensors])
        _all_reduce(flat)
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view(tensor.shape))

    def sum(self, x: Tensor) -> Tensor:
        """The sum of x over all processes. Gradients reach every process's x."""
        return _Sum.apply(x) if self.size > 1 else x  # type: ignore[no-untyped-call]

    def largest(self, number: int) -> int:
        """The largest number of any process."""
        if self.size == 1:
            return number
        found = torch.tensor(number)
        with _reached():
            torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return int(found)

    def told(self, make: Callable[[], bytes]) -> bytes:
        """What `make` gives in rank 0, in every process; the others do not call it."""
        if self.size == 1:
            return make()
        data = bytearray(make() if self.leads else b"")
        length = torch.tensor(len(data))
        with _reached():
            torch.distributed.broadcast(length, 0)
            message = torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(int(length), dtype=torch.uint8)
            torch.distributed.broadcast(message, 0)
        return message.numpy().tobytes()


ALONE = Ranks()


def started(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun started this process with others."""
    return all(name in environment for name in STARTED) and environment["WORLD_SIZE"] != "1"


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """This process among those that torchrun started; `ALONE` where there are no others.

    A process on "cuda" takes the card of its number on this machine. Where processes fail, one of them says why: the
    error of the others gets `said`, by which the command line knows.

    Raises
    ------
    UsageError
        For a GPU that was chosen by its number, or is not there.
    LostError
        Where the processes cannot reach each other.
    """
    if not started():
        yield ALONE
        return
    backend = BACKEND if device == "cuda" and torch.cuda.is_available() else "gloo"
    with _reached():
        store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        take_card(device, int(os.environ["LOCAL_RANK"]))
        yield Ranks(rank, size)
    except BaseException as error:
        error.said = not _first(store)  # type: ignore[attr-defined]
        raise
    finally:
        with suppress(RuntimeError):
            torch.distributed.destroy_process_group()


def take_card(device: str, number: int) -> None:
    """Makes the GPU of this number the one that "cuda" means. Raises UsageError."""
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: each process of torchrun takes the GPU of its number; give --device cuda")
    if device != "cuda" or not torch.cuda.is_available():  # then it is refused as everywhere
        return
    if number >= (there := torch.cuda.device_count()):
        raise UsageError(
            "--device cuda: torchrun started more processes than this machine has GPUs; give it "
            f"'--nproc-per-node {there}'"
        )
    torch.cuda.set_device(number)


def _first(store: Any) -> bool:
    """Whether no other process has failed before; true too where the others cannot be asked."""
    try:
        return bool(store.add("failed", 1) == 1)
    except RuntimeError:
        return True


@contextmanager
def _reached() -> Iterator[None]:
    """Raises LostError where torch.distributed fails within the block."""
    try:
        yield
    except RuntimeError as error:
        said = WHERE.sub("", str(error)).partition("\n")[0].partition(". ")[0]
        raise LostError(
            f"a process of this training ended or cannot be reached ({show(said)}); the last checkpoint stays, and the "
            "same command goes on from there; where a machine has several networks, name the one that joins the "
            "machines in GLOO_SOCKET_IFNAME, and for GPUs in NCCL_SOCKET_IFNAME"
        ) from error


def _all_reduce(x: Tensor) -> None:
    with _reached():
        torch.distributed.all_reduce(x)


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of all their gradients."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        _all_reduce(total)
        return total
