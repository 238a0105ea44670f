"""Masks of what is unlike the known in each image, and how well a model's heat maps find it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Pixels, Report
from lookalike.base.errors import DataError, UsageError, show
from lookalike.data import Images, read
from lookalike.detect.model import Model
from lookalike.detect.pixels import PixelFigures, pixel_figures

BLOCK = 32  # images whose maps are in memory at once
MARKED = 128  # grey values from here on are marked


def located(
    model: Model, masks: str | Path, images: Images, known: npt.NDArray[np.int64], unknown: npt.NDArray[np.int64],
    report: Report,
) -> PixelFigures:  # fmt: skip
    """The figures of the heat maps of these rows of `images`; nothing is marked in the known ones.

    Parameters
    ----------
    model : Model
        Whose maps are measured.
    masks : str or Path
        A folder of masks with the file names of the images, in folders of the same classes or without; a suffix of
        another format, and `_mask` after the name, are accepted. White is unlike the known.
    images : Images
        At the model's size.
    known, unknown : ndarray
        Rows that are measured.
    report : callable
        It gets the progress.

    Raises
    ------
    DataError
        For an unknown image without a mask, or masks that mark nothing.
    UsageError
        For a model without heat maps, or vectors.
    """
    if model.size is None:
        raise UsageError("masks are of images, and this model takes vectors; leave --masks out")
    marked = _of(read(masks, size=model.size, channels=1, labelled=False), [images.names[i] for i in unknown], masks)
    none = np.zeros(model.size, np.bool_)
    rows = np.concatenate([known, unknown])
    return pixel_figures(_maps(model, images, rows, report), [*(none for _ in known), *marked])


def _maps(model: Model, images: Images, rows: npt.NDArray[np.int64], report: Report) -> Iterator[Pixels]:
    for start in range(0, len(rows), BLOCK):
        report("locating", start, len(rows))
        maps = model.score(images.pixels[rows[start : start + BLOCK]], maps=True).maps
        assert maps is not None, "they were asked for"
        yield from maps


def _of(masks: Images, names: Sequence[str], folder: str | Path) -> Iterator[npt.NDArray[np.bool_]]:
    """The mask of each image; raises DataError where one is missing."""
    found = {_key(name): i for i, name in enumerate(masks.names)}
    rows = [found.get(_key(name), found.get(_key(PurePosixPath(name).name))) for name in names]
    missing = [name for name, row in zip(names, rows, strict=True) if row is None]
    if missing:
        raise DataError(
            f"{show(folder)} lacks the masks of {len(missing)} of {len(names)} unknown images, first "
            f"{show(missing[0])}; masks have the names of their images; name the classes that have some (--unknown)"
        )
    return (masks.pixels[row, 0] >= MARKED for row in rows)


def _key(name: str) -> str:
    """The name without the format's suffix and `_mask`."""
    return re.sub(r"_mask$", "", str(PurePosixPath(name).with_suffix("")))
