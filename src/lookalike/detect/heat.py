"""Heat maps: how unlike the known images the surroundings of each pixel are.

A detector that compares places gives its own. For one that offers its nearest image, as a GAN does, the map is the
difference of the pixels.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from scipy.ndimage import gaussian_filter

from lookalike.base.arrays import Pixels
from lookalike.base.errors import UsageError
from lookalike.detect.detector import Detector, Scores

SPREADS = 2.0, 8.0  # above the usual: up to the first the image stays clear, from the second on it is brightest
DIFFERENCE = 0.0, 0.5  # the same for differences of pixels, where 1 is from black to white
STRIP = 256  # rows
COVERS = 0.75  # of the image, where the map is brightest
SMOOTHED = 4 / 224  # the standard deviation with which maps are smoothed, as a share of the side (Roth et al. 2022)


@runtime_checkable
class Locates(Protocol):
    """A detector that compares places of images."""

    @property
    def locates(self) -> bool:
        """Whether this one does."""

    def locate(self, pixels: Pixels) -> tuple[Scores, Pixels]:
        """The scores, and float32 (N, H, W) smoothed maps; larger means less like the known images."""


def located(detector: Detector, pixels: Pixels) -> tuple[Scores, Pixels]:
    """The scores and heat maps of images (N, C, H, W) uint8.

    Raises
    ------
    UsageError
        Where the detector neither compares places nor offers its nearest image, and for vectors.
    """
    if isinstance(detector, Locates) and detector.locates:
        return detector.locate(pixels)
    if pixels.ndim != 4:
        raise UsageError("vectors have no places, and so no heat maps")
    said = detector.score(pixels)
    if said.nearest is None:
        raise UsageError(
            f"{detector.kind} does not say where an image is unlike the known ones; take auto, patches, knn or a GAN "
            "that searches"
        )
    difference = np.abs(pixels.astype(np.float32) - said.nearest).mean(1) / 255
    return said, smoothed(difference)


def shown(detector: Detector) -> tuple[float, float]:
    """The values of the detector's maps from which on a place has a colour, and is brightest."""
    return SPREADS if isinstance(detector, Locates) and detector.locates else DIFFERENCE


def overlaid(picture: Pixels, heat: Pixels, of: tuple[float, float]) -> Pixels:
    """uint8 (H, W, 3): an image (H, W, 1 or 3) uint8 with its map (H, W) over it, from clear over red to yellow."""
    over = np.empty((*heat.shape, 3), np.uint8)
    for row in range(0, len(heat), STRIP):  # of a large photograph the floats would take a gigabyte
        part = slice(row, row + STRIP)
        share = np.clip((heat[part] - of[0]) / (of[1] - of[0]), 0, 1)[..., None]
        colour = np.concatenate([np.full_like(share, 255), 255 * share, np.zeros_like(share)], 2)
        over[part] = picture[part] + COVERS * share * (colour - picture[part]) + 0.5
    return over


def smoothed(maps: Pixels) -> Pixels:
    """The root mean square of the surroundings of each pixel of maps (N, H, W), with the weights of a Gaussian.

    Values below 0, which are more usual than the usual, count as 0. In a plain mean they would hide a small defect
    beside them.
    """
    sigma = SMOOTHED * (maps.shape[1] * maps.shape[2]) ** 0.5
    squares = gaussian_filter(np.maximum(maps, 0) ** 2, sigma, axes=(1, 2))
    return np.asarray(np.sqrt(np.maximum(squares, 0)))
