"""A GAN's training that runs out of memory says which batch would fit.

No step is tried to find it, as libraries crash where memory is nearly gone. Two small steps say how much a step keeps
for its backward passes. This grows in proportion to the batch, and is about what the step takes in all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lookalike.base.errors import DivergedError, ResourceError, UsageError, memory_guard
from lookalike.game.device import read
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.source import Source
from lookalike.game.train import Progress, check_batch, train, turn

SPARE = 2.0  # times what a step keeps must be free; measured are 0.8 to 1.4


def trained(
    gan: GAN, source: Source, *, images: int, batch: int, start: int, precision: torch.dtype
) -> Iterator[Progress]:
    """As `game.train.train`. Raises ResourceError where memory runs out, after which `gan` is of no use."""
    done = start
    try:
        with memory_guard():
            for progress in train(gan, source, images=images, batch=batch, start=start, precision=precision):
                done = progress.step
                yield progress
        return
    except ResourceError:
        pass  # from here on the memory of the step is free, which the error held
    raise _told(gan, source, done, -(-images // batch), batch, precision)


def turned(gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype) -> None:
    """Step `index`, as `game.train.turn` does it. Raises ResourceError as `trained`."""
    try:
        with memory_guard():
            read([turn(gan, source, index, steps, batch, precision)])  # reading waits for the device
        return
    except ResourceError:
        pass
    raise _told(gan, source, index, steps, batch, precision)


def _told(gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype) -> ResourceError:
    """The error of step `index`, for which memory does not suffice, with a batch that would fit."""
    fits = _fitting(gan, source, index, steps, batch, precision)
    advice = f"{fits} would fit (--batch {fits})" if fits else "try a smaller --batch, --size or --width"
    goes_on = ", or the same command where there is more memory, which goes on from the last checkpoint"
    return ResourceError(
        f"out of memory in step {index + 1} of {steps}, with a batch of {batch}; {advice}, in another folder (-o)"
        f"{goes_on if index else ''}"
    )


def _fitting(gan: GAN, source: Source, index: int, steps: int, batch: int, precision: torch.dtype) -> int | None:
    """The largest of a half, a quarter and so on of `batch` whose step would find its memory; None: nobody knows."""

    def kept(n: int) -> int:
        found = Kept()
        with found, memory_guard():
            turn(gan, source, index, steps, n, precision)
        return found.most

    smaller = _smaller(gan.method, batch)
    if len(smaller) < 2 or source.ranks.size > 1:  # the other processes would have to try too
        return None
    low, high = smaller[-1], smaller[-2]
    try:
        least = kept(low)
        each = (kept(high) - least) / (high - low)  # for one image more
    except (ResourceError, DivergedError):
        return None
    return next((n for n in smaller if _free(least + each * (n - low), gan.device)), None)


def _smaller(method: Method, batch: int) -> list[int]:
    """A half, a quarter and so on of `batch`, while each stream of the method gets two images."""
    found = list[int]()
    while batch := batch // 2:
        try:
            check_batch(method, batch)
        except UsageError:
            break
        found.append(batch)
    return found


def _free(size: float, device: torch.device) -> bool:
    """Whether a step that keeps `size` bytes would find its memory."""
    try:
        with memory_guard():
            torch.empty(int(SPARE * size), dtype=torch.uint8, device=device)
    except ResourceError:
        return False
    return True


class Kept(saved_tensors_hooks):
    """How many bytes the steps within the block keep for backward passes: at this moment, and the most at once."""

    def __init__(self) -> None:
        super().__init__(lambda tensor: _Held(self, tensor), lambda held: held.tensor)
        self.now = self.most = 0
        self.times = Counter[int]()  # address of each storage -> how many tensors of it are kept


class _Held:
    """A tensor that is kept; its memory counts until nothing refers to it."""

    def __init__(self, kept: Kept, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.kept, self.tensor, self.place, self.size = kept, tensor, storage.data_ptr(), storage.nbytes()
        if not kept.times[self.place]:
            kept.now += self.size
            kept.most = max(kept.most, kept.now)
        kept.times[self.place] += 1

    def __del__(self) -> None:
        self.kept.times[self.place] -= 1
        if not self.kept.times[self.place]:
            self.kept.now -= self.size
