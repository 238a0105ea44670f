"""Answers -> losses. One class per idea; a method's losses are added; a loss's name is its logged name.

A group of images weighs in proportion to its share of the batch: with shares 1 : 1 : 1 each group's mean counts
once (mcgan-2021 section 2.2), with shares 1/4 : 3/4 the sum is the mean over one mixed batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu, softplus

from lookalike.game.batch import Judged
from lookalike.game.needs import NOTHING, Need, Needs, needs


class Loss(Protocol):
    """One idea of what D and G should mind."""

    @property
    def name(self) -> str:
        """Name in the log; unique in a method."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method."""

    @property
    def moves_g(self) -> bool:
        """Whether G learns from it."""

    @property
    def teaches_classes(self) -> bool:
        """Whether D learns from it to classify."""

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """D's loss, a scalar, on the groups of its update."""

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """G's loss, a scalar, on the groups that G made; with real ones too where the loss needs them."""


def _asked(judged: Sequence[Judged]) -> list[tuple[Tensor, bool, float]]:
    """(realness, verdict, share) of the groups whose realness is asked."""
    return [(j.says.realness, j.batch.real, j.batch.share) for j in judged if j.batch.real is not None]


def _total(terms: Sequence[Tensor]) -> Tensor:
    """Their sum; 0 where a loss asks nothing of any group."""
    return reduce(add, terms) if terms else torch.zeros(())


@dataclass(frozen=True)
class Minimax:
    """The minimax game on log-odds (vtgan-2021 eq. 1): D minimises -log D(x) for real, -log(1 - D(x)) for fake.

    G minimises -log D(G(z)); with `saturating` it minimises log(1 - D(G(z))), the letter of eq. 1.
    """

    saturating: bool = False
    name = "minimax"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "minimax, G's loss " + ("log(1 - D(G(z)))" if self.saturating else "-log D(G(z))")

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Cross-entropy of every group, weighted by its share."""
        # -log sigmoid(r) = softplus(-r)
        return _total([w * softplus(-r if real else r).mean() for r, real, w in _asked(judged)])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Cross-entropy with the verdict flipped, or minus D's own."""
        if self.saturating:
            return -self.d(judged)
        return _total([w * softplus(r if real else -r).mean() for r, real, w in _asked(judged)])


@dataclass(frozen=True)
class Hinge:
    """The hinge game: D minimises max(0, 1 - r) for real and max(0, 1 + r) for fake; G minimises -r."""

    name = "hinge"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "hinge"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Hinge of every group, weighted by its share."""
        return _total([w * relu(1 - r if real else 1 + r).mean() for r, real, w in _asked(judged)])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """-r for what was fake, r for what was real."""
        return _total([w * (r if real else -r).mean() for r, real, w in _asked(judged)])


@dataclass(frozen=True)
class Wasserstein:
    """The critic's game (splitting-gan-2017, eq. 1): D minimises E r(fake) - E r(real), G minimises -E r.

    Each verdict's groups are one group: summed per group, a third stream would outweigh the others without bound.
    """

    name = "wasserstein"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "Wasserstein"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Mean of fakes less mean of reals."""
        means = [_mean([j for j in judged if j.batch.real is verdict]) for verdict in (False, True)]
        return means[0] - means[1]

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """The verdicts flipped."""
        return -self.d(judged)


def _mean(judged: Sequence[Judged]) -> Tensor:
    """Mean realness of groups, each weighted by its share; 0 for none."""
    shares = sum(j.batch.share for j in judged)
    return _total([j.batch.share / shares * j.says.realness.mean() for j in judged])


@dataclass(frozen=True)
class AuxiliaryClass:
    """Cross-entropy of the class logits (AC-GAN's L_C, gan-augmentation-2020 section 2.3), logits as logits.

    Parameters
    ----------
    on_fake : bool
        D learns the class of generated images too, as published; else of real ones alone.
    g_weight : float
        How much G minds the class of what it made; 0: not at all, as K + 1 GANs.
    """

    on_fake: bool = True
    g_weight: float = 1.0
    name = "class"
    teaches_classes = True

    @property
    def needs(self) -> Needs:
        """A head that classifies and, where G learns from it, a G that is conditional."""
        return needs(Need.CLASSIFIER, *([Need.CONDITIONAL] if self.g_weight else []))

    @property
    def moves_g(self) -> bool:
        """Where G's weight is not 0."""
        return self.g_weight > 0

    def __str__(self) -> str:
        images = "real and generated images" if self.on_fake else "real images alone"
        weight = "" if self.g_weight == 1 else f", G's of weight {self.g_weight:g}"
        return f"class cross-entropy, D's on {images}{weight}"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Of every group with classes, weighted by its share."""
        return self._of([j for j in judged if self.on_fake or j.batch.real])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Of what G made."""
        return self.g_weight * self._of(judged) if self.g_weight else torch.zeros(())

    def _of(self, judged: Sequence[Judged]) -> Tensor:
        return _total(
            [
                j.batch.share * cross_entropy(j.says.classes, j.batch.y)
                for j in judged
                if j.says.classes is not None and j.batch.y is not None
            ]
        )


@dataclass(frozen=True)
class Mode:
    """G minds how sure D is of the likeliest class of what it made: -log max P(l | real) (kplus1-2020, section 2.2).

    Beside the minimax game G minimises -log P(real) - log max P(l | real) = -log max d_l, Mode GAN's loss.
    """

    name = "mode"
    needs = needs(Need.CLASSIFIER)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "G's -log of the likeliest class"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Nothing."""
        return torch.zeros(())

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Of every group whose realness is asked, weighted by its share."""
        return _total(
            [
                -j.batch.share * j.says.classes.log_softmax(1).amax(1).mean()
                for j in judged
                if j.says.classes is not None and j.batch.real is not None
            ]
        )
