"""Precision, recall, density and coverage of generated images (Kynkaanniemi et al. 2019; Naeem et al. 2020).

Each image has a ball whose radius reaches its k-th nearest neighbour of its own side. Precision: generated images in
some real ball; recall: real ones in some generated ball; density: how many real balls a generated image lies in, over
k; coverage: real balls that hold a generated image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]
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
    real, made = real - middle, made - middle
    real_ball, made_ball = _radii(real, k), _radii(made, k)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = np.zeros(len(made))  # how many real balls each made image lies in
    for rows in _blocks(len(made), len(real)):
        far = _far(made[rows], real).numpy()  # (B, N)
        within = far < real_ball
        inside[rows] = within.sum(1)
        covered |= within.any(0)
        recalled |= (far < made_ball[rows, None]).any(0)
    each = (inside > 0, recalled, inside / k, covered)
    return Overlap(
        Manifold(*(float(one.mean()) for one in each)),
        Manifold(*(float(one.std() / np.sqrt(len(one))) for one in each)),
    )


def _radii(features: Floats, k: int) -> Floats:
    """(N,) squared distance to the k-th nearest other row."""
    found = np.zeros(len(features))
    for rows in _blocks(len(features), len(features)):
        near = _far(features[rows], features).topk(k + 1, largest=False)  # the nearest is the row itself
        found[rows] = near.values[:, k].numpy()
    return found


def _blocks(n: int, m: int) -> Iterator[slice]:
    """n rows, some at a time: so many that their distances to m others fit."""
    size = max(1, CELLS // m)
    return (slice(start, start + size) for start in range(0, n, size))


def _far(one: Floats, other: Floats) -> Tensor:
    """(B, N) squared distances, by products: many times as fast as by differences."""
    x, y = (torch.from_numpy(np.ascontiguousarray(side, np.float64)) for side in (one, other))
    lengths = [torch.einsum("nd,nd->n", side, side) for side in (x, y)]
    return torch.addmm(lengths[1], x, y.T, alpha=-2).add_(lengths[0][:, None])
