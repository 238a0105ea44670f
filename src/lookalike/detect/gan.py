"""A trained GAN as a detector: V(x) of each image (vtgan-2021, eq. 2), by latent search."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.data import scaled
from lookalike.data.images import as_pixels
from lookalike.detect.detector import Scores
from lookalike.detect.search import Inverter, Search
from lookalike.game.gan import GAN
from lookalike.game.tree import Tree


class GANDetector:
    """V(x) of a trained GAN (vtgan-2021, eq. 2), with its parts.

    Parameters
    ----------
    gan : GAN
        Trained.
    search : Search
        How z is searched.
    label : int or None
        Of a GAN that knows several classes, the one that it is asked for; the detector of class 0 stores the GAN.
    """

    kind = "gan"

    def __init__(self, gan: GAN, search: Search, label: int | None = None) -> None:
        self.gan, self.search, self.label = gan, search, label
        self.inverter = Inverter(gan, search, label)

    def score(self, pixels: Pixels) -> Scores:
        """V(x), its parts R and L_D, D's realness of x, and the nearest generated image."""
        found = self.inverter.search(torch.from_numpy(np.ascontiguousarray(scaled(pixels))))
        parts = {name: getattr(found, name).double().numpy() for name in ("R", "L_D", "realness")}
        names = self.label is None and found.classes.shape[1] > 1 and self.gan.tree.roots > 1  # D says which class
        return Scores(
            found.V.double().numpy(),
            parts,
            as_pixels(found.nearest),
            _of_classes(found.classes.double(), self.gan.tree).numpy() if names else None,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Weights of (averaged) G and D."""
        return {} if self.label else self.gan.state(training=False)

    def facts(self) -> dict[str, Any]:
        """The search settings."""
        return dict(vars(self.search))


def _of_classes(shares: Tensor, tree: Tree) -> Tensor:
    """(N, leaves) -> (N, K): what sub-classes have goes to their class."""
    roots = torch.tensor([path[0] for path in tree.paths])
    return shares.new_zeros(len(shares), tree.roots).index_add(1, roots, shares)
