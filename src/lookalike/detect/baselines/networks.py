"""What the neural baselines share: seeded batches, reports of progress, and weights in and out of a file."""

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

Steps = Callable[[int, int], None]  # (images shown, images to show)
_progress: ContextVar[Steps] = ContextVar("progress", default=lambda done, of: None)


def need_images(shape: tuple[int, ...], kind: str) -> tuple[int, int, int]:
    """Return `shape` as (C, H, W); raises UsageError for vectors."""
    if len(shape) != 3:
        raise UsageError(f"{kind} takes images, not vectors of {shape[0]} entries; use pca, knn or ocsvm")
    return shape[0], shape[1], shape[2]


def seeded(build: Callable[[], M], seed: int, kind: str) -> M:
    """Return a network whose first weights depend on (seed, kind) only; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, kind))
        return build()


def channels_last(net: nn.Module) -> None:
    """Set the memory format that CPUs prefer: a step of these small networks takes a quarter to two fifths less."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it


@contextmanager
def telling(steps: Steps) -> Iterator[None]:
    """Call `steps` for every batch that is drawn in this context, by whichever baseline draws it."""
    token = _progress.set(steps)
    try:
        yield
    finally:
        _progress.reset(token)


def counter(of: int) -> Callable[[int], None]:
    """Gets the number of images that a network has just seen, and reports how many of `of` it has seen so far."""
    tell, done = _progress.get(), 0

    def count(images: int) -> None:
        nonlocal done
        done = min(of, done + images)
        tell(done, of)

    return count


def batches(pixels: Pixels, size: int, steps: int, seed: int, kind: str) -> Iterator[Tensor]:
    """Return `steps` batches (size, C, H, W) float32 in [-1, 1]; each pass has a new order."""
    return (x for _, x in numbered_batches(pixels, size, steps, seed, kind))


def numbered_batches(pixels: Pixels, size: int, steps: int, seed: int, kind: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of `batches`, each with the row numbers int64 (size,) of its images."""
    x = torch.from_numpy(np.ascontiguousarray(pixels))
    size, order, turn = min(size, len(x)), torch.empty(0, dtype=torch.int64), 0
    for step in range(steps):
        _progress.get()(step * size, steps * size)
        # The order of the next pass follows on, so that a batch may span two passes.
        while len(order) < size:
            order = torch.cat([order, torch.randperm(len(x), generator=generator(seed, kind, "order", turn))])
            turn += 1
        yield order[:size], torch.from_numpy(scaled(x[order[:size]].numpy()))
        order = order[size:]


def no_settings(facts: Mapping[str, Any], kind: str) -> None:
    """Raise ModelError where a file gives settings to a baseline that has none."""
    if facts:
        raise ModelError(f"{kind} has the settings {show(facts)}, but it takes none; train again")


def state(net: nn.Module) -> dict[str, Tensor]:
    """Return contiguous copies of the network's tensors."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in net.state_dict().items()}


def take(net: nn.Module, tensors: Mapping[str, Tensor], kind: str) -> None:
    """Load what `state` gave; raises ModelError with the tensor's name for anything else."""
    checkpoint.match(tensors, net.state_dict(), kind)
    net.load_state_dict(dict(tensors))
