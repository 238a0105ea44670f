"""Near-duplicates: images that show the same after a new compression, at another size, or a little brighter.

An image is reduced to cells of grey, whose pattern counts and not their brightness or contrast. Two images are near
duplicates where the patterns correlate almost perfectly. Photographs that a fixed camera takes of equal things do too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.spatial import KDTree

from lookalike.base.arrays import Pixels

CELLS = 16  # along each side
ALIKE = 0.995  # correlation
DIRECTIONS, ASKED = 12, 6  # of the patterns' largest differences, by which so many images are found, then compared
Pattern = npt.NDArray[np.float16]


def pattern(pixels: Pixels) -> Pattern:
    """(256,) of length 1: an image (H, W, C) as cells of grey, less their mean; 0 for an image of one grey."""
    grey = Image.fromarray(pixels.astype(np.float32).mean(2))
    cells = np.asarray(grey.resize((CELLS, CELLS), Image.Resampling.BOX), np.float64).ravel()
    cells -= cells.mean()
    length = float(np.linalg.norm(cells))
    return np.asarray(cells / length if length > 0 else cells, np.float16)


def near_duplicates(patterns: Sequence[Pattern]) -> list[tuple[int, int]]:
    """Pairs (later, earlier) of images with nearly the same pattern: each image with the first one found, once.

    Those that the directions with the largest differences put nearest are compared, so no image is compared with all.
    """
    if len(patterns) < 2:
        return []
    rows = np.stack(patterns).astype(np.float32)
    centred = rows - rows.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    places = rows @ directions[:, -DIRECTIONS:]
    radius = (2 - 2 * ALIKE) ** 0.5  # of patterns that correlate so; the directions only bring them nearer
    near = KDTree(places).query(places, min(ASKED, len(rows)), distance_upper_bound=radius)[1]
    found = []
    for image, others in enumerate(near.tolist()):
        first = [other for other in others if other < image and float(rows[image] @ rows[other]) >= ALIKE]
        found += [(image, min(first))] if first else []
    return found
