"""The results of a score and of a latent search."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

Parts = dict[str, Tensor]  # by name, each (N, ...)
CONVERGED = "converged"  # part of a latent search: 1 where it ended before the most steps


@dataclass(frozen=True)
class Scored:
    """The scores of N images."""

    score: Tensor  # (N,) larger = less like the known classes
    parts: Parts = field(default_factory=dict)  # each (N,), the terms of the score and D's realness
    nearest: Tensor | None = None  # (N, *shape), the image of G that x was compared with
    classes: Tensor | None = None  # (N, K) D's probabilities of the classes, where it classifies


@dataclass(frozen=True)
class Found:
    """The result of a latent search: the best z of each of N images (vtgan-2021, eqs. 2 to 5)."""

    z: Tensor  # (N, Z) float32
    nearest: Tensor  # (N, *shape) float32, G(z)
    V: Tensor  # (N,) variation score, eq. 2
    R: Tensor  # (N,) residual loss, eq. 3
    L_D: Tensor  # (N,) feature loss, eq. 4
    realness: Tensor  # (N,) D's log-odds of real for the image itself
    classes: Tensor  # (N, K) D's probabilities of the classes; K is 0 where it does not classify
    steps: Tensor  # (N,) int64, Adam steps of the best start
    converged: Tensor  # (N,) bool, whether that start ended before the most steps
