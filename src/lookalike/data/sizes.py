"""The sizes of many images: what is said of them, and the sizes at which they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from lookalike.base.errors import DataError
from lookalike.base.names import Aspect
from lookalike.data.aspect import SAID
from lookalike.data.images import Images, names_of
from lookalike.data.sources import Size, open_source

Counts = Mapping[Size, int]  # size (H, W) -> number of images that have it
SHARES = 0.05, 0.95  # of the images: between them lies the spread of aspects


@dataclass(frozen=True)
class Spread:
    """How the sizes of images spread.

    Parameters
    ----------
    least, median, largest : tuple of int
        (H, W) of the images with the least, the middle and the largest area.
    aspects : tuple of float
        The aspects, width / height, between which 90 % of the images lie.
    """

    least: Size
    median: Size
    largest: Size
    aspects: tuple[float, float]


def spread_of(counts: Counts) -> Spread:
    """The spread of at least one size."""
    every = sorted((size for size, n in counts.items() for _ in range(n)), key=lambda size: (size[0] * size[1], size))
    low, high = np.quantile([width / height for height, width in every], SHARES, method="inverted_cdf").tolist()
    return Spread(every[0], every[(len(every) - 1) // 2], every[-1], (low, high))


def usual_size(counts: Counts) -> Size:
    """(H, W) that stands for all images, of which there is at least one: the medians of the area and of the aspect."""
    each = [size for size, count in counts.items() for _ in range(count)]
    area = median(height * width for height, width in each)
    aspect = median(width / height for height, width in each)
    return max(1, round((area / aspect) ** 0.5)), max(1, round((area * aspect) ** 0.5))


def own_size(counts: Counts, side: int) -> Size:
    """(H, W) at which images are read that may be large: their usual size, or smaller with an area of `side` x `side`.

    Without sizes it is a square: no image can be measured, and `read` then says why.
    """
    height, width = usual_size(counts or {(side, side): 1})
    shrink = min(1.0, side / (height * width) ** 0.5)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def small_size(counts: Counts, side: int, multiple: int) -> Size:
    """(H, W) of which the longer is about `side`, and both are multiples of `multiple`.

    The aspect is that of the most common size. Without sizes it is a square, as for `own_size`.
    """
    common = Counter(counts).most_common() or [((side, side), 0)]
    height, width = min(size for size, count in common if count == common[0][1])
    scale = side / max(height, width)
    return _nearest(height * scale, multiple), _nearest(width * scale, multiple)


def aspect_size(images: Images | str | Path, side: int, multiple: int, classes: Iterable[str] = ()) -> Size:
    """Return the `small_size` of images. Only those of `classes`, as `Images.names_of` takes them, or all count.

    Raises
    ------
    DataError
        For vectors, which have no size.
    """
    counts: Counts
    if isinstance(images, Images):
        vectors = len(images.shape) == 1
        counts = {} if vectors else {(images.shape[1], images.shape[2]): len(images)}
    else:
        source = open_source(images, labelled=False, allow_empty_class=True)
        names = names_of(classes, source.classes)
        vectors, counts = source.vectors, Counter((source.only(names) if names else source).sizes())
    if vectors:
        raise DataError("the data are vectors, which have no image size; leave out the size")
    return small_size(counts, side, multiple)


def shrinking(counts: Counts, size: Size, aspect: Aspect = "squash") -> str | None:
    """One line that says from what sizes to what size images shrink; None where none does in height or width."""
    if all(height <= size[0] and width <= size[1] for height, width in counts):
        return None
    spread = spread_of(counts)
    ends = dict.fromkeys((text(spread.least), text(spread.largest)))
    return f"images of {' to '.join(ends)} pixels are read at {text(size)}{SAID[aspect]}"


def text(size: Size) -> str:
    """A size as a person reads it: "32 x 24", height before width."""
    return f"{size[0]} x {size[1]}"


def _nearest(length: float, multiple: int) -> int:
    return max(multiple, int(length / multiple + 0.5) * multiple)
