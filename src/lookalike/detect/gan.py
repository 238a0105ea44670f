"""A trained GAN as a detector, which scores images with the score of its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.data import scaled
from lookalike.data.images import Selection, as_pixels
from lookalike.detect.detector import Scores
from lookalike.detect.frozen import FrozenGAN
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.game.tree import Tree

KEPT = "score."  # prefix of the tensors that the score keeps of the training images


class GANDetector:
    """A detector with the score of the GAN's method (`Method.score`), by default V(x).

    Parameters
    ----------
    gan : GAN
        A trained GAN.
    search : Search
        Settings of the latent search.
    label : int or None
        The class, for a conditional GAN. All classes share one GAN, which the detector of class 0 stores.
    kept : mapping of str to Tensor
        Tensors that the score keeps of the training images; see `fit`.
    """

    kind = "gan"

    def __init__(
        self, gan: GAN, search: Search, label: int | None = None, kept: Mapping[str, Tensor] | None = None
    ) -> None:
        self.gan, self.search, self.label = gan, search, label
        self.frozen, self.kept = FrozenGAN(gan, search, label), dict(kept or {})

    @classmethod
    def fit(cls, gan: GAN, search: Search, label: int | None, pixels: Pixels | Selection) -> GANDetector:
        """A detector whose score has been fitted to the training images `pixels` (N, *shape) of the class."""
        bare = cls(gan, search, label)
        return cls(gan, search, label, gan.method.score.fit(bare.frozen, _Scaled(pixels)))

    @classmethod
    def restore(cls, gan: GAN, search: Search, label: int | None, tensors: Mapping[str, Tensor]) -> GANDetector:
        """The detector from its stored tensors, without those of the GAN. Raises ModelError where they do not fit."""
        bare = cls(gan, search, label)
        shapes = gan.method.score.kept(bare.frozen.features)
        wanted = {KEPT + name: torch.empty(shape, dtype=torch.float64, device="meta") for name, shape in shapes.items()}
        checkpoint.match(tensors, wanted, f"the score of {gan.method.name}")
        return cls(gan, search, label, {name.removeprefix(KEPT): tensor for name, tensor in tensors.items()})

    def score(self, pixels: Pixels) -> Scores:
        """Scores of images (N, C, H, W) uint8 or vectors (N, F) float32, with the nearest generated images if any."""
        found = self.gan.method.score.of(self.frozen, _as_tensor(pixels), self.kept)
        # a GAN for several classes without a label: D itself classifies
        several = found.classes is not None and found.classes.shape[1] > 1 and self.gan.tree.roots > 1
        classes = found.classes if self.label is None and several else None
        return Scores(
            found.score.double().numpy(),
            {name: part.double().numpy() for name, part in found.parts.items()},
            None if found.nearest is None else as_pixels(found.nearest),
            None if classes is None else _of_classes(classes.double(), self.gan.tree).numpy(),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Weights of (averaged) G, D and the encoder, and the tensors that the score keeps."""
        # not for labels 1, 2, ...: the detector of class 0 stores the shared GAN
        weights = {} if self.label else self.gan.state(training=False)
        return weights | {KEPT + name: tensor for name, tensor in self.kept.items()}

    def facts(self) -> dict[str, Any]:
        """The settings of the latent search."""
        return dict(vars(self.search))


class _Scaled:
    """Images as tensors, `_as_tensor`, of which only the blocks that are read are made."""

    def __init__(self, pixels: Pixels | Selection) -> None:
        self.pixels, self.shape = pixels, pixels.shape

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: slice) -> Tensor:
        return _as_tensor(self.pixels[index])


def _as_tensor(pixels: Pixels) -> Tensor:
    """Images as float32 in [-1, 1]; vectors as they are."""
    return torch.from_numpy(np.ascontiguousarray(scaled(pixels)))


def _of_classes(shares: Tensor, tree: Tree) -> Tensor:
    """Probabilities of classes (N, K) from those of sub-classes (N, leaves), by their sum."""
    roots = torch.tensor([path[0] for path in tree.paths])
    return shares.new_zeros(len(shares), tree.roots).index_add(1, roots, shares)
