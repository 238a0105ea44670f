"""PCA reconstruction error: an image that the known class's principal components cannot reconstruct is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn import decomposition
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.base.errors import ModelError, show
from lookalike.detect.baselines.flat import blocks, flat
from lookalike.detect.detector import Scores


class PCA:
    """A detector whose score is the reconstruction error of scikit-learn's PCA.

    Parameters
    ----------
    components : PCA
        The fitted components; see `fit`.
    """

    kind = "pca"
    paper = "scikit-learn-2011"
    side = None
    vectors = True
    most_images = None
    summary = (
        "Principal components of the known class's pixels; the score is the squared error of an image reconstructed "
        "from the first 32 components. Trains in seconds, and is hard to beat on aligned images."
    )
    most = 32

    def __init__(self, components: decomposition.PCA) -> None:
        self.components = components

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> PCA:
        """Return a detector with the first 32 components of known images, or fewer for few images.

        Of less than 64 pixels or entries, half as many are kept: with all of them any image is rebuilt.
        """
        x = flat(pixels)
        n = min(cls.most, len(x) - 1, max(1, x.shape[1] // 2))
        with np.errstate(invalid="ignore"):  # scikit-learn divides by the total variance, which may be 0
            fitted = decomposition.PCA(n_components=n, svd_solver="randomized", random_state=seed % 2**32).fit(x)
        # The same memory layout as after loading, so that scores are equal to the bit.
        fitted.components_ = np.ascontiguousarray(fitted.components_)
        return cls(fitted)

    def score(self, pixels: Pixels) -> Scores:
        """Return the sum of squared differences on [-1, 1]; the nearest image is the reconstruction."""
        x, pca = flat(pixels), self.components
        rebuilt = np.concatenate([pca.inverse_transform(pca.transform(block))[:n] for block, n in blocks(pixels)])
        images = None
        if pixels.ndim == 4:
            images = ((rebuilt + 1) * 127.5).round().clip(0, 255).astype(np.uint8).reshape(pixels.shape)
        return Scores(np.square(x - rebuilt).sum(1), {}, images)

    def tensors(self) -> dict[str, Tensor]:
        """Return the mean (F,) and the components (K, F), float64."""
        return {
            "mean": torch.from_numpy(self.components.mean_),
            "components": torch.from_numpy(self.components.components_),
        }

    def facts(self) -> dict[str, Any]:
        """Return the number of components."""
        return {"components": len(self.components.components_)}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> PCA:
        """Return the detector for images of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        n, entries = facts.get("components"), math.prod(shape)
        if set(facts) != {"components"} or type(n) is not int or not 1 <= n <= min(cls.most, entries):
            raise ModelError(f"pca has the settings {show(facts)}, not 1 to {cls.most} components; train again")
        sides = {"mean": (entries,), "components": (n, entries)}
        expected = {k: torch.empty(side, dtype=torch.float64, device="meta") for k, side in sides.items()}
        checkpoint.match(tensors, expected, cls.kind)
        components = decomposition.PCA(n_components=n)
        components.mean_, components.components_ = tensors["mean"].numpy(), tensors["components"].numpy()
        # scikit-learn's transform reads the variances too, though it does not whiten here.
        components.explained_variance_ = np.ones(len(components.components_))
        return cls(components)
