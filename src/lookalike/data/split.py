"""Training, calibration and test parts by seed and content: the order and the names of the images do not matter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from lookalike.base.arrays import Index
from lookalike.base.errors import UsageError
from lookalike.data.images import Images


@dataclass(frozen=True, eq=False)
class Split:
    """Ascending int64 indices of the images of each part; identical images are never in two parts.

    `excluded` holds the images that repeat an official test image. They belong to no part.
    """

    train: Index
    calibration: Index
    test: Index
    excluded: Index


def split(images: Images, *, test: float, calibration: float, seed: int) -> Split:
    """Split each class by the ranks of SHA-256(seed, content key) of its distinct images.

    The first images in this order are the test part, the next ones the calibration part, and the rest trains. Shares
    are rounded. Each part with a share above 0 still gets one image of every class that has three or more. Training
    always keeps at least one image.

    Where the source has an official test part (`images.test`), that part is used and the `test` share is ignored. An
    image that appears in several classes goes to one part, as an image of the class whose name is first. Images
    without a label go to no part.

    Parameters
    ----------
    test : share of all images, in [0, 1)
    calibration : share of the images that are not test images, in [0, 1)

    Raises
    ------
    UsageError
        For a share outside [0, 1).
    """
    for name, share in (("test", test), ("calibration", calibration)):
        if not 0 <= share < 1:
            raise UsageError(f"the {name} share is {share}; give a share of at least 0 and less than 1")
    keys = np.array(images.keys)
    official = np.zeros(len(images), np.bool_) if images.test is None else images.test
    repeated = np.isin(keys, keys[official]) & ~official
    parts: dict[str, str] = {}
    for number in sorted(range(len(images.classes)), key=lambda i: images.classes[i]):
        mine = set(keys[(images.labels == number) & ~official & ~repeated].tolist()) - set(parts)
        ranked = sorted(mine, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())
        parts |= _parts(ranked, test if images.test is None else 0.0, calibration)
    names = np.array([parts.get(key, "") for key in images.keys])
    names[official], names[repeated], names[images.labels < 0] = "test", "excluded", ""
    return Split(*(np.flatnonzero(names == part) for part in ("train", "calibration", "test", "excluded")))


def _parts(ranked: list[str], test: float, calibration: float) -> dict[str, str]:
    """Return content key -> part for the keys of one class, which are sorted by hash."""
    n_test = _share(test, len(ranked), keep=2)
    n_calibration = _share(calibration, len(ranked) - n_test, keep=1)
    names = ["test"] * n_test + ["calibration"] * n_calibration
    return dict(zip(ranked, names + ["train"] * (len(ranked) - len(names)), strict=True))


def _share(share: float, of: int, keep: int) -> int:
    """Return `share` of `of`, rounded: at least 1 where `keep` others remain, and never all."""
    rounded = int(share * of + 0.5)
    if share > 0 and of > keep:
        return min(max(rounded, 1), of - keep)
    return max(0, min(rounded, of - 1))
