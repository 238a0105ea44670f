"""Heads by class: K + 1 classes, of which one is fake, and projection of the class (kplus1-2020, section 2)."""

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
    """K logits of real classes and one of fakes (Salimans et al. 2016; kplus1-2020, eq. 1).

    Realness is the log-odds log P(real) - log P(fake). The class logits are those of the real classes. With these two,
    the likelihood of eq. 1 is a sum: -log d_y = -log P(real) - log P(y | real). The first term is the minimax loss, the
    second the class cross-entropy of real images. So the K + 1 GAN needs no loss of its own.

    Parameters
    ----------
    projection : bool
        D is conditional on the class too. Each logit gets an inner product of the features with a
        vector, one for each pair of logit and class (kplus1-2020, sections 2.3 and 3.1).
    """

    projection: bool = False
    classifies = True

    def __str__(self) -> str:
        return "a logit per class and one of fakes" + ", given the class by projection" * self.projection

    @property
    def needs(self) -> Needs:
        """The class of every image, where projection is used."""
        return needs(Need.LABELS) if self.projection else NOTHING

    @property
    def grows(self) -> bool:
        """False with projection: its vectors have columns per class."""
        return not self.projection

    @property
    def of_images(self) -> KPlusOne:
        """This head."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A linear layer to K + 1 logits, that of fakes first; with projection, the vectors of each class."""
        layers: dict[str, nn.Module] = {"logits": nn.Linear(features, classes + 1)}
        if self.projection:
            layers["vectors"] = nn.Embedding(classes, (classes + 1) * features)  # as in the authors' code
        return nn.ModuleDict(layers)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The images."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Log-odds of real (N,), logits of the real classes (N, K), and features."""
        assert isinstance(layers, nn.ModuleDict)
        logits = layers["logits"](features)
        if self.projection:
            # (N, K + 1, F): an inner product for each logit, not for realness alone
            vectors = layers["vectors"](batch.y).unflatten(1, (logits.shape[1], -1))
            logits = logits + (vectors * features[:, None]).sum(2)
        fake, real = logits[:, 0], logits[:, 1:]  # the paper's class 0 is fake
        # log-odds, not a probability: losses stay finite where D is sure. log P(real) sums over the real classes
        return Judgement(real.logsumexp(1) - fake, real, features)

    @torch.no_grad()
    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Copies the leaf's logit, less log 2 in both halves, so that P(real) and realness stay as they are."""
        assert isinstance(layers, nn.ModuleDict)
        logits = layers["logits"]
        copy_row(logits, leaf + 1, optimiser)  # row 0 is that of fakes
        assert isinstance(logits.bias, nn.Parameter)
        # in the bias, so that the weights of both halves stay copies
        logits.bias[[leaf + 1, -1]] -= math.log(2)  # exp(a - log 2) + exp(a - log 2) = exp(a)


@dataclass(frozen=True)
class Projection:
    """One logit given the class: psi(f) + <v_y, f> (Miyato and Koyama 2018; kplus1-2020, section 2.3)."""

    needs = needs(Need.LABELS)
    classifies = False
    grows = True

    def __str__(self) -> str:
        return "one logit, real or fake, given the class by projection"

    @property
    def of_images(self) -> Projection:
        """This head."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """psi, a linear layer to one logit, and v, a vector of `features` entries per class."""
        # v is an embedding, so spectral norm applies to it too, as in section 2.3
        return nn.ModuleDict({"logit": nn.Linear(features, 1), "vectors": nn.Embedding(classes, features)})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The images."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness (N,) and features, no classes."""
        assert isinstance(layers, nn.ModuleDict)
        given = (layers["vectors"](batch.y) * features).sum(1)  # <v_y, f>
        return Judgement(layers["logit"](features).squeeze(1) + given, None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Copies the leaf's vector."""
        assert isinstance(layers, nn.ModuleDict)
        copy_row(layers["vectors"], leaf, optimiser)
