"""Which images of a class are scored: test or held-out images, or all of a class that no training reads.

The split does not depend on which classes are known. An image under two labels is measured nowhere, since the training
of another class may have learnt it.
"""

from __future__ import annotations

import numpy as np

from lookalike.base.arrays import Index, Pixels
from lookalike.base.errors import DataError, show
from lookalike.data import Images, split
from lookalike.runs.settings import TrainSettings

TEST, HELD_OUT = "unseen", "held"  # as the folders of scores are named since the first version
EVERY, FEW = "every", "few"  # all images, and no more than `MOST` of a class, those with the smallest content keys
NAMES = {TEST: "test", HELD_OUT: "held-out", EVERY: "own", FEW: "own"}
MOST = 60


def images_of(images: Images, settings: TrainSettings, name: str, part: str) -> Pixels:
    """The class's images of a part, in the order of the data; DataError where there are none."""
    return np.asarray(images.pixels[rows_of(images, settings, name, part)])


def rows_of(images: Images, settings: TrainSettings, name: str, part: str) -> Index:
    """The rows of the class's images of a part, ascending; DataError where there are none."""
    images.of(name)  # or says that it is not there
    rows = _rows(images, settings, part)
    rows = rows[images.labels[rows] == images.classes.index(name)]
    if not len(rows):
        raise DataError(f"class {show(name)} has no {NAMES[part]} images; add images of it")
    return np.sort(sorted(rows, key=images.keys.__getitem__)[:MOST]) if part == FEW else rows


def measurable(images: Images, settings: TrainSettings, least: int) -> tuple[str, ...]:
    """Classes with `least` images to train on that leave a held-out and a test image under no other label."""
    trained = split(images, test=settings.test, calibration=settings.held_out, seed=settings.seed).train
    rows = {"trained": trained} | {part: _rows(images, settings, part) for part in (TEST, HELD_OUT)}
    counts = {part: np.bincount(images.labels[mine], minlength=len(images.classes)) for part, mine in rows.items()}
    enough = (counts["trained"] >= least) & (counts[TEST] > 0) & (counts[HELD_OUT] > 0)
    return tuple(name for name, there in zip(images.classes, enough.tolist(), strict=True) if there)


def _rows(images: Images, settings: TrainSettings, part: str) -> Index:
    """Rows of a part that stand under one label alone."""
    parts = split(images, test=settings.test, calibration=settings.held_out, seed=settings.seed)
    labels: dict[str, set[int]] = {}
    for key, label in zip(images.keys, images.labels.tolist(), strict=True):
        labels.setdefault(key, set()).add(label)
    rows = {TEST: parts.test, HELD_OUT: parts.calibration}.get(part, np.arange(len(images)))
    return rows[[len(labels[images.keys[i]]) == 1 for i in rows.tolist()]]
