"""The real images of a training, and its random draws: all are made from (seed, purpose, index)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from lookalike.base.errors import UsageError
from lookalike.base.ranks import ALONE, Ranks
from lookalike.base.seeds import generator
from lookalike.data.images import Selection
from lookalike.game.device import sent


class Stored:
    """Images that stay where they are stored; only the rows that are drawn become tensors.

    Parameters
    ----------
    pixels : Selection
        The images (N, C, H, W), uint8.
    """

    device = torch.device("cpu")

    def __init__(self, pixels: Selection) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return torch.from_numpy(self.pixels[index if isinstance(index, slice) else index.numpy()])


@dataclass(frozen=True)
class Source:
    """The real images of a training, and the position of one draw: a purpose and an index.

    Parameters
    ----------
    known : Tensor or Stored
        Images (N, C, H, W) uint8, or vectors (N, F) float32.
    labels : Tensor
        (N,) int64, from 0 to K - 1.
    others : Tensor, Stored or None
        Images of classes that must stay unknown, in the same form. They have no label.
    seed : int
        Seed of the whole training.
    device : torch.device
        Device of the batches.
    unlabelled : Tensor, Stored or None
        More images of the known classes, in the same form, without labels.
    of_classes : tuple of Tensor, or None
        Row numbers of the known images of each class, where the classes take turns; set by `in_turn`.
    ranks : Ranks
        The processes that draw together. Each gets its own rows of a draw for all.
    purpose, index
        What the draw is for, and its number; set by `at`.
    """

    known: Tensor | Stored
    labels: Tensor
    others: Tensor | Stored | None
    seed: int
    device: torch.device = torch.device("cpu")
    unlabelled: Tensor | Stored | None = None
    of_classes: tuple[Tensor, ...] | None = None
    ranks: Ranks = ALONE
    purpose: tuple[str | int, ...] = ()
    index: int = 0

    def at(self, *purpose: str | int, index: int) -> Source:
        """The same images, at draw `index` of a narrower purpose."""
        return replace(self, purpose=(*self.purpose, *purpose), index=index)

    def generator(self) -> torch.Generator:
        """A new CPU generator, seeded by (seed, purpose, index)."""
        return generator(self.seed, *self.purpose, self.index)

    @cached_property
    def classes(self) -> int:
        """K, the number of known classes."""
        return int(self.labels.max()) + 1

    def rows(self, size: int, n: int) -> Tensor:
        """(n,) int64: n row numbers below `size`. Each pass over the rows has its own random order."""
        # computed from the index alone: a resumed run needs no state to go on where it stopped
        pieces, start = [], self.index * n
        while n:  # a batch may reach over the end of a pass, or over several of a small class
            turn, offset = divmod(start, size)
            order = _order(size, self.seed, self.purpose, turn)[offset : offset + n]
            pieces.append(order)
            start, n = start + len(order), n - len(order)
        return torch.cat(pieces)

    def in_turn(self) -> Source:
        """The same images, of which `take_known` takes each class equally often, however rare it is."""
        of_classes = (torch.nonzero(self.labels == label).flatten() for label in range(self.classes))
        return replace(self, of_classes=tuple(of_classes))

    def _rows_in_turn(self, n: int, of_classes: tuple[Tensor, ...]) -> Tensor:
        """(n,) int64: row numbers of known images whose classes take turns. Each class has passes of its own."""
        pieces = []
        for position in range(self.index * n, (self.index + 1) * n):
            number, label = divmod(position, len(of_classes))
            mine = of_classes[label]
            turn, place = divmod(number, len(mine))
            pieces.append(mine[_order(len(mine), self.seed, (*self.purpose, "class", label), turn)[place]])
        return torch.stack(pieces)

    def take_known(self, n: int) -> tuple[Tensor, Tensor]:
        """n known images (n, *shape), float32 in [-1, 1], and their labels (n,) int64. Vectors are as stored."""
        rows = self.ranks.own(n, self._known_rows)
        return self._ready(self.known, rows), sent(self.labels[rows], self.device)

    def _known_rows(self, n: int) -> Tensor:
        return self._rows_in_turn(n, self.of_classes) if self.of_classes else self.rows(len(self.known), n)

    def blocks(self, n: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All known images and labels in stored order, in blocks of n, as `take_known` returns them."""
        for i in range(0, len(self.known), n):
            rows = torch.arange(i, min(i + n, len(self.known)))
            yield self._ready(self.known, rows), sent(self.labels[rows], self.device)

    def take_others(self, n: int) -> Tensor:
        """n images of other classes, (n, *shape) float32. Raises UsageError where there are none."""
        if self.others is None or len(self.others) == 0:
            raise UsageError(
                "this method learns from another class's images and none were given; name one (--extra-fakes)"
            )
        return self._drawn(self.others, n)

    def take_unlabelled(self, n: int) -> Tensor:
        """n images without labels, (n, *shape) float32. Raises UsageError where there are none."""
        if self.unlabelled is None or len(self.unlabelled) == 0:
            raise UsageError(
                "this method learns from images without labels and none were given; name some (--unlabelled)"
            )
        return self._drawn(self.unlabelled, n)

    def _drawn(self, images: Tensor | Stored, n: int) -> Tensor:
        return self._ready(images, self.ranks.own(n, lambda n: self.rows(len(images), n)))

    def _ready(self, images: Tensor | Stored, rows: Tensor) -> Tensor:
        """These rows (n,) of images, which may be on the device already, as `take_known` returns them."""
        x = sent(images[sent(rows, images.device)], self.device)
        # 0 to 255 becomes -1 to 1, the range of G's tanh
        return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x


@lru_cache(maxsize=64)  # the order of a pass serves all its batches
def _order(size: int, seed: int, purpose: tuple[str | int, ...], turn: int) -> Tensor:
    return torch.randperm(size, generator=generator(seed, "order", *purpose, turn))
