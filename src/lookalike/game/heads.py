"""Heads: the last layers of D, from the trunk's features to a `Judgement`. This is the axis "head" of a method.

A head is a frozen dataclass without weights. `build` makes its layers, which the other functions take as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from lookalike.game.batch import Batch, Judgement
from lookalike.game.growth import copy_row
from lookalike.game.needs import NOTHING, Need, Needs, needs
from lookalike.game.nets.classmap import beside, beside_shape, class_map

SPREAD = 10.0  # scales the spread to the size of features (ours)
SEEN = "; realness also depends on the spread within each class"


class Head(Protocol):
    """The output layers of D for one kind of answer."""

    @property
    def needs(self) -> Needs:
        """The inputs that it needs beside the image: LABELS, the class; Z, the z of a pair."""

    @property
    def classifies(self) -> bool:
        """Whether D classifies images."""

    @property
    def of_images(self) -> Head:
        """The head for images alone: this one, or the inner head of a head of pairs."""

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the trunk's input for images of `shape`."""

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """The layers from (N, features) to the answer, for images of `shape`, K `classes` and z of `z_dim` entries."""

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """Input of the trunk for images (N, *shape) of classes y (N,) int64."""

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """The Judgement of `batch`, from its trunk features (N, F)."""

    @property
    def grows(self) -> bool:
        """Whether its classes can be split."""

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Adds a class to `layers` as a copy of `leaf`, with the same Adam moments."""


@dataclass(frozen=True)
class Binary:
    """One logit, real or fake (vtgan-2021, eq. 1)."""

    needs = NOTHING
    classifies = False
    grows = True

    def __str__(self) -> str:
        return "one logit, real or fake"

    @property
    def of_images(self) -> Binary:
        """This head."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A linear layer from (N, features) to (N, 1)."""
        return nn.Linear(features, 1)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The images."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness (N,) and features, no classes."""
        # a logit, not a probability: it is the log-odds, and losses of it stay finite where D is sure
        return Judgement(layers(features).squeeze(1), None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Does nothing: its layers do not depend on the classes."""


class Realness(nn.Module):
    """The layer from features to one logit. With `spread` the group's spread within each class is an input too.

    A conditional G can collapse to one image per class, and a D that takes one image at a time cannot detect it. The
    spread is the standard deviation within a class, averaged over features (Karras et al. 2018, section 3; there over
    all classes at once). A second spread is averaged over pixels, because D could learn features that hide the first.
    In inference a running mean over real groups takes its place. So the score of an image depends on no other image.

    Parameters
    ----------
    features, classes : int
        F, the features of an image, and K, the known classes.
    spread : bool
        Whether the spreads, (2, K), are inputs too.
    """

    usual: Tensor

    def __init__(self, features: int, classes: int, *, spread: bool) -> None:
        super().__init__()
        self.spread, self.classes = spread, classes
        self.logit = nn.Linear(features + 2 * classes * spread, 1)  # no more inputs without the spread
        if spread:
            # a buffer: no gradient moves it, but model files store it, because scoring reads it
            self.register_buffer("usual", torch.zeros(2, classes))

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """Realness (N,) of features (N, F); `batch` gives classes and pixels."""
        if not self.spread:
            return self.logit(features).squeeze(1)  # type: ignore[no-any-return]
        assert batch.y is not None, "Method refuses images without a class"
        own = one_hot(batch.y, self.classes).to(features.dtype)
        found = self.usual  # in inference: an image's score must not depend on the other images
        if self.training:
            found = torch.stack([spreads(features, own), spreads(batch.x.flatten(1).to(features), own)])
            if batch.real:  # G's spread would make the running mean follow a collapse
                with torch.no_grad():
                    self.usual.lerp_(found.float(), 0.01)  # a mean over about 100 groups (ours)
        # one column per class: each image gets only its own class's spread
        added = (SPREAD * own[:, None] * found).flatten(1)
        return self.logit(torch.cat([features, added], 1)).squeeze(1)  # type: ignore[no-any-return]


def spreads(features: Tensor, own: Tensor) -> Tensor:
    """(K,) standard deviations of features (N, F) within each class, averaged over F; `own` (N, K) is one-hot.

    The spread of a class with a single image is 0. Source: Karras et al. 2018, section 3, here per class.
    """
    n = own.sum(0).clamp(min=1)  # a class without images divides by 1, not by 0
    means = (own.T @ features) / n[:, None]  # (K, F)
    # own @ means is each image's own class mean
    variances = (own.T @ (features - own @ means).square()) / n[:, None]
    # 1e-8: the gradient of a square root at 0 is not finite
    return (variances + 1e-8).sqrt().mean(1) * (own.sum(0) > 1)


@dataclass(frozen=True)
class Auxiliary:
    """One logit and a logit per class (AC-GAN, Odena et al. 2017; gan-augmentation-2020, section IV.B.2).

    Parameters
    ----------
    spread : bool
        Realness also depends on the spread within the class; see `Realness`.
    """

    spread: bool = False
    classifies = True

    def __str__(self) -> str:
        return "one logit, real or fake, and a logit per class" + SEEN * self.spread

    @property
    def needs(self) -> Needs:
        """The class of every image, where the spread is used."""
        return needs(Need.LABELS) if self.spread else NOTHING

    @property
    def grows(self) -> bool:
        """False with the spread: its weights have a column per class."""
        return not self.spread

    @property
    def of_images(self) -> Auxiliary:
        """This head."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """Two linear layers from (N, features): to realness (N,), and to class logits (N, classes)."""
        realness = Realness(features, classes, spread=self.spread)
        # the keys are tensor names in model files
        return nn.ModuleDict({"realness": realness, "classes": nn.Linear(features, classes)})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The images."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness (N,), class logits (N, K) and features."""
        assert isinstance(layers, nn.ModuleDict)
        return Judgement(layers["realness"](features, batch), layers["classes"](features), features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Copies the leaf's row of the class logits."""
        assert isinstance(layers, nn.ModuleDict)
        # realness does not depend on the class, so only the classifier grows (splitting-gan-2017, section 3)
        copy_row(layers["classes"], leaf, optimiser)


@dataclass(frozen=True)
class LabelAware:
    """One logit, real or fake, of an image and its class (CGAN; gan-augmentation-2020, section IV.B.1).

    The class becomes a learnt vector, and a linear layer makes one more channel of the image from it. With vectors in
    place of images, the class's vector is appended to the input.

    Parameters
    ----------
    size : int
        Entries of the class's vector.
    spread : bool
        Realness also depends on the spread within the class; see `Realness`.
    """

    size: int = 50
    spread: bool = False
    needs = needs(Need.LABELS)
    classifies = False

    @property
    def grows(self) -> bool:
        """False with the spread: its weights have a column per class."""
        return not self.spread

    def __str__(self) -> str:
        given = f"one logit, real or fake, given the class as a map made of a learnt vector of {self.size} entries"
        return given + SEEN * self.spread

    @property
    def of_images(self) -> LabelAware:
        """This head."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape with one more channel, or with `size` more entries."""
        return beside_shape(shape, self.size)

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """The vectors of the classes, the layer from vector to map, and the layer to realness."""
        layers: dict[str, nn.Module] = {
            "vector": nn.Embedding(classes, self.size),
            "realness": Realness(features, classes, spread=self.spread),
        }
        if len(shape) == 3:  # vectors have no places: the class's vector itself is appended
            layers["map"] = class_map(self.size, shape)
        return nn.ModuleDict(layers)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """Images with the map as one more channel, or both vectors in a row."""
        return beside(layers, x, y)

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness (N,) and features, no classes."""
        assert isinstance(layers, nn.ModuleDict)
        return Judgement(layers["realness"](features, batch), None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Copies the leaf's vector."""
        assert isinstance(layers, nn.ModuleDict)
        copy_row(layers["vector"], leaf, optimiser)


@dataclass(frozen=True)
class Joint:
    """One logit, real or fake, of a pair (x, z) (ALI, Dumoulin et al. 2017; gan-augmentation-2020, eq. 4).

    The features of x, z, and the product of both go through a hidden layer. A sum of the two could not detect which z
    belongs to which x. A hidden layer without the product learns that slowly. f(x) of the variation score is a stage
    of the trunk, so it depends on x alone.

    Parameters
    ----------
    head : Binary, Auxiliary or LabelAware
        The layers from the pair's features to the answer. With LabelAware the class is an input beside x.
    width : int
        Entries of the projections of x and z, and of the hidden layer (ours; the authors have 1024 and maxout).
    """

    head: Head = LabelAware()
    width: int = 256

    def __str__(self) -> str:
        return f"pairs of an image and its z, {self.width} hidden entries; {self.head}"

    @property
    def needs(self) -> Needs:
        """The z of every image, and what the inner head needs."""
        return self.head.needs | {Need.Z}

    @property
    def classifies(self) -> bool:
        """Whether the inner head classifies."""
        return self.head.classifies

    @property
    def of_images(self) -> Head:
        """The inner head."""
        return self.head

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The input shape of the inner head."""
        return self.head.taken(shape)

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """The hidden layer of the pair, and the layers of the inner head."""
        # the inner head answers from the pair, so its input has `width` entries in place of `features`
        answer = self.head.build(self.width, shape, classes, z_dim)
        return nn.ModuleDict({"pair": Pair(features, z_dim, self.width), "answer": answer})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The trunk's input of the inner head."""
        assert isinstance(layers, nn.ModuleDict)
        return self.head.shown(layers["answer"], x, y)

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """The inner head's answer to the pair. The features are those of x alone, for scores and splits."""
        assert isinstance(layers, nn.ModuleDict)
        pair = layers["pair"](features, batch.z)
        # the pair's features would depend on z, which a new image does not have
        return replace(self.head.answer(layers["answer"], pair, batch), features=features)

    @property
    def grows(self) -> bool:
        """Whether the inner head grows."""
        return self.head.grows

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Adds the class to the inner head's layers."""
        assert isinstance(layers, nn.ModuleDict)
        self.head.grow(layers["answer"], leaf, optimiser)


class Pair(nn.Module):
    """A hidden layer of x, z and their product: (N, F) and (N, Z) -> (N, width)."""

    def __init__(self, features: int, z_dim: int, width: int) -> None:
        super().__init__()
        self.x, self.z = nn.Linear(features, width), nn.Linear(z_dim, width)
        self.hidden = nn.Sequential(nn.Linear(3 * width, width), nn.LeakyReLU(0.2))

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """Features (N, width) of the pairs."""
        x, z = self.x(features), self.z(z)
        # the product compares x with z entry by entry; concatenation alone is a sum after the next layer
        hidden: Tensor = self.hidden(torch.cat([x, z, x * z], 1))
        return hidden
