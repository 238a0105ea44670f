"""Which images of a class are scored: test images, held-out ones or all, where they stand under one label alone.

The split does not depend on which classes are known. An image under two labels is measured nowhere, since the training
of another class may have learnt it. All images are those of a class that no training learns; where the data has an
official test part, they are those of that part, and where images have groups, those of the split's test part.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from lookalike.base.arrays import Index, Pixels
from lookalike.base.errors import DataError, show
from lookalike.data import Images, split
from lookalike.data.groups import Groups
from lookalike.runs.settings import TrainSettings

TEST, HELD_OUT, WHOLE = "unseen", "held", "whole"  # as the folders of scores are named since the first version
FEW, MOST = "few", 60  # of WHOLE so many of a class at most, those with the smallest content keys
GIVEN = "given"  # images of a folder of test images: all of them, as of WHOLE
NAMES = {
    TEST: "test images",
    HELD_OUT: "held-out images",
    **dict.fromkeys((WHOLE, FEW, GIVEN), "images that stand under no other label"),
}


def images_of(images: Images, settings: TrainSettings, name: str, part: str) -> Pixels:
    """The class's images of a part, in the order of the data; DataError where there are none."""
    return np.asarray(images.pixels[rows_of(images, settings, name, part)])


def rows_of(images: Images, settings: TrainSettings, name: str, part: str) -> Index:
    """The rows of the class's images of a part, ascending; DataError where there are none."""
    images.of(name)  # or says that it is not there
    rows = _rows(images, settings, part)
    rows = rows[images.labels[rows] == images.classes.index(name)]
    if not len(rows):
        raise DataError(f"class {show(name)} has no {NAMES[part]}; add images of it")
    return np.sort(sorted(rows, key=images.keys.__getitem__)[:MOST]) if part == FEW else rows


def measurable(images: Images, settings: TrainSettings, least: int) -> tuple[str, ...]:
    """Classes with `least` images to train on that leave a held-out and a test image under no other label.

    Where no test part is cut, no test image is needed.
    """
    needed = (TEST, HELD_OUT) if settings.tested or images.test is not None else (HELD_OUT,)
    trained = split(images, test=settings.tested, calibration=settings.held_out, seed=settings.seed).train
    rows = {"trained": trained} | {part: _rows(images, settings, part) for part in needed}
    counts = {part: np.bincount(images.labels[mine], minlength=len(images.classes)) for part, mine in rows.items()}
    enough = np.all([counts["trained"] >= least, *(counts[part] > 0 for part in needed)], axis=0)
    return tuple(name for name, there in zip(images.classes, enough.tolist(), strict=True) if there)


def drawn(images: Images, settings: TrainSettings, name: str, n: int, seed: int) -> Index:
    """Rows of n images of a class, no two the same and none of the test part; those of fewer images are among them.

    `seed` draws them, by content. Raises DataError where there are fewer.
    """
    trained = split(images, test=settings.tested, calibration=0.0, seed=settings.seed).train
    mine = trained[images.labels[trained] == images.classes.index(name)]
    first = {images.keys[row]: row for row in mine[::-1].tolist()}
    if len(first) < n:
        raise DataError(f"class {show(name)} has {len(first)} different images to learn from, not {n}; add images")
    ranked = sorted(first, key=lambda key: sha256(f"{seed}:shots:{key}".encode()).digest())
    return np.sort(np.array([first[key] for key in ranked[:n]], np.int64))


def scorable(images: Images, settings: TrainSettings) -> tuple[str, ...]:
    """Classes that have an image to score, were they never known."""
    there = np.bincount(images.labels[_rows(images, settings, WHOLE)], minlength=len(images.classes))
    return tuple(name for name, count in zip(images.classes, there.tolist(), strict=True) if count)


def said_of_groups(images: Images, groups: Groups, settings: TrainSettings) -> str:
    """How many groups each part has, in words."""
    parts = split(images, test=settings.tested, calibration=settings.held_out, seed=settings.seed)
    return groups.said(train=parts.train, held_out=parts.calibration, test=parts.test)


def _rows(images: Images, settings: TrainSettings, part: str) -> Index:
    """Rows of a part that stand under one label alone."""
    labels: dict[str, set[int]] = {}
    for key, label in zip(images.keys, images.labels.tolist(), strict=True):
        labels.setdefault(key, set()).add(label)
    rows = _of_part(images, settings, part)
    return rows[[len(labels[images.keys[i]]) == 1 for i in rows.tolist()]]


def _of_part(images: Images, settings: TrainSettings, part: str) -> Index:
    if part == GIVEN or (part in (WHOLE, FEW) and images.groups is None):
        return np.flatnonzero((images.labels >= 0) & (True if images.test is None else images.test))
    parts = split(images, test=settings.tested, calibration=settings.held_out, seed=settings.seed)
    return parts.calibration if part == HELD_OUT else parts.test
