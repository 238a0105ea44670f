"""The sizes of many images in one short line, and the size that stands for them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import median

from lookalike.data.source import Source
from lookalike.data.sources import Size

FEW = 5  # different sizes that are listed one by one


def usual_size(counts: Mapping[Size, int]) -> Size:
    """(H, W) that stands for all images: the medians of the area and of the aspect.

    Parameters
    ----------
    counts : mapping
        Size (H, W) -> number of images that have it; at least one.
    """
    each = [size for size, count in counts.items() for _ in range(count)]
    area = median(height * width for height, width in each)
    aspect = median(width / height for height, width in each)
    return max(1, round((area / aspect) ** 0.5)), max(1, round((area * aspect) ** 0.5))


def own_size(source: Source, side: int, otherwise: Size) -> Size:
    """(H, W) at which images are read that may be large: their usual size, or smaller with an area of `side` x `side`.

    Where no image can be measured it is `otherwise`; `read` then says why.
    """
    counts = Counter(source.sizes())
    if not counts:
        return otherwise
    height, width = usual_size(counts)
    shrink = min(1.0, side / (height * width) ** 0.5)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def said(counts: Mapping[Size, int]) -> str:
    """The sizes as one line: each with its number, or the smallest, the usual and the largest of many.

    The aspect is the width divided by the height.
    """
    if len(counts) <= FEW:
        return ", ".join(f"{_text(size)} ({count:,})" for size, count in counts.items())
    heights, widths = zip(*counts, strict=True)
    aspects = [width / height for height, width in counts]
    return (
        f"{len(counts):,} different, heights {min(heights):,} to {max(heights):,} and widths {min(widths):,} to "
        f"{max(widths):,}, usually {_text(usual_size(counts))}; aspects {min(aspects):.2f} to {max(aspects):.2f}"
    )


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
