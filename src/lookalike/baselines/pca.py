"""PCA reconstruction error: what the known class's principal components cannot reproduce is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn import decomposition
from torch import Tensor

from lookalike.data import scaled
from lookalike.errors import ModelError
from lookalike.use.score import Pixels, Scores


class PCA:
    """Reconstruction error with scikit-learn's PCA.

    Parameters
    ----------
    components : PCA
        Fitted; see `fit`.
    """

    kind = "pca"
    summary = (
        "Principal components of the known class's pixels; the score is the squared error of an image rebuilt "
        "from the first 32 components. Trains in seconds, and is hard to beat on aligned images."
    )

    def __init__(self, components: decomposition.PCA) -> None:
        self.components = components

    @classmethod
    def fit(cls, pixels: Pixels) -> PCA:
        """Fits the first 32 components (fewer where there are fewer images or pixels) to known images."""
        flat = _flat(pixels)
        most = min(32, len(flat) - 1, flat.shape[1])
        fitted = decomposition.PCA(n_components=most, svd_solver="randomized", random_state=0).fit(flat)
        # as it is read back, so that scores are bit-equal
        fitted.components_ = np.ascontiguousarray(fitted.components_)
        return cls(fitted)

    def score(self, pixels: Pixels) -> Scores:
        """Sum of squared differences between image and reconstruction, on [-1, 1]; the nearest image is the latter."""
        flat = _flat(pixels)
        rebuilt = self.components.inverse_transform(self.components.transform(flat))
        images = None
        if pixels.ndim == 4:
            images = ((rebuilt + 1) * 127.5).round().clip(0, 255).astype(np.uint8).reshape(pixels.shape)
        return Scores(np.square(flat - rebuilt).sum(1), {}, images)

    def tensors(self) -> dict[str, Tensor]:
        """Mean (F,) and components (K, F), float64."""
        return {
            "mean": torch.from_numpy(self.components.mean_),
            "components": torch.from_numpy(self.components.components_),
        }

    def facts(self) -> dict[str, Any]:
        """The number of components."""
        return {"components": len(self.components.components_)}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> PCA:
        """The detector that gave `tensors` and `facts`."""
        if set(tensors) != {"mean", "components"} or tensors["components"].shape[1:] != tensors["mean"].shape:
            raise ModelError("the model's tensors are not a PCA's (mean, components)")
        components = decomposition.PCA(n_components=facts["components"])
        components.mean_, components.components_ = tensors["mean"].numpy(), tensors["components"].numpy()
        # what transform reads besides; no whitening
        components.explained_variance_ = np.ones(len(components.components_))
        return cls(components)


def _flat(pixels: Pixels) -> Pixels:
    return scaled(pixels).reshape(len(pixels), -1).astype(np.float64)
