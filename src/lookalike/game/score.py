"""Scores: how a trained GAN scores an image. This is the axis "score" of a method.

A larger score means less like the known classes. A score works on a `Frozen` GAN, whose networks no longer change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lookalike.game.batch import Judgement
from lookalike.game.needs import NOTHING, Need, Needs, needs
from lookalike.game.scored import CONVERGED, Found, Parts, Scored


class Rows(Protocol):
    """Images (N, *shape) as float32 in [-1, 1], which may be made when they are read: a tensor, or as good as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, *shape)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Tensor: ...


class Frozen(Protocol):
    """A trained GAN that scores images. A conditional GAN scores for one of its classes.

    `search` and `each` take any number of images. The other functions take one block of the size that `each` uses.
    """

    @property
    def own(self) -> tuple[int, ...]:
        """The number of the class, or the numbers of its sub-classes; empty if the GAN is unconditional."""

    def search(self, x: Tensor, *, encoded: bool = False) -> Found:
        """The latent search for images (N, *shape), float32 in [-1, 1]; `encoded`: it starts at the encoder's z."""

    def each(self, of: Callable[[Tensor], Parts], x: Rows) -> Parts:
        """(N, ...) tensors by name: `of` applied in blocks of one size, so that no image changes another's bits."""

    def encode(self, x: Tensor) -> Tensor:
        """z (N, Z) of images (N, *shape), by the encoder."""

    def image(self, z: Tensor) -> Tensor:
        """G's images (N, *shape) for z (N, Z)."""

    def judge(self, x: Tensor, z: Tensor | None = None) -> Judgement:
        """D's answer to images, or to pairs (x, z). Without z, a head of pairs gets the encoder's z."""


class Score(Protocol):
    """A rule from an image to a number, for a trained GAN."""

    @property
    def name(self) -> str:
        """Its name for `--score`."""

    @property
    def needs(self) -> Needs:
        """What it needs of the parts of a method; `Method` refuses what is missing."""

    @property
    def searches(self) -> bool:
        """Whether it uses the latent search and its settings."""

    def fit(self, gan: Frozen, known: Rows) -> Parts:
        """Tensors by name that it must keep of the training images (N, *shape); most scores keep none."""

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor that `fit` returns, where D has `features` features."""

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """Scores of images (N, *shape), float32 in [-1, 1]. `kept` is the result of `fit`."""


class KeepsNothing:
    """Base of the scores that keep nothing of the training images."""

    def fit(self, gan: Frozen, known: Rows) -> Parts:
        """No tensors."""
        return {}

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """No shapes."""
        return {}


@dataclass(frozen=True)
class LatentSearch(KeepsNothing):
    """V(x), the variation score: the distance to the closest image of G (AnoGAN; vtgan-2021, eqs. 2 to 5)."""

    name = "search"
    needs = NOTHING
    searches = True

    def __str__(self) -> str:
        return "V(x): the distance of the closest image that a latent search finds"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """V(x) (eq. 2), its terms R (eq. 3) and L_D (eq. 4), D's realness of x, and the closest image."""
        return _searched(gan.search(x))


@dataclass(frozen=True)
class RefinedSearch(KeepsNothing):
    """V(x), whose latent search starts at the encoder's z of the image. A few steps then find as close an image."""

    name = "refined"
    needs = needs(Need.ENCODER)
    searches = True

    def __str__(self) -> str:
        return "V(x): the distance of the closest image that a latent search from the encoder's z finds"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """As `LatentSearch.of`."""
        return _searched(gan.search(x, encoded=True))


