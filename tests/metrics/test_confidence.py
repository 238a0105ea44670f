"""Shares of images that a classifier is sure of."""

from __future__ import annotations

import numpy as np

from lookalike.metrics import rate
from lookalike.metrics.confidence import surer


def test_images_are_counted_strictly_above_each_level():
    """Largest probabilities of 0.5, 0.9, 0.95, 0.9995 and 1: four levels, each share with Wilson's interval."""
    largest = np.array([0.5, 0.9, 0.95, 0.9995, 1.0])
    found = surer(np.stack([1 - largest, largest], 1))
    assert found == {0.9: rate(3, 5), 0.99: rate(2, 5), 0.999: rate(2, 5), 0.9999: rate(1, 5)}
