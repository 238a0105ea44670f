"""Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020) of generated images.

Each image has a ball whose radius is the distance to its k-th nearest neighbour on its own side.

precision: share of the generated images that lie in a real image's ball.
recall: share of the real images that lie in a generated image's ball.
density: mean number of real balls that a generated image lies in, divided by k.
coverage: share of the real balls that hold a generated image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Floats

CELLS = 1_000_000  # distances in memory at one time; several blocks of this size exist together


class Manifold(NamedTuple):
    """Four figures in [0, 1], except for density, which may be above 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Overlap(NamedTuple):
    """The figures, and their standard errors over the images while the balls are fixed."""

    value: Manifold
    error: Manifold


def compare(real: Floats, made: Floats, k: int = 5) -> Manifold:
    """Return `overlap` without its errors."""
    return overlap(real, made, k).value


def overlap(real: Floats, made: Floats, k: int = 5) -> Overlap:
    """Return the four figures of features (N, D) and (M, D), each with more than k rows.

    The memory grows with N + M, not with N M.
    """
    middle = real.mean(0)  # centred, because products of large numbers round more
    reals, mades = _points(real - middle), _points(made - middle)
    real_ball, made_ball = _radii(reals, k), _radii(mades, k)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = np.zeros(len(made))  # the number of real balls that hold each generated image
    for rows in _blocks(len(made), len(real)):
        far = _far(mades, rows, reals).numpy()  # squared distances (B, N)
        within = far < real_ball
        inside[rows] = within.sum(1)
        covered |= within.any(0)
        recalled |= (far < made_ball[rows, None]).any(0)
    # Per image: precision and recall (equations 1 and 2 of Kynkaanniemi et al.), density and coverage (Naeem et al.)
    each = (inside > 0, recalled, inside / k, covered)
    return Overlap(
        Manifold(*(float(one.mean()) for one in each)),
        # the standard error of a mean over independent images
        Manifold(*(float(one.std() / np.sqrt(len(one))) for one in each)),
    )


class _Points(NamedTuple):
    """Features (N, D) and their squared lengths (N,)."""

    x: Tensor
    lengths: Tensor


def _points(features: Floats) -> _Points:
    x = torch.from_numpy(np.ascontiguousarray(features, np.float64))
    return _Points(x, torch.einsum("nd,nd->n", x, x))


def _radii(points: _Points, k: int) -> Floats:
    """Return squared distances (N,) to the k-th nearest other row."""
    n = len(points.x)
    found = np.zeros(n)
    for rows in _blocks(n, n):
        # k + 1 neighbours, because the nearest one is the row itself
        near = _far(points, rows, points).topk(k + 1, largest=False)
        found[rows] = near.values[:, k].numpy()
    return found


def _blocks(n: int, m: int) -> Iterator[slice]:
    """Yield slices of n rows, each so small that the distances of its rows to m others fit in memory."""
    size = max(1, CELLS // m)
    return (slice(start, start + size) for start in range(0, n, size))


def _far(one: _Points, rows: slice, other: _Points) -> Tensor:
    """Return squared distances (B, N) as |x|^2 + |y|^2 - 2 x . y, many times as fast as by differences."""
    return torch.addmm(other.lengths, one.x[rows], other.x.T, alpha=-2).add_(one.lengths[rows, None])
