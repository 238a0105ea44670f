"""Classification accuracy score (CAS, Ravuri and Vinyals 2019): how well a classifier learns from generated images.

One classifier is trained on generated images only and classifies real images held out from training. A second one is
trained on as many real images, which shows what could be reached.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.base.arrays import Labels, Pixels
from lookalike.detect.auc import Rate, rate
from lookalike.use.quality.cache import trained

Labelled = tuple[Pixels, Labels]  # (N, C, H, W) uint8 and (N,), 0..K-1


class Accuracy(NamedTuple):
    """Shares of held-out real images that are classified correctly, and the number of training images of each."""

    made: Rate
    real: Rate
    images: int


def accuracy_score(made: Labelled, real: Labelled, held_out: Labelled, seed: int) -> Accuracy:
    """Train on generated and on real images, as many of each class, and classify the images of `held_out`.

    Parameters
    ----------
    made, real, held_out
        Pixels uint8 (N, C, H, W) and labels int64 (N,) from 0 to K - 1: generated images, real ones, and real ones
        that are held out from training.
    seed
        Seed of the draw of the images and of both trainings.
    """
    classes = 1 + max(int(labels.max()) for _, labels in (made, real, held_out))
    counts = np.minimum(*(np.bincount(labels, minlength=classes) for _, labels in (made, real)))
    found = []
    for pixels, labels in (made, real):
        rows = _drawn(labels, counts, seed)
        shares = trained(pixels[rows], labels[rows], seed).score(held_out[0]).classes
        assert shares is not None, "a classifier gives class probabilities"
        found.append(rate(int((shares.argmax(1) == held_out[1]).sum()), len(held_out[1])))
    return Accuracy(found[0], found[1], int(counts.sum()))


def _drawn(labels: Labels, counts: Labels, seed: int) -> Labels:
    """Return the rows of `counts[k]` random images of each class k, in rising order."""
    random = np.random.default_rng(seed)
    of_class = [random.permutation(np.flatnonzero(labels == k))[:n] for k, n in enumerate(counts)]
    return np.sort(np.concatenate(of_class))
