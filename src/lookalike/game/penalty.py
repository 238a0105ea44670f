"""Penalties on D's gradient: the gradient penalty of WGAN-GP, and the zero-centred R1 and R2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lookalike.base.ranks import ALONE, Ranks
from lookalike.game.batch import Batch, Judged
from lookalike.game.device import sent
from lookalike.game.discriminator import Discriminator
from lookalike.game.needs import Need, Needs, needs


class Penalty(Protocol):
    """A term that is added to D's losses: a function of D's gradient by its input images."""

    @property
    def name(self) -> str:
        """Name in the log. It differs from the names of the losses."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method; `Method` refuses what is missing."""

    def watches(self, batch: Batch) -> bool:
        """Whether `of` takes D's gradient at the images of this group. Then they must require gradients."""

    def of(
        self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator, ranks: Ranks = ALONE
    ) -> Tensor:
        """The penalty, a scalar, of the groups in this update of D; `random` is a generator on the CPU.

        Of several processes each draws by `ranks.own`, and has its own part of the groups.
        """


@dataclass(frozen=True)
class GradientPenalty:
    """weight * mean (|grad D(x)| - 1)^2 between real and fake images (WGAN-GP; splitting-gan-2017, eq. 4).

    Parameters
    ----------
    weight : float
        lambda of eq. 4; 10 as published.
    """

    weight: float = 10.0
    name = "penalty"
    needs = needs(Need.IMAGES_ALONE, Need.NO_BATCH_NORM, Need.TOGETHER)

    def __str__(self) -> str:
        return f"gradient penalty of weight {self.weight:g}"

    def watches(self, batch: Batch) -> bool:
        """False: the gradient is taken at points between the groups."""
        return False

    def of(
        self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator, ranks: Ranks = ALONE
    ) -> Tensor:
        """The penalty, a scalar, of n mixtures, where n is the number of real or of fake images, the smaller."""
        real, fake = ([j.batch for j in judged if j.batch.real is label] for label in (True, False))
        one, other = (torch.cat([b.x for b in group]) for group in (real, fake))
        n = min(len(one), len(other))
        # fakes are drawn before real rows; another order would change the bits of every WGAN-GP training
        other, rows = other[_drawn(len(other), n, random, one.device)], _drawn(len(one), n, random, one.device)
        one = one[rows]
        mix = ranks.own(n, lambda n: torch.rand(n, *[1] * (one.ndim - 1), generator=random))
        mix = sent(mix, one.device).to(one)
        x = (mix * one + (1 - mix) * other).requires_grad_()  # x^ of eq. 4, uniform between a real and a fake image
        # a conditional D gets the class of the real image
        y = None if any(b.y is None for b in real) else torch.cat([b.y for b in real if b.y is not None])[rows]
        realness = discriminator(Batch(x, y, None, None)).realness
        # the sum's gradient holds each image's own; create_graph: the penalty itself is differentiated by D's weights
        (slope,) = torch.autograd.grad(realness.sum(), x, create_graph=True)
        length = torch.linalg.vector_norm(slope.flatten(1), dim=1)  # its gradient at 0 is 0
        penalty: Tensor = self.weight * (length - 1).square().mean()  # eq. 4
        return penalty


@dataclass(frozen=True)
class ZeroCentred:
    """weight / 2 * mean |grad D(x)|^2 at real images (R1), at fake ones (R2), or both (Mescheder et al. 2018, eq. 9).

    With both, D's gradient stays small at the data and at what G makes (r3gan-2024, section 2.2).

    Parameters
    ----------
    weight : float
        gamma of eq. 9.
    real, fake : bool
        Whether R1 and R2 are used.
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
        """Whether the group is real and R1 is used, or fake and R2 is used."""
        return (batch.real is True and self.real) or (batch.real is False and self.fake)

    def of(
        self, discriminator: Discriminator, judged: Sequence[Judged], random: torch.Generator, ranks: Ranks = ALONE
    ) -> Tensor:
        """The penalty, a scalar: the mean of R1 over all real images plus that of R2 over all fake ones."""
        total = torch.zeros(())
        for label in (True, False):
            slopes = [_slope(j) for j in judged if j.batch.real is label and self.watches(j.batch)]
            if slopes:
                # eq. 9: |grad|^2 is summed within an image, then averaged over images
                total = total + self.weight / 2 * torch.cat(slopes).square().flatten(1).sum(1).mean()
        return total


def _slope(judged: Judged) -> Tensor:
    """(N, *shape) grad D(x), with a graph, because the penalty itself is differentiated."""
    # D without batch norm: an image's realness depends on it alone, so the sum's gradient is each image's own
    (slope,) = torch.autograd.grad(judged.says.realness.sum(), judged.batch.x, create_graph=True)
    return slope


def _drawn(size: int, n: int, random: torch.Generator, device: torch.device) -> Tensor | slice:
    """All rows in order, or n random ones of `size`, so that each of several groups is represented."""
    # no draw where all rows are taken
    return slice(None) if size == n else sent(torch.randperm(size, generator=random)[:n], device)
