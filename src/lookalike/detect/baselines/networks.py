"""What the neural baselines share: seeded batches, scores in fixed padded blocks, and weights in and out of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.base.errors import ModelError, UsageError, show
from lookalike.base.seeds import generator, seed_of
from lookalike.data import scaled

M = TypeVar("M", bound=nn.Module)

Steps = Callable[[int, int], None]  # (images done, of)
_told: ContextVar[Steps] = ContextVar("told", default=lambda done, of: None)


def need_images(shape: tuple[int, ...], kind: str) -> tuple[int, int, int]:
    """`shape` as (C, H, W); UsageError for vectors."""
    if len(shape) != 3:
        raise UsageError(f"{kind} takes images, not vectors of {shape[0]} entries; use pca, knn or ocsvm")
    return shape[0], shape[1], shape[2]


def seeded(build: Callable[[], M], seed: int, kind: str) -> M:
    """A network whose first weights come from (seed, kind), whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, kind))
        return build()


def channels_last(net: nn.Module) -> None:
    """Lays the weights out as CPUs like them: a step of these small networks takes a quarter to two fifths less."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it


@contextmanager
def telling(steps: Steps) -> Iterator[None]:
    """Tells `steps` of every batch that is drawn within, whichever baseline and member of one draws it."""
    token = _told.set(steps)
    try:
        yield
    finally:
        _told.reset(token)


def batches(pixels: Pixels, size: int, steps: int, seed: int, kind: str) -> Iterator[Tensor]:
    """`steps` batches (size, C, H, W) float32 in [-1, 1], shuffled anew for each pass."""
    return (x for _, x in numbered_batches(pixels, size, steps, seed, kind))


def numbered_batches(pixels: Pixels, size: int, steps: int, seed: int, kind: str) -> Iterator[tuple[Tensor, Tensor]]:
    """`batches` with the number of each image (size,)."""
    x = torch.from_numpy(np.ascontiguousarray(pixels))
    size, order, turn = min(size, len(x)), torch.empty(0, dtype=torch.int64), 0
    for step in range(steps):
        _told.get()(step * size, steps * size)
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(x), generator=generator(seed, kind, "order", turn))])
            turn += 1
        yield order[:size], torch.from_numpy(scaled(x[order[:size]].numpy()))
        order = order[size:]


def no_settings(facts: Mapping[str, Any], kind: str) -> None:
    """Raises ModelError where a file gives settings to a baseline that has none."""
    if facts:
        raise ModelError(f"{kind} has the settings {show(facts)}, not none; train again")


def state(net: nn.Module) -> dict[str, Tensor]:
    """The network's tensors, contiguous copies."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in net.state_dict().items()}


def take(net: nn.Module, tensors: Mapping[str, Tensor], kind: str) -> None:
    """Loads what `state` gave; raises ModelError, naming the tensor, for anything else."""
    checkpoint.match(tensors, net.state_dict(), kind)
    net.load_state_dict(dict(tensors))
