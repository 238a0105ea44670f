"""Masks of what is unlike the known in each image, and how well a model's heat maps find it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Pixels, Report
from lookalike.base.errors import DataError, UsageError, show
from lookalike.base.unicode import composed
from lookalike.data import Images, read
from lookalike.detect.heat import located
from lookalike.detect.model import Model
from lookalike.detect.pixels import PixelFigures, pixel_figures

BLOCK = 32  # images whose maps are in memory at once
WHITE = 128  # grey values from here on


def measured(
    model: Model,
    marked: Sequence[npt.NDArray[np.bool_]],
    images: Images,
    known: npt.NDArray[np.int64],
    unknown: npt.NDArray[np.int64],
    report: Report,
) -> PixelFigures:
    """The figures of the heat maps of these rows of `images`; nothing is marked in the known ones.

    Parameters
    ----------
    model : Model
        Whose maps are measured.
    marked : sequence of ndarray
        The masks of the unknown images.
    images : Images
        At the model's size.
    known, unknown : ndarray
        Rows that are measured.
    report : callable
        It gets the progress.
    """
    none, rows = np.zeros(model.shape[1:], np.bool_), np.concatenate([known, unknown])
    return pixel_figures(maps_of(model, images, rows, report), [*(none for _ in known), *marked])


def maps_of(model: Model, images: Images, rows: npt.NDArray[np.int64], report: Report) -> Iterator[Pixels]:
    """The heat map (H, W) of each of these rows of `images`, in their order; the arguments are those of `measured`."""
    for start in range(0, len(rows), BLOCK):
        report("locating", start, len(rows))
        maps = model.score(images.pixels[rows[start : start + BLOCK]], maps=True).maps
        assert maps is not None, "they were asked for"
        yield from maps


def masks_of(model: Model, masks: str | Path, names: Sequence[str]) -> list[npt.NDArray[np.bool_]]:
    """The masks bool (H, W) of images of these names, at the model's size.

    Parameters
    ----------
    model : Model
        Of images, with heat maps.
    masks : str or Path
        A folder of masks with the file names of the images, in folders of the same classes or without; a suffix of
        another format, and `_mask` after the name, are accepted, as in MVTec's `ground_truth`. White is unlike the
        known.
    names : sequence of str
        Those of unknown images.

    Raises
    ------
    DataError
        For an image without a mask, or whose mask marks nothing.
    UsageError
        For a model without heat maps, or vectors.
    """
    if model.size is None:
        raise UsageError("masks are of images, and this model takes vectors; leave --masks out")
    located(model.detector, np.zeros((1, *model.shape), np.uint8))  # raises where there are no maps
    read_masks = read(masks, size=model.size, channels=1, labelled=False, aspect=model.aspect)
    found = {_key(name): i for i, name in enumerate(read_masks.names)}
    alone = {name for name, n in Counter(PurePosixPath(name).name for name in names).items() if n == 1}
    rows = [_row(found, name, alone) for name in names]
    missing = [name for name, row in zip(names, rows, strict=True) if row is None]
    if missing:
        raise DataError(
            f"{show(masks)} lacks the masks of {len(missing)} of {len(names)} unknown images, first "
            f"{show(missing[0])}; masks have the names of their images; name the classes that have some (--unknown)"
        )
    marked = [_marked(read_masks.pixels[row, 0]) for row in rows if row is not None]
    for name, mask in zip(names, marked, strict=True):
        if not mask.any():
            cut = " that --aspect crop has left" if model.aspect == "crop" else ""
            raise DataError(f"the mask of {show(name)} marks nothing{cut}; white is unlike the known")
    return marked


def _row(found: Mapping[str, int], name: str, alone: Container[str]) -> int | None:
    """The mask of an image: by its path without leading folders, or by its name where no other image has that."""
    parts = PurePosixPath(name).parts
    tails = ["/".join(parts[i:]) for i in range(len(parts) - (parts[-1] not in alone))]
    return next((found[_key(tail)] for tail in tails if _key(tail) in found), None)


def _marked(mask: Pixels) -> npt.NDArray[np.bool_]:
    """The white pixels; of a mask whose few pixels became grey when it was shrunk, all that are not black."""
    white: npt.NDArray[np.bool_] = mask >= WHITE
    return white if white.any() else mask > 0


def _key(name: str) -> str:
    """The name without the format's suffix and `_mask`, in one Unicode form."""
    return re.sub(r"_mask$", "", composed(str(PurePosixPath(name).with_suffix(""))))
