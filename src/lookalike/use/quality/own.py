"""The usual features: of a small classifier that is trained on the user's own real images."""

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
    """A classifier's features and its probabilities of classes.

    Parameters
    ----------
    name : str
        What it is and what it was trained on.
    classifier : Classifier
        Trained.
    """

    name: str
    classifier: Classifier

    def features(self, pixels: Pixels) -> Floats:
        """(N, 128) of images (N, C, H, W) uint8."""
        return np.asarray(in_blocks(self.classifier.net.features, pixels).double().numpy())

    def probabilities(self, pixels: Pixels) -> Floats:
        """(N, K) of the classes that it was trained on."""
        shares = self.classifier.score(pixels).classes
        assert shares is not None, "a classifier names classes"
        return np.asarray(shares, np.float64)


def own(pixels: Pixels, labels: npt.NDArray[np.int64], data: str, seed: int) -> Own:
    """A small CNN trained on real images (N, C, H, W) uint8 with labels (N,), 0..K-1; UsageError for vectors."""
    name = f"{FEATURES} features of a small CNN, {STEPS:,} steps on {len(pixels):,} images of {data}, seed {seed}"
    return Own(name, trained(pixels, labels, seed))
