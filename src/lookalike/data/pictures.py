"""One picture in any form that a Python user has: a file, its bytes, a PIL image or an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lookalike.base.errors import DataError, show
from lookalike.data import gate
from lookalike.data.source import Picture, Refused

ACCEPTED = "accepted are a path, the bytes of a file, a PIL image, and uint8 of shape (H, W), (H, W, 1) or (H, W, 3)"


def picture_of(given: object, value_range: gate.ValueRange | None = None) -> Picture:
    """Return the picture, uint8 (H, W, 1) when it is grey, else (H, W, 3); `value_range` is as for `gate.decode`.

    Raises
    ------
    DataError
        For a picture that cannot be read, and for anything else.
    """
    try:
        if isinstance(given, str | Path):
            return gate.decode(Path(given), value_range)
        if isinstance(given, bytes | bytearray | memoryview):
            return gate.decode(bytes(given), value_range)
        if isinstance(given, Image.Image):
            return Picture(gate.as_array(ImageOps.exif_transpose(given), value_range), given.format or "", given.mode)
    except Refused as error:
        name = f"{show(given)}: " if isinstance(given, str | Path) else "the picture cannot be read: "
        raise DataError(f"{name}{error}") from None
    if isinstance(given, np.ndarray) and given.dtype == np.uint8 and given.size:
        pixels = given[..., None] if given.ndim == 2 else given
        if pixels.ndim == 3 and pixels.shape[2] in (1, 3):
            return Picture(pixels, "", "L" if pixels.shape[2] == 1 else "RGB")
    what = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
    raise DataError(f"this is no picture: {show(what)}; {ACCEPTED}")
