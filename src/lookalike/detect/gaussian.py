"""A Gaussian with a shrunk covariance over vectors, by the smaller of two matrices: of vectors or of their entries.

N known vectors of length D have N x N products with each other, and their D entries and a one D + 1 x D + 1. Both
give the same distances (Woodbury's identity), so D can be far above N, and N far above D. Leave-one-out values come in
closed form, so every known vector has a part in the Gaussian and still gets an honest distance (Rasmussen and Williams
2006, section 5.4.2). So do the values that leave out a whole group of vectors.
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
    added : ndarray
        (2,) float64: what the shrinkage adds to the diagonal, and the unknown mean to every product.
    by : ByVectors or ByEntries
        The inverse of the smaller matrix; it follows from the others.
    """

    known: Pixels
    mean: Pixels
    added: Floats
    by: ByVectors | ByEntries

    @classmethod
    def fit(cls, vectors: Pixels, shrinkage: float) -> ShrunkGaussian:
        """The Gaussian of vectors (N, D) float32, N at least 2; `shrinkage` is above 0."""
        mean = vectors.mean(0)
        known = (vectors - mean).astype(np.float16)
        total = sum(float((part.astype(np.float64) ** 2).sum()) for part in known)
        total = max(total, 1e-12)  # where all are equal any other is infinitely far, nearly
        return cls._of(known, mean, np.array([shrinkage * total / len(known), MEAN * total]))

    @classmethod
    def _of(cls, known: Pixels, mean: Pixels, added: Floats) -> ShrunkGaussian:
        n, length = known.shape
        return cls(known, mean, added, (ByEntries if length + 1 < n else ByVectors).of(known, added))

    def left_out(self, groups: Labels) -> Floats:
        """(N,) squared distances of the known vectors, each by the Gaussian of all of other `groups` (N,)."""
        return self.by.left_out(groups)

    def left_out_residuals(self, groups: Labels) -> Pixels:
        """(N, D) float32: each known vector less what all of other `groups` (N,) say of it; see `residuals`."""
        return self.by.left_out_residuals(groups)

    def residuals(self, vectors: Pixels) -> Pixels:
        """(M, D) float32: what of the vectors (M, D), less the mean, the known ones do not explain (ridge regression).

        Its squared length is the part of the squared distance that lies in the entries of the vector.
        """
        return self.by.residuals(vectors - self.mean)

    def distances(self, vectors: Pixels) -> Floats:
        """(M,) squared Mahalanobis distances of vectors (M, D) float32, times the variance that the shrinkage adds."""
        return self.by.distances(vectors - self.mean)

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


@dataclass(frozen=True)
class ByVectors:
    """The known vectors and the inverse (N, N) float64 of their products, with what is added; vectors are centred."""

    known: Pixels
    added: Floats
    inverse: Floats

    @classmethod
    def of(cls, known: Pixels, added: Floats) -> ByVectors:
        """By known vectors (N, D) float16; `added` is that of `ShrunkGaussian`."""
        wide = known.astype(np.float32)
        products = (wide @ wide.T).astype(np.float64)
        return cls(known, added, np.linalg.inv(products + added[1] + added[0] * np.eye(len(known))))

    def left_out(self, groups: Labels) -> Floats:
        """See `ShrunkGaussian`."""
        found = np.empty(len(self.known))
        for rows in _members(groups):
            found[rows] = np.diag(np.linalg.inv(self.inverse[np.ix_(rows, rows)])) - self.added[0]
        return found

    def left_out_residuals(self, groups: Labels) -> Pixels:
        """See `ShrunkGaussian`."""
        inverse = np.empty_like(self.inverse)
        for rows in _members(groups):
            inverse[rows] = np.linalg.solve(self.inverse[np.ix_(rows, rows)], self.inverse[rows])
        return np.asarray(inverse.astype(np.float32) @ self.known.astype(np.float32))

    def residuals(self, centred: Pixels) -> Pixels:
        """See `ShrunkGaussian`."""
        known = self.known.astype(np.float32)
        shares = (self.inverse @ self._products(known, vector) for vector in centred)
        return np.array(
            [vector - each.astype(np.float32) @ known for vector, each in zip(centred, shares, strict=True)]
        )

    def distances(self, centred: Pixels) -> Floats:
        """See `ShrunkGaussian`."""
        known, found = self.known.astype(np.float32), []
        for vector in centred:  # one by one, so that bits do not depend on the others
            products = self._products(known, vector)
            own = (vector.astype(np.float64) ** 2).sum() + self.added[1]
            found.append(own - products @ (self.inverse @ products))
        return np.array(found)

    def _products(self, known: Pixels, vector: Pixels) -> Floats:
        return np.asarray((known @ vector).astype(np.float64) + self.added[1])


@dataclass(frozen=True)
class ByEntries:
    """The known vectors and the inverse (D + 1, D + 1) float64 of their entries' products; vectors are centred.

    The last entry of every vector is the root of what the unknown mean adds.
    """

    known: Pixels
    added: Floats
    inverse: Floats

    @classmethod
    def of(cls, known: Pixels, added: Floats) -> ByEntries:
        """By known vectors (N, D) float16; `added` is that of `ShrunkGaussian`."""
        rows = _with_last(known, added)
        return cls(known, added, np.linalg.inv(rows.T @ rows + added[0] * np.eye(rows.shape[1])))

    def left_out(self, groups: Labels) -> Floats:
        """See `ShrunkGaussian`."""
        found = np.empty(len(self.known))
        for rows, explained, _ in self._explained(groups):
            found[rows] = self.added[0] * (np.diag(np.linalg.inv(np.eye(len(rows)) - explained)) - 1)
        return found

    def left_out_residuals(self, groups: Labels) -> Pixels:
        """See `ShrunkGaussian`."""
        found = np.empty(self.known.shape, np.float32)
        for rows, explained, solved in self._explained(groups):
            found[rows] = self.added[0] * np.linalg.solve(np.eye(len(rows)) - explained, solved)[:, :-1]
        return found

    def residuals(self, centred: Pixels) -> Pixels:
        """See `ShrunkGaussian`."""
        rows = _with_last(centred, self.added)
        return np.array([self.added[0] * (self.inverse @ row)[:-1] for row in rows], np.float32)

    def distances(self, centred: Pixels) -> Floats:
        """See `ShrunkGaussian`."""
        rows = _with_last(centred, self.added)
        return np.array([self.added[0] * (row @ (self.inverse @ row)) for row in rows])

    def _explained(self, groups: Labels) -> Iterator[tuple[Labels, Floats, Floats]]:
        """Of each group the rows, the part of their products (n, n) that all known vectors explain, and what solves."""
        every = _with_last(self.known, self.added)
        solved = every @ self.inverse
        for rows in _members(groups):
            yield rows, solved[rows] @ every[rows].T, solved[rows]


def _with_last(vectors: Pixels, added: Floats) -> Floats:
    """(M, D + 1) float64: vectors (M, D), and the entry that stands for the mean."""
    last = np.full((len(vectors), 1), added[1] ** 0.5)
    return np.hstack([vectors.astype(np.float64), last])


def _members(groups: Labels) -> Iterator[Labels]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
