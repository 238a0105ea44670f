"""Ten Gaussians on a circle, and what G should learn of them in theory (kplus1-2020, sections 2 and 4.1).

The densities are known, so that the distributions that the paper derives are too: K + 1's G learns the average of the
classes, as a GAN without classes does; Mode GAN's learns their pointwise maximum, normalised.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from lookalike.base.arrays import Floats
from lookalike.base.seeds import seed_of

CLASSES, RADIUS = 10, 2.0
RADIAL, TANGENTIAL = 0.25, 0.5  # standard deviations, as the authors' code passes them
EDGE, CELLS = 4.0, 40  # the histogram's square is [-EDGE, EDGE]^2
FINE = 8  # points a side at which a cell's density is averaged


def draw(each: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """(10 * each, 2) points and their classes."""
    random = np.random.default_rng(seed_of(seed, "circle"))
    out, along = (random.normal(0, scale, (CLASSES, each, 1)) for scale in (RADIAL, TANGENTIAL))
    outward, around = _axes()
    points = (RADIUS + out) * outward[:, None] + along * around[:, None]
    return points.reshape(-1, 2).astype(np.float32), np.repeat(np.arange(CLASSES), each)


def _axes() -> tuple[Floats, Floats]:
    """Unit vectors of each class, (10, 2): from the centre, and along the circle."""
    angle = 2 * math.pi * np.arange(CLASSES) / CLASSES
    outward = np.stack([np.cos(angle), np.sin(angle)], 1)
    return outward, outward[:, ::-1] * (-1, 1)


def densities(points: Floats) -> Floats:
    """(10, N) density of each class at points (N, 2)."""
    outward, around = _axes()
    radial = norm.pdf(points @ outward.T, RADIUS, RADIAL)
    return np.asarray((radial * norm.pdf(points @ around.T, 0, TANGENTIAL)).T)


def targets() -> dict[str, Floats]:
    """(40, 40) share of each cell: "real", the average of the classes, and "mode", their maximum (closed forms)."""
    edges = np.linspace(-EDGE, EDGE, CELLS * FINE + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    points = np.stack(np.meshgrid(middles, middles, indexing="ij"), -1).reshape(-1, 2)
    each = densities(points)
    return {"real": _cells(each.mean(0)), "mode": _cells(each.max(0))}


def _cells(density: Floats) -> Floats:
    mass = density.reshape(CELLS, FINE, CELLS, FINE).sum((1, 3))
    return np.asarray(mass / mass.sum())


def histogram(points: Floats) -> tuple[Floats, float]:
    """(40, 40) share of each cell of those points (N, 2) that lie in the square, and the share of those outside."""
    bins = np.linspace(-EDGE, EDGE, CELLS + 1)
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=(bins, bins))[0]
    inside = counts.sum()
    return counts / max(inside, 1), float(1 - inside / len(points))


def divergence(share: Floats, target: Floats) -> float:
    """Kullback-Leibler divergence of a histogram from a target that is 0 nowhere, in nats."""
    there = share > 0
    return float((share[there] * np.log(share[there] / target[there])).sum())
