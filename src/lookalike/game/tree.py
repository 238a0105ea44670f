"""The label tree: classes that were split into sub-classes of their own (splitting-gan-2017, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

MOST = 4096  # leaves


@dataclass(frozen=True)
class Tree:
    """Classes 0 to K - 1, and the leaf that each split halved: one half keeps its number, the other gets the next.

    Parameters
    ----------
    roots : int
        K, the classes to begin with.
    splits : tuple of int
        The leaf that was halved, for each split in turn.
    """

    roots: int
    splits: tuple[int, ...] = ()

    @property
    def leaves(self) -> int:
        """How many classes there are now."""
        return self.roots + len(self.splits)

    def split(self, leaf: int) -> Tree:
        """This tree with one more split; the new leaf's number is the former `leaves`."""
        assert 0 <= leaf < self.leaves, "a leaf is there"
        return replace(self, splits=(*self.splits, leaf))

    @property
    def paths(self) -> list[tuple[int, ...]]:
        """Each leaf's nodes from its root: roots are 0 to K - 1, the halves of split s are K + 2 s and K + 2 s + 1."""
        found: list[tuple[int, ...]] = [(root,) for root in range(self.roots)]
        for s, leaf in enumerate(self.splits):
            node = self.roots + 2 * s
            found.append((*found[leaf], node + 1))
            found[leaf] = (*found[leaf], node)
        return found

    def of(self, root: int) -> tuple[int, ...]:
        """The leaves of a class."""
        return tuple(leaf for leaf, path in enumerate(self.paths) if path[0] == root)

    def names(self, classes: Sequence[str]) -> list[str]:
        """The leaves' names: Coat for a class that was never split, Coat/1/0 for a half's first half."""
        return ["/".join([classes[path[0]], *(str((n - self.roots) % 2) for n in path[1:])]) for path in self.paths]

    def index(self) -> Tensor:
        """(leaves, depth) int64: `paths`, filled up by -1."""
        paths = self.paths
        depth = max(map(len, paths))
        return torch.tensor([[*path, *[-1] * (depth - len(path))] for path in paths])
