"""How a trained GAN scores an image: the axis "score" of a method. Larger means less like the known classes.

A score asks a `Frozen` GAN, whose networks no longer change, and says what its number is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lookalike.game.batch import Judgement
from lookalike.game.needs import NOTHING, Need, Needs, needs
from lookalike.game.scored import Found, Parts, Scored


class Frozen(Protocol):
    """A trained GAN, ready to score images: of one of its classes where it is conditional, else of any.

    Every function but `search` and `each` takes one block of images of a fixed size, as `each` cuts them.
    """

    @property
    def own(self) -> tuple[int, ...]:
        """The class's number, or those of its sub-classes; empty where the GAN is not conditional."""

    def search(self, x: Tensor) -> Found:
        """The latent search of all images (N, *shape)."""

    def each(self, of: Callable[[Tensor], Parts], x: Tensor) -> Parts:
        """(N, ...) tensors by name: `of` block by block, so that an image's bits do not depend on its company."""

    def encode(self, x: Tensor) -> Tensor:
        """z (N, Z) of images, by the encoder."""

    def image(self, z: Tensor) -> Tensor:
        """Images (N, *shape) of z (N, Z)."""

    def judge(self, x: Tensor, z: Tensor | None = None) -> Judgement:
        """What D says of images, or of pairs where it judges those; z is the encoder's unless it is given."""


class Score(Protocol):
    """A way to score."""

    @property
    def name(self) -> str:
        """What `--score` calls it."""

    @property
    def needs(self) -> Needs:
        """What it needs of the parts of a method."""

    @property
    def searches(self) -> bool:
        """Whether it makes use of the latent search and its settings."""

    def fit(self, gan: Frozen, known: Tensor) -> Parts:
        """What it must keep of the training images (N, *shape) to score others; nothing for most."""

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor that `fit` returns, for so many features of D."""

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """Scores of images (N, *shape), float32 in [-1, 1]; `kept` is what `fit` returned."""


class _KeepsNothing:
    """Base of scores that need nothing of the training images."""

    def fit(self, gan: Frozen, known: Tensor) -> Parts:
        """Nothing."""
        return {}

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class LatentSearch(_KeepsNothing):
    """V(x), the variation score: how far the closest image of G is (AnoGAN; vtgan-2021, eqs. 2 to 5)."""

    name = "search"
    needs = NOTHING
    searches = True

    def __str__(self) -> str:
        return "V(x): the distance of the closest image that a latent search finds"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """V(x), its parts R and L_D, D's realness of x, and the image that was found."""
        found = gan.search(x)
        parts = {"R": found.R, "L_D": found.L_D, "realness": found.realness}
        return Scored(found.V, parts, found.nearest, found.classes)


@dataclass(frozen=True)
class EncoderPass(_KeepsNothing):
    """izi_f: the distance of G(E(x)) from x, and of D's features of the two (f-anogan-2019, eq. 3).

    Parameters
    ----------
    kappa : float
        Weight of the features' distance; 1 as published.
    """

    kappa: float = 1.0
    name = "encoder"
    needs = needs(Need.ENCODER)
    searches = False

    def __str__(self) -> str:
        return f"one pass of the encoder: mean square of x - G(E(x)), and {self.kappa:g} times that of D's features"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """The score, its parts, D's realness of x, and G(E(x))."""

        def one(x: Tensor) -> Parts:
            z = gan.encode(x)
            nearest = gan.image(z)
            says = gan.judge(x, z)
            residual = (x - nearest).square().flatten(1).mean(1)
            features = (says.features - gan.judge(nearest, z).features).square().mean(1)
            parts = {"score": residual + self.kappa * features, "residual": residual, "features": features}  # eq. 3
            return parts | {"nearest": nearest} | _said(says)

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class Realness(_KeepsNothing):
    """Minus what D says of the image's realness: one pass of D."""

    name = "realness"
    needs = NOTHING
    searches = False

    def __str__(self) -> str:
        return "minus D's realness of the image"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """Minus D's log-odds of real, or minus the critic's value."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            return {"score": -says.realness} | _said(says)

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class Features:
    """The Mahalanobis distance of D's features from those of the training images (Lee et al. 2018, eq. 2).

    The covariance is shrunk as Ledoit and Wolf (2004) do, so that it can be inverted whatever the number of images.
    """

    name = "features"
    needs = NOTHING
    searches = False

    def __str__(self) -> str:
        return "Mahalanobis distance of D's features from those of the training images"

    def fit(self, gan: Frozen, known: Tensor) -> Parts:
        """Mean (F,) and precision (F, F), float64, of D's features of the training images."""
        from sklearn.covariance import LedoitWolf

        features = gan.each(lambda x: {"features": gan.judge(x).features}, known)["features"]
        fitted = LedoitWolf().fit(features.double().numpy())
        return {"mean": torch.from_numpy(fitted.location_), "precision": torch.from_numpy(fitted.precision_)}

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """Mean and precision."""
        return {"mean": (features,), "precision": (features, features)}

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """The distance, and D's realness beside it."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            off = says.features.double().cpu() - kept["mean"]
            distance = torch.einsum("nf,fg,ng->n", off, kept["precision"], off).clamp(min=0).sqrt()
            return {"score": distance} | _said(says)

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class ClassEntropy(_KeepsNothing):
    """How unsure D is of the class: the entropy of its probabilities; of a conditional GAN, -log of its own class's."""

    name = "classes"
    needs = needs(Need.CLASSIFIER)
    searches = False

    def __str__(self) -> str:
        return "how unsure D is of the class"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """-sum p log p; or -log p of the class, or of all its sub-classes, that a conditional GAN makes."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            assert says.classes is not None, "the head classifies"
            log_p = says.classes.log_softmax(1)
            entropy = -(log_p.exp() * log_p).sum(1)
            return {"score": -log_p[:, list(gan.own)].logsumexp(1) if gan.own else entropy} | _said(says)

        return _scored(gan.each(one, x))


def _said(says: Judgement) -> Parts:
    """What D says beside the score."""
    return {"realness": says.realness} | ({} if says.classes is None else {"classes": says.classes.softmax(1)})


def _scored(found: Parts) -> Scored:
    """The score, what is no part of it, and its parts."""
    parts = {name: part for name, part in found.items() if name not in ("score", "nearest", "classes")}
    return Scored(found["score"], parts, found.get("nearest"), found.get("classes"))


SCORES: dict[str, Score] = {
    score.name: score for score in (LatentSearch(), EncoderPass(), Realness(), Features(), ClassEntropy())
}
