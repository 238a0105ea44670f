"""Fewer training images of some classes, to see what is lost and won back (gan-augmentation-2020, section 3.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from lookalike.base.errors import DataError, show
from lookalike.data.images import Images


def sparsify(images: Images, keep: Mapping[str, float | int], seed: int) -> Images:
    """`images` with fewer training images of some classes; official test images all stay.

    Which ones stay follows from the seed and their content: a smaller number is part of a larger one, whatever the
    images' order, and images with equal content count once and stay or go together.

    Parameters
    ----------
    keep : mapping
        Class -> share in (0, 1] of its distinct training images (float), rounded, or their number (int).

    Raises
    ------
    DataError
        For a class that is not there, a share out of range, or more images than there are.
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
            raise DataError(f"class {show(name)}: {number} of {len(ranked)} distinct images cannot stay; ask for fewer")
        stays[mine] = np.isin(keys[mine], ranked[:number])
    return images.select(stays)


def _rounded(name: str, share: float, of: int) -> int:
    if not 0 < share <= 1:
        raise DataError(f"class {show(name)}: a share of {share} cannot stay; more than 0 and at most 1 is accepted")
    return max(1, int(share * of + 0.5))
