"""What a score says of images, and what a latent search found for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

Parts = dict[str, Tensor]  # by name, each (N, ...)


@dataclass(frozen=True)
class Scored:
    """What a score says of N images."""

    score: Tensor  # (N,) larger = less like the known classes
    parts: Parts = field(default_factory=dict)  # each (N,), what the score is made of
    nearest: Tensor | None = None  # (N, *shape), the image of G that was compared
    classes: Tensor | None = None  # (N, K) D's probabilities of the classes, where it classifies


@dataclass(frozen=True)
class Found:
    """The end of a latent search: the best point of each of N images (vtgan-2021, eqs. 2 to 5)."""

    z: Tensor  # (N, Z) float32
    nearest: Tensor  # (N, *shape) float32, G(z)
    V: Tensor  # (N,) variation score, eq. 2
    R: Tensor  # (N,) residual loss, eq. 3
    L_D: Tensor  # (N,) feature loss, eq. 4
    realness: Tensor  # (N,) D's log-odds of real for the image itself
    classes: Tensor  # (N, K) D's probabilities of the classes; K is 0 where it names none
    steps: Tensor  # (N,) int64, Adam steps of the best start
