"""Classification accuracy score (CAS, Ravuri and Vinyals 2019): what is learnt from generated images alone.

A classifier that never saw a real image names unseen real ones; the same, trained on as many real images, is the
measure of what could be reached.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Labels, Pixels
from lookalike.detect.auc import Rate, rate
from lookalike.use.quality.cache import trained

Labelled = tuple[Pixels, Labels]  # (N, C, H, W) uint8 and (N,), 0..K-1


class Accuracy(NamedTuple):
    """Shares of unseen real images that are named rightly, and how many images each classifier learnt from."""

    made: Rate
    real: Rate
    images: int


def accuracy_score(made: Labelled, real: Labelled, unseen: Labelled, seed: int) -> Accuracy:
    """Trains on made and on real images, as many of each class on both sides, and names the unseen ones."""
    classes = 1 + max(int(labels.max()) for _, labels in (made, real, unseen))
    counts = np.minimum(*(np.bincount(labels, minlength=classes) for _, labels in (made, real)))
    found = []
    for pixels, labels in (made, real):
        rows = _drawn(labels, counts, seed)
        said = trained(pixels[rows], labels[rows], seed).score(unseen[0]).classes
        assert said is not None, "a classifier names classes"
        found.append(rate(int((said.argmax(1) == unseen[1]).sum()), len(unseen[1])))
    return Accuracy(found[0], found[1], int(counts.sum()))


def _drawn(labels: Labels, counts: Labels, seed: int) -> Labels:
    """Rows of so many images of each class, at random."""
    random = np.random.default_rng(seed)
    of_class = [random.permutation(np.flatnonzero(labels == k))[:n] for k, n in enumerate(counts)]
    return np.sort(np.concatenate(of_class))
