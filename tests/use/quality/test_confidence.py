"""Shares of images that a classifier is sure of."""

from __future__ import annotations

import numpy as np

from lookalike.detect.auc import rate
from lookalike.use.quality.confidence import surer


def test_images_are_counted_strictly_above_each_level():
    """Probabilities of 0.5, 0.9, 0.95, 0.9995 and 1: four levels, each share with Wilson's interval."""
    largest = np.array([0.5, 0.9, 0.95, 0.9995, 1.0])
    found = surer(largest)
    assert found == {0.9: rate(3, 5), 0.99: rate(2, 5), 0.999: rate(2, 5), 0.9999: rate(1, 5)}
    assert surer(np.array([0.0, 0.5, 0.95]), least=True) == {0: rate(2, 3), 0.9: rate(1, 3)} | dict.fromkeys(
        (0.99, 0.999, 0.9999), rate(0, 3)
    )
