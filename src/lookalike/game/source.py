"""The real images that a training draws from; all randomness is made from (seed, purpose, index)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator


@dataclass(frozen=True)
class Source:
    """The real images that a training draws from, at one (purpose, index) of its course.

    Parameters
    ----------
    known : Tensor
        (N, C, H, W) uint8, or (N, F) float32 vectors.
    labels : Tensor
        (N,) int64, 0 to K - 1.
    others : Tensor or None
        Images of classes that are not to be known, in the same form; they carry no label.
    seed : int
        Seed of the whole training.
    device : torch.device
        Where batches go.
    unlabelled : Tensor or None
        More images of the known classes, in the same form, of which nobody says which.
    purpose, index
        Which use draws, and how often it drew before; set by `at`.
    """

    known: Tensor
    labels: Tensor
    others: Tensor | None
    seed: int
    device: torch.device = torch.device("cpu")
    unlabelled: Tensor | None = None
    purpose: tuple[str | int, ...] = ()
    index: int = 0

    def at(self, *purpose: str | int, index: int) -> Source:
        """The same images for a narrower purpose, at its `index`-th draw."""
        return replace(self, purpose=(*self.purpose, *purpose), index=index)

    def generator(self) -> torch.Generator:
        """The generator of this (seed, purpose, index)."""
        return generator(self.seed, *self.purpose, self.index)

    @cached_property
    def classes(self) -> int:
        """Number of known classes."""
        return int(self.labels.max()) + 1

    def rows(self, size: int, n: int) -> Tensor:
        """(n,) int64: the next n rows of `size` in an order shuffled anew for each pass."""
        pieces, start = [], self.index * n
        while n:
            turn, offset = divmod(start, size)
            order = _order(size, self.seed, self.purpose, turn)[offset : offset + n]
            pieces.append(order)
            start, n = start + len(order), n - len(order)
        return torch.cat(pieces)

    def take_known(self, n: int) -> tuple[Tensor, Tensor]:
        """n known images (float32 in [-1, 1]) and their labels (int64)."""
        rows = self.rows(len(self.known), n)
        return self._ready(self.known[rows]), self.labels[rows].to(self.device)

    def blocks(self, n: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All known images and their labels in their own order, n at a time."""
        for i in range(0, len(self.known), n):
            yield self._ready(self.known[i : i + n]), self.labels[i : i + n].to(self.device)

    def take_others(self, n: int) -> Tensor:
        """n images of other classes; raises UsageError where there are none."""
        if self.others is None or len(self.others) == 0:
            raise UsageError(
                "this method learns from another class's images and none were given; name one (--extra-fakes)"
            )
        return self._ready(self.others[self.rows(len(self.others), n)])

    def take_unlabelled(self, n: int) -> Tensor:
        """n images of the known classes without a label; raises UsageError where there are none."""
        if self.unlabelled is None or len(self.unlabelled) == 0:
            raise UsageError("this method learns from images without labels and none were given (--unlabelled)")
        return self._ready(self.unlabelled[self.rows(len(self.unlabelled), n)])

    def _ready(self, x: Tensor) -> Tensor:
        x = x.to(self.device)
        return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x


@lru_cache(maxsize=64)
def _order(size: int, seed: int, purpose: tuple[str | int, ...], turn: int) -> Tensor:
    return torch.randperm(size, generator=generator(seed, "order", *purpose, turn))
