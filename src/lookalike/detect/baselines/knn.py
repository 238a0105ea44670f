"""k nearest neighbours: the score of an image is its distance to the k-th nearest known training image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import ModelError, show
from lookalike.detect.baselines.flat import blocks, flat
from lookalike.detect.detector import Scores


class KNN:
    """A detector by the Euclidean distance to the fifth nearest training image, with scikit-learn.

    Parameters
    ----------
    known : ndarray
        (N, C, H, W) uint8 or (N, F) float32, the training images; they are part of the model.
    """

    kind = "knn"
    paper = "scikit-learn-2011"
    side = None
    vectors = True
    most_images = None
    summary = (
        "The distance to the fifth nearest training image of the known class, on raw pixels. Nothing is trained "
        "and there is no randomness; the model file holds the training images themselves."
    )
    neighbours = 5

    def __init__(self, known: Pixels) -> None:
        self.known = known
        self.index = NearestNeighbors(n_neighbors=min(self.neighbours, len(known)), algorithm="brute").fit(flat(known))

    @classmethod
    def fit(cls, pixels: Pixels, _seed: int) -> KNN:
        """Return a detector that holds the known images; nothing is random."""
        return cls(pixels)

    @classmethod
    def fit_left_out(cls, pixels: Pixels, _seed: int, groups: Labels | None = None) -> tuple[KNN, Floats]:
        """The detector of known images, and the distance (N,) of each to its k-th nearest among the others.

        With `groups` (N,) the others are the images of other groups.
        """
        made = cls(pixels)
        if groups is not None:
            score = np.empty(len(pixels))
            for group in np.unique(groups):
                score[groups == group] = cls(pixels[groups != group]).score(pixels[groups == group]).score
            return made, score
        near = min(cls.neighbours, len(pixels) - 1)
        distance, _ = made.index.kneighbors(n_neighbors=near)  # without an argument, no image is its own neighbour
        return made, distance[:, -1].astype(np.float64)

    def score(self, pixels: Pixels) -> Scores:
        """Return the distance to the k-th nearest image, on [-1, 1]; the nearest image is the first neighbour."""
        found = [[part[:n] for part in self.index.kneighbors(x)] for x, n in blocks(pixels)]
        distance, row = (np.concatenate(parts) for parts in zip(*found, strict=True))
        nearest = self.known[row[:, 0]] if pixels.ndim == 4 else None
        return Scores(distance[:, -1].astype(np.float64), {}, nearest)

    def tensors(self) -> dict[str, Tensor]:
        """Return the training images."""
        return {"known": torch.from_numpy(np.ascontiguousarray(self.known))}

    def facts(self) -> dict[str, Any]:
        """Return the number of neighbours."""
        return {"neighbours": self.neighbours}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> KNN:
        """Return the detector for images of `shape` that gave `tensors` and `facts`; raises ModelError otherwise."""
        if facts != {"neighbours": cls.neighbours}:
            raise ModelError(f"knn has the settings {show(facts)}, not neighbours {cls.neighbours}; train again")
        n = max([1, *(len(tensor) for tensor in tensors.values() if tensor.ndim)])
        dtype = torch.uint8 if len(shape) == 3 else torch.float32
        checkpoint.match(tensors, {"known": torch.empty(n, *shape, dtype=dtype, device="meta")}, cls.kind)
        return cls(tensors["known"].numpy())
