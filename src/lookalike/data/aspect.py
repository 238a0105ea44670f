"""How an image of one aspect fills a size of another: squashed, cropped or padded, and a map of it back again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.base.names import Aspect

SAID = {"squash": "", "crop": ", cropped to its aspect", "pad": ", padded to its aspect"}  # after the size that is read


def seen(own: tuple[int, int], size: tuple[int, int], aspect: Aspect) -> tuple[float, float]:
    """Height and width, in pixels of an image of `own` size, of the centred part that fills `size` (H, W).

    It is the whole image where it is squashed, less where it is cropped, and more than the image where it is padded.
    """
    if aspect == "squash":
        return own
    scales = own[0] / size[0], own[1] / size[1]
    if aspect == "pad":
        return max(scales) * size[0], max(scales) * size[1]
    return min(own[0], min(scales) * size[0]), min(own[1], min(scales) * size[1])  # rounding must not pass the edge


def fitted(image: Image.Image, size: tuple[int, int], aspect: Aspect) -> Image.Image:
    """The image at `size` (H, W), bilinear with antialiasing.

    Padding repeats the image's edge. A grey or black border would be an edge that no known image has.
    """
    own = image.height, image.width
    height, width = seen(own, size, aspect)
    if aspect == "pad":
        inner = max(1, round(size[0] * own[0] / height)), max(1, round(size[1] * own[1] / width))
        return _padded(image.resize((inner[1], inner[0]), Image.Resampling.BILINEAR), size)
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=_centred(own, (height, width)))


def unfitted(heat: npt.NDArray[Any], own: tuple[int, int], aspect: Aspect) -> npt.NDArray[Any]:
    """float32, a map (H, W) of a fitted image, over the image of `own` size. What was cut off has the map's minimum."""
    size = heat.shape[0], heat.shape[1]
    height, width = seen(own, size, aspect)
    inside = min(1.0, own[0] / height) * size[0], min(1.0, own[1] / width) * size[1]  # without padding
    there = max(1, min(own[0], round(height))), max(1, min(own[1], round(width)))  # without what was cut off
    part = Image.fromarray(heat).resize((there[1], there[0]), Image.Resampling.BILINEAR, box=_centred(size, inside))
    found = np.full(own, heat.min(), heat.dtype)
    top, left = (own[0] - there[0]) // 2, (own[1] - there[1]) // 2
    found[top : top + there[0], left : left + there[1]] = np.asarray(part)
    return found


def _centred(own: tuple[int, int], part: tuple[float, float]) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of a centred part (H, W) of an image of `own` size."""
    top, left = (own[0] - part[0]) / 2, (own[1] - part[1]) / 2
    return left, top, left + part[1], top + part[0]


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image in the middle of `size` (H, W), with its edge repeated around it."""
    pixels = np.asarray(image)
    missing = [to - there for to, there in zip(size, pixels.shape[:2], strict=True)]
    around = [(n // 2, n - n // 2) for n in missing] + [(0, 0)] * (pixels.ndim - 2)
    return Image.fromarray(np.pad(pixels, around, mode="edge"))
