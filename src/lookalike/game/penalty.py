"""What D's slope costs beside the losses: WGAN-GP's gradient penalty, and the zero-centred R1 and R2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lookalike.game.batch import Batch, Judged
from lookalike.game.discriminator import Discriminator
from lookalike.game.needs import Need, Needs, needs


class Penalty(Protocol):
    """A cost of D's slope, which is added to D's losses."""

    @property
    def name(self) -> str:
        """Name in the log; differs from the losses' names."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method."""

    def watches(self, batch: Batch) -> bool:
        """Whether it asks for D's slope at the images of this group, so that they must carry gradients."""

    def of(self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator) -> Tensor:
        """A scalar, of the groups that D judged in this update."""


@dataclass(frozen=True)
class GradientPenalty:
    """weight * mean (|grad D(x)| - 1)^2 between real and fake images (Gulrajani et al. 2017; splitting-gan-2017, 2).

    Parameters
    ----------
    weight : float
        lambda; 10 as published.
    """

    weight: float = 10.0
    name = "penalty"
    needs = needs(Need.IMAGES_ALONE, Need.NO_BATCH_NORM, Need.TOGETHER)

    def __str__(self) -> str:
        return f"gradient penalty of weight {self.weight:g}"

    def watches(self, batch: Batch) -> bool:
        """No group: it has points of its own."""
        return False

    def of(self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator) -> Tensor:
        """A scalar: of as many pairs as there are of a real and a fake image, each mixed uniformly."""
        real, fake = ([j.batch for j in judged if j.batch.real is verdict] for verdict in (True, False))
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


@dataclass(frozen=True)
class ZeroCentred:
    """weight / 2 * mean |grad D(x)|^2 at real images (R1), at fake ones (R2), or both (Mescheder et al. 2018, eq. 9).

    Both together hold D's slope at the data and at what G makes (r3gan-2024, section 2.2).

    Parameters
    ----------
    weight : float
        gamma.
    real, fake : bool
        R1, R2.
    """

    weight: float = 1.0
    real: bool = True
    fake: bool = True
    name = "penalty"
    needs = needs(Need.NO_BATCH_NORM)

    def __str__(self) -> str:
        terms = " and ".join(term for term, there in (("R1", self.real), ("R2", self.fake)) if there)
        return f"{terms} of weight {self.weight:g}"

    def watches(self, batch: Batch) -> bool:
        """The groups labelled as it says."""
        return (batch.real is True and self.real) or (batch.real is False and self.fake)

    def of(self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator) -> Tensor:
        """A scalar: R1 of all real images and R2 of all fake ones, each a mean."""
        total = torch.zeros(())
        for verdict in (True, False):
            slopes = [_slope(j) for j in judged if j.batch.real is verdict and self.watches(j.batch)]
            if slopes:
                total = total + self.weight / 2 * torch.cat(slopes).square().flatten(1).sum(1).mean()
        return total


def _slope(judged: Judged) -> Tensor:
    """(N, *shape) grad D(x), with a graph of its own: the penalty's gradient needs it."""
    (slope,) = torch.autograd.grad(judged.says.realness.sum(), judged.batch.x, create_graph=True)
    return slope


def _drawn(size: int, n: int, random: torch.Generator) -> Tensor | slice:
    """All rows in their order, or n of them at random, so that each of several groups is met."""
    return slice(None) if size == n else torch.randperm(size, generator=random)[:n]
