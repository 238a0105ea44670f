"""The gradient penalty on D (Gulrajani et al. 2017; splitting-gan-2017, section 2): its slope is to be 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lookalike.game.batch import Batch
from lookalike.game.discriminator import Discriminator


@dataclass(frozen=True)
class GradientPenalty:
    """weight * mean (|grad D(x)| - 1)^2 at points x between real and fake images.

    Parameters
    ----------
    weight : float
        lambda; 10 as published.
    """

    weight: float = 10.0
    name = "penalty"

    def __str__(self) -> str:
        return f"gradient penalty of weight {self.weight:g}"

    def of(self, discriminator: Discriminator, shown: Sequence[Batch], random: torch.Generator) -> Tensor:
        """A scalar: of as many pairs as there are of a real and a fake image, each mixed uniformly."""
        real, fake = ([b for b in shown if b.real is verdict] for verdict in (True, False))
        one, other = (torch.cat([b.x for b in group]) for group in (real, fake))
        n = min(len(one), len(other))
        other, rows = other[_drawn(len(other), n, random)], _drawn(len(one), n, random)
        one = one[rows]
        mix = torch.rand(n, *[1] * (one.ndim - 1), generator=random).to(one)
        x = (mix * one + (1 - mix) * other).requires_grad_()
        y = None if any(b.y is None for b in real) else torch.cat([b.y for b in real if b.y is not None])[rows]
        realness = discriminator(Batch(x, y, None, None)).realness
        (slope,) = torch.autograd.grad(realness.sum(), x, create_graph=True)
        length = torch.linalg.vector_norm(slope.flatten(1), dim=1)  # its gradient at 0 is 0
        penalty: Tensor = self.weight * (length - 1).square().mean()
        return penalty


def _drawn(size: int, n: int, random: torch.Generator) -> Tensor | slice:
    """All rows in their order, or n of them at random, so that each of several groups is met."""
    return slice(None) if size == n else torch.randperm(size, generator=random)[:n]
