"""How well heat maps find the marked pixels: pixel AUROC, and AUPRO (Bergmann et al. 2020), both exact.

Both are means over marked pixels of a function of one number: the share of unmarked pixels, of all images, that score
as high. A region's overlap with what lies above a threshold, averaged over the thresholds, is such a mean too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from lookalike.base.arrays import Floats, Pixels
from lookalike.base.errors import DataError

LIMIT = 0.3  # share of false positive pixels up to which AUPRO counts
AROUND = np.ones((3, 3))  # pixels that touch at a corner are of one region


@dataclass(frozen=True)
class PixelFigures:
    """Figures of heat maps against masks.

    Parameters
    ----------
    auroc : float
        Chance that a marked pixel scores above an unmarked one.
    aupro : float
        Mean overlap with a region, over false positive rates up to `LIMIT`.
    images, regions : int
        Images with marked pixels, and their regions.
    """

    auroc: float
    aupro: float
    images: int
    regions: int


def pixel_figures(maps: Iterable[Pixels], masks: Iterable[npt.NDArray[np.bool_]]) -> PixelFigures:
    """The figures of maps float32 (H, W) with masks bool (H, W), those of known images with nothing marked.

    Raises
    ------
    DataError
        Where no pixel is marked, or all are.
    """
    unmarked, regions, images = list[Pixels](), list[Pixels](), 0
    for heat, mask in zip(maps, masks, strict=True):
        unmarked.append(heat[~mask])
        numbers, count = label(mask, AROUND)
        regions += [heat[numbers == i + 1] for i in range(count)]
        images += count > 0
    others = np.concatenate(unmarked) if unmarked else np.empty(0, np.float32)
    unmarked.clear()  # they can be large
    others.sort()
    if not regions or not len(others):
        raise DataError("the masks mark no pixel, or all of them; masks are white where an image is unlike the known")
    above = [1 - np.searchsorted(others, region, side="left") / len(others) for region in regions]  # or equal
    strictly = [1 - np.searchsorted(others, region, side="right") / len(others) for region in regions]
    auroc = 1 - float(np.mean((np.concatenate(above) + np.concatenate(strictly)) / 2))
    return PixelFigures(auroc, float(np.mean([_overlap(one) for one in above])), images, len(regions))


def _overlap(above: Floats) -> float:
    """The mean share of a region's pixels above the threshold, over false positive rates from 0 to `LIMIT`."""
    return float(np.maximum(0, 1 - above / LIMIT).mean())
