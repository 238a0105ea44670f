"""DICOM files by pydicom, the extra `dicom`: bytes in, one Pillow image out, which the gate reads like any other.

Grey values are rescaled as the file says. Its first window gives black and white, and values outside become these.
Where there is a value range, that counts instead; without either, values of more than 8 bits stay as they are, and the
gate asks for a range. Of several frames the first is used.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

FRAMES = "frames"  # in `Image.info`: their number


@cache
def reads_dicom() -> bool:
    """Return whether the extra `dicom` is installed."""
    return find_spec("pydicom") is not None


def is_dicom(head: bytes) -> bool:
    """Return whether a file begins so, with 132 bytes or more."""
    return head[128:132] == b"DICM"


def opened(file: BinaryIO, value_range: tuple[float, float] | None, most: int) -> Image.Image | tuple[int, int]:
    """Return the image in a DICOM file, or its (W, H) where it has more than `most` pixels; raises for a damaged one.

    The image has mode L or RGB, or F for values that still need a value range.
    """
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    data = dcmread(file)
    if "Rows" not in data or "Columns" not in data:
        raise ValueError("no image in it")
    height, width = int(data.Rows), int(data.Columns)
    if height * width > most:
        return width, height
    values = pixel_array(data, index=0)
    kind = str(data.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, data)
    if values.ndim == 3:
        image = Image.fromarray((values >> max(0, 8 * values.dtype.itemsize - 8)).astype(np.uint8))
    else:
        image = _grey(apply_modality_lut(values, data), data, value_range, inverted=kind == "MONOCHROME1")
    image.format = "DICOM"
    image.info[FRAMES] = int(data.get("NumberOfFrames") or 1)
    return image


def _grey(
    values: npt.NDArray[Any], data: Any, value_range: tuple[float, float] | None, *, inverted: bool
) -> Image.Image:
    """Return grey values as an image: of mode F with a value range, else as the window or the 8 bits say."""
    ends = value_range or _window(data)
    if ends is None and values.dtype == np.uint8:
        ends = 0.0, 255.0
    values = values.astype(np.float32)
    if ends is None:
        return Image.fromarray(values)
    low, high = ends
    values = low + high - values if inverted else values
    if value_range is not None:
        return Image.fromarray(values)
    return Image.fromarray(np.rint((values.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8))


def _window(data: Any) -> tuple[float, float] | None:
    """Return the values that are black and white in the first window of a file; None where it has none."""
    centre, width = data.get("WindowCenter"), data.get("WindowWidth")
    if centre is None or width is None:
        return None
    centre, width = (float(np.atleast_1d(np.asarray(one, np.float64))[0]) for one in (centre, width))
    return (centre - width / 2, centre + width / 2) if width > 0 else None
