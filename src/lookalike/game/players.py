"""What streams and splits may ask of the GAN that is trained: its players, its twins and its tree of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from lookalike.game.batch import Batch
from lookalike.game.source import Source
from lookalike.game.tree import Tree


class Players(Protocol):
    """G, D, an encoder where there is one, and the GANs that train beside them."""

    tree: Tree
    leaves: Tensor | None  # (N,) of the training images, once classes were split

    @property
    def conditional(self) -> bool:
        """Whether G and the encoder are told a class."""

    @property
    def twins(self) -> Mapping[str, Players]:
        """The GANs that train beside, before or after, by name."""

    def latents(self, source: Source, n: int) -> tuple[Tensor, Tensor | None]:
        """z (n, Z) from the prior and, where G is told a class, the classes (n,) that it is asked for."""

    def make(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Images (N, *shape) for z (N, Z) and classes y (N,); gradients reach G."""

    def infer(self, x: Tensor, y: Tensor | None, random: torch.Generator | None) -> Tensor:
        """z (N, Z) of images and classes; gradients reach the encoder."""

    def encode(self, x: Tensor, y: Tensor | None = None, random: torch.Generator | None = None) -> Tensor:
        """The same without gradients and with inference statistics."""

    def features(self, batch: Batch) -> Tensor:
        """(N, F) D's last features, with inference statistics."""

    def grow(self, leaf: int) -> None:
        """One more class, the second half of `leaf`."""
