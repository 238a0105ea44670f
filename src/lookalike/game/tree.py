"""The tree of classes that were split into sub-classes (splitting-gan-2017, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

MOST = 4096  # leaves; a limit for untrusted files


@dataclass(frozen=True)
class Tree:
    """Classes 0 to K - 1 and their splits. One half of a split leaf keeps its number, the other gets the next.

    Parameters
    ----------
    roots : int
        K, the classes before any split.
    splits : tuple of int
        The leaf that was halved, for each split in turn.
    """

    roots: int
    splits: tuple[int, ...] = ()

    @property
    def leaves(self) -> int:
        """Number of classes now."""
        return self.roots + len(self.splits)

    def split(self, leaf: int) -> Tree:
        """This tree with one more split. The number of the new leaf is the former `leaves`."""
        assert 0 <= leaf < self.leaves, "a leaf is there"
        return replace(self, splits=(*self.splits, leaf))

    @property
    def paths(self) -> list[tuple[int, ...]]:
        """The nodes from root to leaf, for each leaf. Roots are 0 to K - 1; split s adds K + 2 s and K + 2 s + 1."""
        # nodes never change their number: they are the rows of scale and shift in G (`nets/conditioning.py`)
        found: list[tuple[int, ...]] = [(root,) for root in range(self.roots)]
        for s, leaf in enumerate(self.splits):
            node = self.roots + 2 * s
            found.append((*found[leaf], node + 1))
            found[leaf] = (*found[leaf], node)
        return found

    def of(self, root: int) -> tuple[int, ...]:
        """The leaves of a class, in rising order."""
        return tuple(leaf for leaf, path in enumerate(self.paths) if path[0] == root)

    def names(self, classes: Sequence[str]) -> list[str]:
        """The name of each leaf: Coat for a class without splits, Coat/1/0 for the first half of its second half."""
        return ["/".join([classes[path[0]], *(str((n - self.roots) % 2) for n in path[1:])]) for path in self.paths]

    def index(self) -> Tensor:
        """(leaves, depth) int64: `paths`, padded with -1."""
        paths = self.paths
        depth = max(map(len, paths))
        return torch.tensor([[*path, *[-1] * (depth - len(path))] for path in paths])
