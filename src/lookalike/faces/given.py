"""What a Python user gives as samples: arrays, data frames, `Images`, or pictures of Pillow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from lookalike.base.errors import DataError, UsageError, show
from lookalike.data import Images
from lookalike.data.gate import as_array
from lookalike.data.source import Refused


def samples(X: Any) -> Any:
    """X itself, or the array of `Images` or of a list of pictures: (N, H, W, C) uint8, or (N, F) float32 vectors.

    A column of pandas or Polars is a list; their data frames are left to scikit-learn.

    Raises
    ------
    UsageError
        For paths, and a picture that is not in a list.
    DataError
        For pictures of several sizes, or ones without black and white.
    """
    if isinstance(X, Images):
        return X.pixels.transpose(0, 2, 3, 1) if X.pixels.ndim == 4 else X.pixels
    if isinstance(X, Image.Image):
        raise UsageError("X is one picture; give a list of pictures, such as [picture]")
    if isinstance(X, str | os.PathLike):
        raise UsageError(f"X is the path {show(X)}; read it: lookalike.read({show(repr(os.fspath(X)))})")
    X = X.to_list() if hasattr(X, "to_list") else X
    first = X[0] if isinstance(X, Sequence | np.ndarray) and len(X) and not np.isscalar(X) else None
    if isinstance(first, str | os.PathLike) and not isinstance(X, np.ndarray):
        raise UsageError(f"X holds text such as {show(first, 60)}; give numbers, or read files: lookalike.read(FOLDER)")
    return _array(list(X)) if isinstance(first, Image.Image) else X


def _array(pictures: list[Image.Image]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(N, H, W, 1 or 3) uint8, of which all have colour where one has, as files of them are read."""
    try:
        arrays = [as_array(picture, None) for picture in pictures]
    except Refused as error:
        raise DataError(f"pictures: {error}") from None
    if len(sizes := {array.shape[:2] for array in arrays}) > 1:
        two = " and ".join(f"{height} x {width}" for height, width in sorted(sizes)[:2])
        raise DataError(f"the pictures have different sizes, such as {two}; resize them to one: picture.resize((W, H))")
    channels = max(array.shape[2] for array in arrays)
    return np.stack([np.broadcast_to(array, (*array.shape[:2], channels)) for array in arrays])
