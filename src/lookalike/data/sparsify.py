"""Training sets with fewer images of some classes (gan-augmentation-2020, section VI)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from lookalike.base.errors import DataError, show
from lookalike.data.images import Images


def sparsify(images: Images, keep: Mapping[str, float | int], seed: int) -> Images:
    """Return `images` with fewer training images of some classes; all official test images stay.

    The seed and the images' content decide which images stay; the order of the images does not matter. The images that
    a smaller number keeps are among those that a larger number keeps. Images with equal content count as one, and stay
    or go together.

    Parameters
    ----------
    keep : mapping
        Class -> share of its distinct training images in (0, 1] (float; the number is rounded), or their number (int).

    Raises
    ------
    DataError
        For a class that does not exist, a share out of range, or a number larger than that of the images.
    """
    stays = np.ones(len(images), np.bool_)
    keys = np.array(images.keys)
    for name, amount in keep.items():
        (label,) = (images.classes.index(found) for found in images.names_of((name,)))
        mine = images.labels == label
        if images.test is not None:
            mine &= ~images.test
        ranked = sorted(
            set(keys[mine].tolist()), key=lambda key: hashlib.sha256(f"sparsify:{seed}:{key}".encode()).digest()
        )
        number = amount if isinstance(amount, int) else _rounded(name, amount, len(ranked))
        if not 1 <= number <= len(ranked):
            raise DataError(
                f"class {show(name)}: cannot keep {number} of {len(ranked)} distinct images; give a number from 1 to "
                f"{len(ranked)}"
            )
        stays[mine] = np.isin(keys[mine], ranked[:number])
    return images.select(stays)


def _rounded(name: str, share: float, of: int) -> int:
    if not 0 < share <= 1:
        raise DataError(f"class {show(name)}: cannot keep a share of {share}; give more than 0 and at most 1")
    return max(1, int(share * of + 0.5))
