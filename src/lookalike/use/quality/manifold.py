"""Precision, recall, density and coverage of generated images (Kynkaanniemi et al. 2019; Naeem et al. 2020).

Each image has a ball whose radius reaches its k-th nearest neighbour of its own side. Precision: generated images in
some real ball; recall: real ones in some generated ball; density: how many real balls a generated image lies in, over
k; coverage: real balls that hold a generated image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Floats

CELLS = 1_000_000  # distances held at once: several such blocks live side by side


class Manifold(NamedTuple):
    """Shares, density aside, which may be above 1."""

    precision: float
    recall: float
    density: float
    coverage: float


class Overlap(NamedTuple):
    """The shares, and their standard errors over images, the balls held as they are."""

    value: Manifold
    error: Manifold


def compare(real: Floats, made: Floats, k: int = 5) -> Manifold:
    """`overlap` without its errors."""
    return overlap(real, made, k).value


def overlap(real: Floats, made: Floats, k: int = 5) -> Overlap:
    """Of features (N, D) and (M, D), each with more than k rows, in memory that grows with N + M at most."""
    middle = real.mean(0)  # far from 0 products would round
    reals, mades = _points(real - middle), _points(made - middle)
    real_ball, made_ball = _radii(reals, k), _radii(mades, k)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = np.zeros(len(made))  # how many real balls each made image lies in
    for rows in _blocks(len(made), len(real)):
        far = _far(mades, rows, reals).numpy()  # (B, N)
        within = far < real_ball
        inside[rows] = within.sum(1)
        covered |= within.any(0)
        recalled |= (far < made_ball[rows, None]).any(0)
    each = (inside > 0, recalled, inside / k, covered)
    return Overlap(
        Manifold(*(float(one.mean()) for one in each)),
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
    """(N,) squared distance to the k-th nearest other row."""
    n = len(points.x)
    found = np.zeros(n)
    for rows in _blocks(n, n):
        near = _far(points, rows, points).topk(k + 1, largest=False)  # the nearest is the row itself
        found[rows] = near.values[:, k].numpy()
    return found


def _blocks(n: int, m: int) -> Iterator[slice]:
    """n rows, some at a time: so many that their distances to m others fit."""
    size = max(1, CELLS // m)
    return (slice(start, start + size) for start in range(0, n, size))


def _far(one: _Points, rows: slice, other: _Points) -> Tensor:
    """(B, N) squared distances of some rows, by products: many times as fast as by differences."""
    return torch.addmm(other.lengths, one.x[rows], other.x.T, alpha=-2).add_(one.lengths[rows, None])
