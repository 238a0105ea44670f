"""A Gaussian with a shrunk covariance over long vectors, by the products of the N known vectors with each other.

The vectors can be far longer than N: all work is on matrices (N, N). Leave-one-out values come in closed form, so every
known vector has a part in the Gaussian and still gets an honest distance (Rasmussen and Williams 2006, section 5.4.2).
So do the values that leave out a whole group of vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lookalike.base import checkpoint
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import ModelError, show

MEAN = 10.0  # variance of the unknown mean, in units of the total variance of the known vectors


@dataclass(frozen=True)
class ShrunkGaussian:
    """The Gaussian of N known vectors of length D: their covariance, and a share of its mean variance in all ways.

    Parameters
    ----------
    known : ndarray
        (N, D) float16, the known vectors less their mean.
    mean : ndarray
        (D,) float32.
    inverse : ndarray
        (N, N) float64, the inverse of their products, with what the unknown mean and the shrinkage add.
    added : ndarray
        (2,) float64: what the shrinkage adds to the diagonal, and the unknown mean to every product.
    """

    known: Pixels
    mean: Pixels
    inverse: Floats
    added: Floats

    @classmethod
    def fit(cls, vectors: Pixels, shrinkage: float) -> ShrunkGaussian:
        """The Gaussian of vectors (N, D) float32, N at least 2; `shrinkage` is above 0."""
        mean = vectors.mean(0)
        known = (vectors - mean).astype(np.float16)
        wide = known.astype(np.float32)
        products = (wide @ wide.T).astype(np.float64)
        total = max(float(np.trace(products)), 1e-12)  # where all are equal any other is infinitely far, nearly
        return cls._of(known, mean, np.array([shrinkage * total / len(known), MEAN * total]))

    @classmethod
    def _of(cls, known: Pixels, mean: Pixels, added: Floats) -> ShrunkGaussian:
        """With the inverse, which follows from the others and is as large as N x N."""
        wide = known.astype(np.float32)
        products = (wide @ wide.T).astype(np.float64)
        return cls(known, mean, np.linalg.inv(products + added[1] + added[0] * np.eye(len(known))), added)

    def left_out(self, groups: Labels) -> Floats:
        """(N,) squared distances of the known vectors, each by the Gaussian of all of other `groups` (N,)."""
        found = np.empty(len(self.known))
        for rows in _members(groups):
            found[rows] = np.diag(np.linalg.inv(self.inverse[np.ix_(rows, rows)])) - self.added[0]
        return found

    def left_out_residuals(self, groups: Labels) -> Pixels:
        """(N, D) float32: each known vector less what all of other `groups` (N,) say of it; see `residuals`."""
        inverse = np.empty_like(self.inverse)
        for rows in _members(groups):
            inverse[rows] = np.linalg.solve(self.inverse[np.ix_(rows, rows)], self.inverse[rows])
        return np.asarray(inverse.astype(np.float32) @ self.known.astype(np.float32))

    def residuals(self, vectors: Pixels) -> Pixels:
        """(M, D) float32: what of the vectors (M, D), less the mean, the known ones do not explain (ridge regression).

        Its squared length is the part of the squared distance that lies in the entries of the vector.
        """
        known = self.known.astype(np.float32)
        found = []
        for vector in vectors - self.mean:
            products = (known @ vector).astype(np.float64) + self.added[1]
            found.append(vector - (self.inverse @ products).astype(np.float32) @ known)
        return np.array(found)

    def distances(self, vectors: Pixels) -> Floats:
        """(M,) squared Mahalanobis distances of vectors (M, D) float32, times the variance that the shrinkage adds."""
        known = self.known.astype(np.float32)
        found = []
        for vector in vectors - self.mean:  # one by one, so that bits do not depend on the others
            products = (known @ vector).astype(np.float64) + self.added[1]
            own = (vector.astype(np.float64) ** 2).sum() + self.added[1]
            found.append(own - products @ (self.inverse @ products))
        return np.array(found)

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name, without the inverse."""
        stored = {"known": self.known, "mean": self.mean, "added": self.added}
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in stored.items()}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], length: int, what: str) -> ShrunkGaussian:
        """From what `tensors` gave, for vectors of a length; raises ModelError for anything else."""
        n = len(tensors["known"]) if "known" in tensors and tensors["known"].ndim else 1
        shapes = {
            "known": torch.empty(n, length, dtype=torch.float16, device="meta"),
            "mean": torch.empty(length, dtype=torch.float32, device="meta"),
            "added": torch.empty(2, dtype=torch.float64, device="meta"),
        }
        checkpoint.match(tensors, shapes, what)
        known, mean, added = (tensors[name].numpy() for name in shapes)
        if n < 2 or not (np.isfinite(added).all() and (added > 0).all()):
            raise ModelError(f"{what} has {n} known images, or adds {show(added.tolist())}; train again")
        return cls._of(known, mean, added)


def _members(groups: Labels) -> Iterator[Labels]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
