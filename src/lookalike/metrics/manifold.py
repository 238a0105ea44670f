"""Precision, recall, density and coverage of generated images (Kynkaanniemi et al. 2019; Naeem et al. 2020).

Each image has a ball whose radius reaches its k-th nearest neighbour of its own side. Precision: generated images in
some real ball; recall: real ones in some generated ball; density: how many real balls a generated image lies in, over
k; coverage: real balls that hold a generated image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float64]
BLOCK = 512  # rows compared at once


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
    """Of features (N, D) and (M, D), each with more than k rows, in memory that grows with N + M alone."""
    real_ball, made_ball = _radii(real, k), _radii(made, k)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = np.zeros(len(made))  # how many real balls each made image lies in
    for start in range(0, len(made), BLOCK):
        rows = slice(start, start + BLOCK)
        far = _far(made[rows], real)  # (B, N)
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
    """(N,) distance to the k-th nearest other row."""
    blocks = (_far(features[i : i + BLOCK], features) for i in range(0, len(features), BLOCK))
    return np.concatenate([np.partition(far, k, axis=1)[:, k] for far in blocks])  # the first is the row itself


def _far(one: Floats, other: Floats) -> Floats:
    first, second = (torch.from_numpy(np.ascontiguousarray(side, np.float64)) for side in (one, other))
    return np.asarray(torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist").numpy())
