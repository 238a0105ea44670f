"""The preset features: those of a small classifier that is trained on the user's own real images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats, Pixels
from lookalike.detect.baselines.classifier import FEATURES, Classifier
from lookalike.features.blocks import in_blocks
from lookalike.use.quality.cache import STEPS, trained


@dataclass(frozen=True)
class Own:
    """The features of a classifier and its class probabilities.

    Parameters
    ----------
    name : str
        The network, and what it was trained on.
    classifier : Classifier
        The trained classifier.
    """

    name: str
    classifier: Classifier

    def features(self, pixels: Pixels) -> Floats:
        """Return features float64 (N, 128) of images (N, C, H, W) uint8."""
        return np.asarray(in_blocks(self.classifier.net.features, pixels).double().numpy())

    def probabilities(self, pixels: Pixels) -> Floats:
        """Return probabilities float64 (N, K) of the classes that the classifier was trained on."""
        shares = self.classifier.score(pixels).classes
        assert shares is not None, "a classifier gives class probabilities"
        return np.asarray(shares, np.float64)


def own(pixels: Pixels, labels: npt.NDArray[np.int64], data: str, seed: int) -> Own:
    """Return a small CNN trained on real images (N, C, H, W) uint8 with labels (N,) from 0 to K - 1.

    Raises
    ------
    UsageError
        For vectors.
    """
    name = f"{FEATURES} features of a small CNN, {STEPS:,} steps on {len(pixels):,} images of {data}, seed {seed}"
    return Own(name, trained(pixels, labels, seed))
