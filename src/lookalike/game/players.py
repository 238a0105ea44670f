"""The interface of a GAN in training for streams and splits: its networks, twins and tree of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from lookalike.base.ranks import ALONE, Ranks
from lookalike.game.batch import Batch
from lookalike.game.source import Source
from lookalike.game.tree import Tree


class Players(Protocol):
    """G, D, the encoder if there is one, and the twins. `GAN` implements it."""

    tree: Tree
    leaves: Tensor | None  # (N,) of the training images, once classes were split

    @property
    def conditional(self) -> bool:
        """Whether G and the encoder are conditional on the class."""

    @property
    def twins(self) -> Mapping[str, Players]:
        """The GANs that train before, beside or after, by name."""

    def latents(self, source: Source, n: int) -> tuple[Tensor, Tensor | None]:
        """z (n, Z) from the prior, and classes (n,) int64 where G is conditional, else None."""

    def make(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Images (N, *shape) for z (N, Z) and classes y (N,). Gradients reach G."""

    def infer(self, x: Tensor, y: Tensor | None, random: torch.Generator | None, ranks: Ranks = ALONE) -> Tensor:
        """z (N, Z) of images (N, *shape) and classes (N,). Gradients reach the encoder."""

    def encode(
        self, x: Tensor, y: Tensor | None = None, random: torch.Generator | None = None, ranks: Ranks = ALONE
    ) -> Tensor:
        """z (N, Z) as `infer`, in eval mode and without gradients."""

    def features(self, batch: Batch) -> Tensor:
        """(N, F) features of D's trunk, in eval mode."""

    def grow(self, leaf: int) -> None:
        """Splits the class `leaf` in two; the new class gets the next number."""
