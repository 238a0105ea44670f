"""Losses of D and G: from D's answers to scalars. The losses of a method are added.

The weight of a group of images is its share of the batch. With shares 1 : 1 : 1 each group's mean counts once
(mcgan-2021, section 2.2). With shares 1/4 : 3/4 the sum is the mean over one mixed batch.

In the equations D(x) is a probability. Here r = log D(x) - log(1 - D(x)) is its log-odds, the realness of a Judgement.
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
    """One term of the loss of D and of the loss of G."""

    @property
    def name(self) -> str:
        """Name in the log. It is unique within a method."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method; `Method` refuses what is missing."""

    @property
    def moves_g(self) -> bool:
        """Whether G learns from it."""

    @property
    def teaches_classes(self) -> bool:
        """Whether D learns from it to classify."""

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """D's loss, a scalar, of the groups in its update."""

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """G's loss, a scalar, of the groups that G made, and of real groups where `needs` names them."""


def labelled(judged: Sequence[Judged]) -> list[tuple[Tensor, bool, float]]:
    """(realness, label, share) of the groups that are labelled real or fake."""
    # groups without a label carry no realness loss: the mask of gan-augmentation-2020, eq. 5
    return [(j.says.realness, j.batch.real, j.batch.share) for j in judged if j.batch.real is not None]


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum of the terms, or 0 for none."""
    # added in the order of the groups: another order would round differently
    return reduce(add, terms) if terms else torch.zeros(())


@dataclass(frozen=True)
class Minimax:
    """The minimax loss (vtgan-2021, eq. 1). D minimises -log D(x) for real and -log(1 - D(x)) for fake images.

    G minimises -log D(G(z)) (splitting-gan-2017, eq. 2), whose gradient stays large while D wins.

    Parameters
    ----------
    saturating : bool
        G minimises log(1 - D(G(z))) instead, which is eq. 1 of vtgan-2021 as written.
    """

    saturating: bool = False
    name = "minimax"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "minimax, G's loss " + ("log(1 - D(G(z)))" if self.saturating else "-log D(G(z))")

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Binary cross-entropy of every labelled group, weighted by its share."""
        # eq. 1: -log D(x) = -log sigmoid(r) = softplus(-r), and -log(1 - D(x)) = softplus(r)
        return total([w * softplus(-r if real else r).mean() for r, real, w in labelled(judged)])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Binary cross-entropy with the label flipped; minus D's loss where `saturating`."""
        if self.saturating:
            return -self.d(judged)  # vtgan-2021, eq. 1: G minimises what D maximises
        # eq. 2 of splitting-gan-2017 for fakes. The encoder's pairs are labelled real, so theirs is -log(1 - D)
        return total([w * softplus(r if real else -r).mean() for r, real, w in labelled(judged)])


@dataclass(frozen=True)
class Hinge:
    """The hinge loss (Miyato et al. 2018). D minimises max(0, 1 - r) for real images, max(0, 1 + r) for fake.

    G minimises -r.
    """

    name = "hinge"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "hinge"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Hinge loss of every labelled group, weighted by its share."""
        # no gradient beyond a margin of 1: D stops pushing where it is sure
        return total([w * relu(1 - r if real else 1 + r).mean() for r, real, w in labelled(judged)])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """-r of fake groups and r of real ones, weighted by share."""
        # linear, without a hinge: G must learn from every image that D rejects
        return total([w * (r if real else -r).mean() for r, real, w in labelled(judged)])


@dataclass(frozen=True)
class Wasserstein:
    """The critic's loss (splitting-gan-2017, eqs. 3 and 4 without the penalty). r is the critic's value.

    D minimises E r(fake) - E r(real). G minimises -E r. All groups of one label count as one group. Summed per group, a
    third stream would outweigh the others, and this loss has no lower bound.
    """

    name = "wasserstein"
    needs = NOTHING
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "Wasserstein"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Mean realness of fake images minus that of real images."""
        means = [_mean([j for j in judged if j.batch.real is label]) for label in (False, True)]
        return means[0] - means[1]  # eq. 3; eq. 4 adds the penalty

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """D's loss with the labels flipped."""
        # `judged` has only groups that the makers made. Without an encoder all are fake: -E r(fake), eq. 3
        return -self.d(judged)


def _mean(judged: Sequence[Judged]) -> Tensor:
    """Mean realness of groups, weighted by their shares; 0 for no groups."""
    shares = sum(j.batch.share for j in judged)  # normalised, so that each label weighs 1, as in eq. 3
    return total([j.batch.share / shares * j.says.realness.mean() for j in judged])


@dataclass(frozen=True)
class AuxiliaryClass:
    """Cross-entropy of the class logits: minus L_C of AC-GAN (gan-augmentation-2020, eq. 3).

    Parameters
    ----------
    on_fake : bool
        D learns the class of generated images too, as published; otherwise of real images alone.
    g_weight : float
        Weight in G's loss. With 0 G does not learn from the class, as in a K + 1 GAN.
    """

    on_fake: bool = True
    g_weight: float = 1.0
    name = "class"
    teaches_classes = True

    @property
    def needs(self) -> Needs:
        """A head that classifies, and a conditional G where G learns from this loss."""
        return needs(Need.CLASSIFIER, *([Need.CONDITIONAL] if self.g_weight else []))

    @property
    def moves_g(self) -> bool:
        """Whether G's weight is above 0."""
        return self.g_weight > 0

    def __str__(self) -> str:
        images = "real and generated images" if self.on_fake else "real images alone"
        weight = "" if self.g_weight == 1 else f", G's of weight {self.g_weight:g}"
        return f"class cross-entropy, D's on {images}{weight}"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Cross-entropy of every group with classes, weighted by its share."""
        # real images alone: the authors' code of splitting-gan-2017, and kplus1-2020, eq. 1
        return self._of([j for j in judged if self.on_fake or j.batch.real])

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Cross-entropy of what G made, against the classes that were G's input."""
        # eq. 3, second term: G maximises it too; D's weights are not updated in this step
        return self.g_weight * self._of(judged) if self.g_weight else torch.zeros(())

    def _of(self, judged: Sequence[Judged]) -> Tensor:
        # cross_entropy takes logits; a softmax before it would flatten the gradient
        return total(
            [
                j.batch.share * cross_entropy(j.says.classes, j.batch.y)
                for j in judged
                # extra fakes have no known class and add nothing
                if j.says.classes is not None and j.batch.y is not None
            ]
        )


@dataclass(frozen=True)
class Mode:
    """Mode GAN's term of G: minus the log-probability of the likeliest class (kplus1-2020, section 2.2, L_Dyn).

    The minimax loss is -log P(real). With this term G minimises -log P(real) - log max P(l | real) = -log max d_l.
    """

    name = "mode"
    needs = needs(Need.CLASSIFIER)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "G's -log of the likeliest class"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """0: D's loss is that of the K + 1 GAN."""
        return torch.zeros(())

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """-log max_l P(l | real) of every labelled group, weighted by its share."""
        return total(
            [
                # section 2.2; the maximum's gradient is that of cross-entropy to D's own most likely class
                -j.batch.share * j.says.classes.log_softmax(1).amax(1).mean()
                for j in judged
                if j.says.classes is not None and j.batch.real is not None
            ]
        )