@dataclass(frozen=True)
class EncoderPass(KeepsNothing):
    """izi_f: the distances between x and G(E(x)), in pixels and in D's features (f-anogan-2019, eq. 3).

    Parameters
    ----------
    kappa : float
        Weight of the distance in features; 1 as published.
    """

    kappa: float = 1.0
    name = "encoder"
    needs = needs(Need.ENCODER)
    searches = False

    def __str__(self) -> str:
        return f"one pass of the encoder: mean square of x - G(E(x)), and {self.kappa:g} times that of D's features"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """The score, its two terms, D's realness of x, and G(E(x))."""

        def one(x: Tensor) -> Parts:
            z = gan.encode(x)  # the mean of the posterior, so that the score is not random
            nearest = gan.image(z)
            says = gan.judge(x, z)
            # means, not sums: kappa then means the same for any number of pixels and features
            residual = (x - nearest).square().flatten(1).mean(1)
            features = (says.features - gan.judge(nearest, z).features).square().mean(1)
            # eq. 3 of f-anogan-2019: A(x) = A_R(x) + kappa * A_D(x)
            parts = {"score": residual + self.kappa * features, "residual": residual, "features": features}
            return parts | {"nearest": nearest} | _said(says)

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class Realness(KeepsNothing):
    """Minus D's realness of the image, from one pass of D."""

    name = "realness"
    needs = NOTHING
    searches = False

    def __str__(self) -> str:
        return "minus D's realness of the image"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """Minus D's log-odds of real; with a critic, minus its value."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            return {"score": -says.realness} | _said(says)  # minus: a larger score is less like the known classes

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class Features:
    """The Mahalanobis distance of D's features from those of the training images (Lee et al. 2018, eq. 2).

    The covariance is that of Ledoit and Wolf (2004). Their shrinkage makes it invertible for any number of images.
    """

    name = "features"
    needs = NOTHING
    searches = False

    def __str__(self) -> str:
        return "Mahalanobis distance of D's features from those of the training images"

    def fit(self, gan: Frozen, known: Rows) -> Parts:
        """Mean (F,) and precision (F, F), float64, of D's features of the training images."""
        from sklearn.covariance import LedoitWolf  # here, because it is slow to import

        features = gan.each(lambda x: {"features": gan.judge(x).features}, known)["features"]
        fitted = LedoitWolf().fit(features.double().numpy())
        return {"mean": torch.from_numpy(fitted.location_), "precision": torch.from_numpy(fitted.precision_)}

    def kept(self, features: int) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the mean and of the precision."""
        return {"mean": (features,), "precision": (features, features)}

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """The distance, and D's realness beside it. Both are (N,)."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            off = says.features.double().cpu() - kept["mean"]  # float64: the precision can be ill-conditioned
            # the root of Lee et al. 2018, eq. 2, for a single class; the clamp catches a rounding below 0
            distance = torch.einsum("nf,fg,ng->n", off, kept["precision"], off).clamp(min=0).sqrt()
            return {"score": distance} | _said(says)

        return _scored(gan.each(one, x))


@dataclass(frozen=True)
class ClassEntropy(KeepsNothing):
    """D's uncertainty about the class: the entropy of its probabilities; for one class of a conditional GAN, -log p.

    The probabilities are over the known classes. So for K + 1 heads this is the uncertainty among real images.
    """

    name = "classes"
    needs = needs(Need.CLASSIFIER)
    searches = False

    def __str__(self) -> str:
        return "how unsure D is of the class"

    def of(self, gan: Frozen, x: Tensor, kept: Parts) -> Scored:
        """-sum p log p, or for one class of a conditional GAN -log p, where p sums over its sub-classes."""

        def one(x: Tensor) -> Parts:
            says = gan.judge(x)
            assert says.classes is not None, "the head classifies"
            log_p = says.classes.log_softmax(1)
            entropy = -(log_p.exp() * log_p).sum(1)
            # logsumexp of log-probabilities is the log of their sum, and stays finite where all are tiny
            return {"score": -log_p[:, list(gan.own)].logsumexp(1) if gan.own else entropy} | _said(says)

        return _scored(gan.each(one, x))


def _searched(found: Found) -> Scored:
    """V(x) and its parts, and whether each search converged."""
    parts = {"R": found.R, "L_D": found.L_D, "realness": found.realness, CONVERGED: found.converged}
    return Scored(found.V, parts, found.nearest, found.classes)


def _said(says: Judgement) -> Parts:
    """D's realness, and its class probabilities where it classifies."""
    return {"realness": says.realness} | ({} if says.classes is None else {"classes": says.classes.softmax(1)})


def _scored(found: Parts) -> Scored:
    """A `Scored` from tensors by name."""
    parts = {name: part for name, part in found.items() if name not in ("score", "nearest", "classes")}
    return Scored(found["score"], parts, found.get("nearest"), found.get("classes"))


SCORES: dict[str, Score] = {
    score.name: score
    for score in (LatentSearch(), RefinedSearch(), EncoderPass(), Realness(), Features(), ClassEntropy())
}
