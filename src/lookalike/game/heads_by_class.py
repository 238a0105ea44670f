"""Heads that answer by class: K + 1 classes of which one is fake, and the projection of the class (kplus1-2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lookalike.game.batch import Batch, Judgement
from lookalike.game.growth import copy_row
from lookalike.game.needs import NOTHING, Need, Needs, needs


@dataclass(frozen=True)
class KPlusOne:
    """K real classes and one of fakes (Salimans et al. 2016; kplus1-2020, eq. 1).

    Realness is log P(real) - log P(fake) and the class logits are those of the real classes, so that the likelihood of
    eq. 1 is the minimax game's plus the class cross-entropy of real images, -log d_y = -log P(real) - log P(y | real).

    Parameters
    ----------
    projection : bool
        D is told the class too: all logits get an inner product of the features with a vector of their class
        (kplus1-2020, "+ PJ").
    """

    projection: bool = False
    classifies = True

    def __str__(self) -> str:
        return "a logit per class and one of fakes" + ", given the class by projection" * self.projection

    @property
    def needs(self) -> Needs:
        """Classes, for the projection."""
        return needs(Need.LABELS) if self.projection else NOTHING

    @property
    def grows(self) -> bool:
        """Not with the projection, whose vectors have columns by class."""
        return not self.projection

    @property
    def of_images(self) -> KPlusOne:
        """Itself."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A linear layer to K + 1 logits, the fakes' first; vectors of each class."""
        layers: dict[str, nn.Module] = {"logits": nn.Linear(features, classes + 1)}
        if self.projection:
            layers["vectors"] = nn.Embedding(classes, (classes + 1) * features)
        return nn.ModuleDict(layers)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The image."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Log-odds of real, and the logits of the real classes."""
        assert isinstance(layers, nn.ModuleDict)
        logits = layers["logits"](features)
        if self.projection:
            vectors = layers["vectors"](batch.y).unflatten(1, (logits.shape[1], -1))
            logits = logits + (vectors * features[:, None]).sum(2)
        fake, real = logits[:, 0], logits[:, 1:]
        return Judgement(real.logsumexp(1) - fake, real, features)

    @torch.no_grad()
    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """The leaf's logit once more, each half as likely as the other: realness stays as it is."""
        assert isinstance(layers, nn.ModuleDict)
        logits = layers["logits"]
        copy_row(logits, leaf + 1, optimiser)
        assert isinstance(logits.bias, nn.Parameter)
        logits.bias[[leaf + 1, -1]] -= math.log(2)


@dataclass(frozen=True)
class Projection:
    """Real or fake, given the class: psi(f) + <v_y, f> (Miyato and Koyama 2018)."""

    needs = needs(Need.LABELS)
    classifies = False
    grows = True

    def __str__(self) -> str:
        return "one logit, real or fake, given the class by projection"

    @property
    def of_images(self) -> Projection:
        """Itself."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A linear layer to one logit, and a vector per class."""
        return nn.ModuleDict({"logit": nn.Linear(features, 1), "vectors": nn.Embedding(classes, features)})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The image."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness only."""
        assert isinstance(layers, nn.ModuleDict)
        given = (layers["vectors"](batch.y) * features).sum(1)
        return Judgement(layers["logit"](features).squeeze(1) + given, None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """The leaf's vector once more."""
        assert isinstance(layers, nn.ModuleDict)
        copy_row(layers["vectors"], leaf, optimiser)
