"""The samples of the estimators, rows of numbers or images of any dtype, as `Images` and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from lookalike.base.arrays import Pixels
from lookalike.base.errors import DataError, UsageError, show
from lookalike.data import Images
from lookalike.faces.given import samples

KNOWN = "known"
FAR = 10  # times
FEW = 10  # vectors


class Rows(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators. It checks samples as scikit-learn does, and scales them."""

    image_shape: tuple[int, ...] | None
    settings: dict[str, Any] | None
    shape_: tuple[int, ...]

    def _rows(self, X: npt.ArrayLike, *, reset: bool) -> npt.NDArray[Any]:
        """X, checked as scikit-learn does; images have the shape (N, H, W, C)."""
        X = samples(X)
        if _dimensions(X) <= 2:
            if not reset and self.shape_ and self.image_shape is None:
                one = "one image as X[None]" if np.shape(X) in (self.shape_, self.shape_[:2]) else "such"
                raise DataError(f"X holds flat rows; the detector was fitted on images of {self.shape_}; give {one}")
            rows: npt.NDArray[Any] = validate_data(
                self, X, reset=reset, ensure_min_samples=2 if reset else 1, dtype="numeric"
            )
            if reset:
                self.shape_ = () if self.image_shape is None else self._sides(rows.shape[1])
            return rows.reshape(len(rows), *self.shape_) if self.shape_ else rows
        if self.image_shape is not None:
            raise UsageError(f"image_shape is for flat rows, and X has the shape {np.shape(X)}; leave image_shape out")
        images = check_array(X, allow_nd=True, ensure_min_samples=2 if reset else 1, dtype="numeric")
        images = images[..., None] if images.ndim == 3 else images
        if images.ndim != 4 or images.shape[3] not in (1, 3):
            first = np.ndim(X) == 4 and np.shape(X)[1] in (1, 3)
            hint = "; they look channels-first: give numpy.moveaxis(X, 1, -1)" if first else ""
            raise DataError(
                f"X has the shape {np.shape(X)}; (N, F), (N, H, W) and (N, H, W, 1 or 3) are accepted{hint}"
            )
        if reset:
            self.n_features_in_ = int(np.prod(images.shape[1:]))
            self.shape_ = images.shape[1:]
        elif images.shape[1:] != self.shape_:
            fitted = f"images of {self.shape_}" if self.shape_ else "vectors"
            one = "one image as X[None]" if np.shape(X) == self.shape_ else "such"
            raise DataError(f"X holds images of {images.shape[1:]}; the detector was fitted on {fitted}; give {one}")
        return np.asarray(images)

    def _own(self, **own: str) -> dict[str, Any]:
        """`settings` as a new dict. Raises UsageError for one that `own` names, with where it is said instead."""
        given = dict(self.settings or {})
        for name, value in given.items():
            if name in own and value is not None:
                raise UsageError(f"settings: {name} {own[name]}; leave it out of settings")
        return given

    def _sides(self, features: int) -> tuple[int, int, int]:
        """`image_shape` as (H, W, C)."""
        given = tuple(self.image_shape or ())
        sides = (*given, 1) if len(given) == 2 else given
        if len(sides) != 3 or sides[2] not in (1, 3) or np.prod(sides) != features:
            raise UsageError(
                f"image_shape {show(self.image_shape)} does not fit rows of {features} entries; (H, W) or (H, W, C) "
                "with that many entries is accepted, where C is 1 or 3"
            )
        return sides[0], sides[1], sides[2]

    def _set_range(self, rows: npt.NDArray[Any]) -> None:
        """Sets what becomes -1 and 1: the range of these rows; and their usual size."""
        self.low_: Any
        self.high_: Any
        self.scale_ = 255.0 if rows.ndim == 4 and rows.dtype == np.uint8 else _scale(rows)
        if rows.ndim == 4 and rows.dtype == np.uint8:
            self.low_, self.high_ = 0.0, 255.0
        elif rows.ndim == 4:
            self.low_, self.high_ = float(rows.min()), float(rows.max())
        else:
            self.low_, self.high_ = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)

    def _scale_remark(self, rows: npt.NDArray[Any]) -> str | None:
        """A line where samples are on quite another scale than those of `fit`; a few vectors may only be odd."""
        if (rows.ndim == 4 and rows.dtype == np.uint8 and self.scale_ == 255) or (rows.ndim == 2 and len(rows) < FEW):
            return None
        here = _scale(rows)
        if not here or not self.scale_ or self.scale_ / FAR < here < self.scale_ * FAR:
            return None
        return (
            f"the values of X go up to about {here:.3g}, and those of fit to about {self.scale_:.3g}; if these are two "
            "scales, such as 0 to 1 and 0 to 255, the scores mean nothing: give X on that of fit"
        )

    def _images(
        self, rows: npt.NDArray[Any], labels: npt.NDArray[np.int64] | None = None, classes: tuple[str, ...] = (KNOWN,)
    ) -> Images:
        """Rows as `Images`: vectors scaled by feature to [-1, 1], pixels to 0..255. A constant feature is the least."""
        span = np.where(np.asarray(self.high_) > self.low_, np.asarray(self.high_) - self.low_, 1.0)
        share = (rows.astype(np.float64) - self.low_) / span
        pixels: Pixels
        if rows.ndim == 4:
            pixels = np.ascontiguousarray(np.rint(share * 255).clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2))
        else:
            pixels = (2 * share - 1).astype(np.float32)
        labels = np.zeros(len(rows), np.int64) if labels is None else labels
        return Images(pixels, labels, classes, tuple(f"{i:05d}" for i in range(len(rows))))

    def _back(self, pixels: Pixels, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Pixels (N, C, H, W) uint8 or vectors (N, F) in [-1, 1], on the scale and in the dtype of the samples."""
        share = pixels.transpose(0, 2, 3, 1) / 255 if pixels.ndim == 4 else (pixels.astype(np.float64) + 1) / 2
        values = self.low_ + share * (np.asarray(self.high_) - self.low_)
        return np.asarray((values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype))


def _scale(rows: npt.NDArray[Any]) -> float:
    """The median of the samples' largest absolute values, which a few odd samples do not move."""
    return float(np.median(np.abs(rows.reshape(len(rows), -1).astype(np.float64)).max(axis=1)))


def _dimensions(X: Any) -> int:
    """Number of dimensions of anything array-like; sparse matrices and data frames have the attribute."""
    return int(X.ndim if isinstance(getattr(X, "ndim", None), int) else np.asarray(X).ndim)
