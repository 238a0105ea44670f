"""How D answers: from the trunk's features to a `Judgement` (design 1, axis "head")."""

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

SPREAD = 10.0  # brings it to the size of features
SEEN = "; realness sees the spread within each class"


class Head(Protocol):
    """A way to answer; `build` makes its layers."""

    @property
    def needs(self) -> Needs:
        """What it needs of each image: LABELS, its class; Z, the z that belongs to it."""

    @property
    def classifies(self) -> bool:
        """Whether D says of which class an image is."""

    @property
    def of_images(self) -> Head:
        """This head where images are judged alone: itself, or what a head of pairs has within."""

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of what the trunk takes, for images of `shape`."""

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """The layers that turn (N, features) into an answer."""

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """What the trunk is shown of images (N, *shape) of classes y (N,)."""

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """The Judgement of `batch` whose trunk features are (N, F)."""

    @property
    def grows(self) -> bool:
        """Whether its classes can be split."""

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """One more class that `layers` take for `leaf`, with the same moments."""


@dataclass(frozen=True)
class Binary:
    """Real or fake: one logit (mcgan-2021 eq. 1)."""

    needs = NOTHING
    classifies = False
    grows = True

    def __str__(self) -> str:
        return "one logit, real or fake"

    @property
    def of_images(self) -> Binary:
        """Itself."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A linear layer to one logit."""
        return nn.Linear(features, 1)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The image."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness only."""
        return Judgement(layers(features).squeeze(1), None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """Nothing: it knows no classes."""


class Realness(nn.Module):
    """One logit; with `spread` D also sees how much the images of a class differ within the group.

    A G that is told the class soon makes one image of each; D, which judges image by image, does not mind. The spread
    is the standard deviation within a class, averaged over features (Karras et al. 2018, section 3, there over all
    classes at once), and over pixels, which D cannot learn to overlook. Scoring uses the mean over real groups: an
    image's realness does not depend on its company.
    """

    usual: Tensor

    def __init__(self, features: int, classes: int, *, spread: bool) -> None:
        super().__init__()
        self.spread, self.classes = spread, classes
        self.logit = nn.Linear(features + 2 * classes * spread, 1)
        if spread:
            self.register_buffer("usual", torch.zeros(2, classes))

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """(N, F) -> (N,)."""
        if not self.spread:
            return self.logit(features).squeeze(1)  # type: ignore[no-any-return]
        assert batch.y is not None, "Method asks for labels"
        own = one_hot(batch.y, self.classes).to(features.dtype)
        found = self.usual
        if self.training:
            found = torch.stack([spreads(features, own), spreads(batch.x.flatten(1).to(features), own)])
            if batch.real:
                with torch.no_grad():
                    self.usual.lerp_(found.float(), 0.01)
        seen = (SPREAD * own[:, None] * found).flatten(1)
        return self.logit(torch.cat([features, seen], 1)).squeeze(1)  # type: ignore[no-any-return]


def spreads(features: Tensor, own: Tensor) -> Tensor:
    """(K,) standard deviation within each class of features (N, F), averaged over F; `own` (N, K) is one-hot.

    A class with a single image has none.
    """
    n = own.sum(0).clamp(min=1)
    means = (own.T @ features) / n[:, None]
    variances = (own.T @ (features - own @ means).square()) / n[:, None]
    return (variances + 1e-8).sqrt().mean(1) * (own.sum(0) > 1)


@dataclass(frozen=True)
class Auxiliary:
    """Real or fake, and beside it of which class (AC-GAN, Odena et al. 2017; gan-augmentation-2020, section 2.3).

    Parameters
    ----------
    spread : bool
        Realness also sees the spread within the class; see `Realness`.
    """

    spread: bool = False
    classifies = True

    def __str__(self) -> str:
        return "one logit, real or fake, and a logit per class" + SEEN * self.spread

    @property
    def needs(self) -> Needs:
        """Classes, for the spread."""
        return needs(Need.LABELS) if self.spread else NOTHING

    @property
    def grows(self) -> bool:
        """Not with the spread, whose weights have columns by class."""
        return not self.spread

    @property
    def of_images(self) -> Auxiliary:
        """Itself."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The image."""
        return shape

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """Two linear layers: to one logit, and to one per class."""
        realness = Realness(features, classes, spread=self.spread)
        return nn.ModuleDict({"realness": realness, "classes": nn.Linear(features, classes)})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """The image."""
        return x

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness and class logits."""
        assert isinstance(layers, nn.ModuleDict)
        return Judgement(layers["realness"](features, batch), layers["classes"](features), features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """The leaf's logit once more."""
        assert isinstance(layers, nn.ModuleDict)
        copy_row(layers["classes"], leaf, optimiser)


@dataclass(frozen=True)
class LabelAware:
    """Real or fake, given the class: a learnt map of the class is shown beside the image (gan-augmentation-2020, 2.2).

    Parameters
    ----------
    size : int
        Entries of the class's vector, from which a linear layer makes the map; of vectors it is shown itself.
    spread : bool
        Realness also sees the spread within the class; see `Realness`.
    """

    size: int = 50
    spread: bool = False
    needs = needs(Need.LABELS)
    classifies = False

    @property
    def grows(self) -> bool:
        """Not with the spread, whose weights have columns by class."""
        return not self.spread

    def __str__(self) -> str:
        given = f"one logit, real or fake, given the class as a map made of a learnt vector of {self.size} entries"
        return given + SEEN * self.spread

    @property
    def of_images(self) -> LabelAware:
        """Itself."""
        return self

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One channel more, or `size` entries."""
        return beside_shape(shape, self.size)

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """The class's vector, its map, and a linear layer to one logit."""
        layers: dict[str, nn.Module] = {
            "vector": nn.Embedding(classes, self.size),
            "realness": Realness(features, classes, spread=self.spread),
        }
        if len(shape) == 3:
            layers["map"] = class_map(self.size, shape)
        return nn.ModuleDict(layers)

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """Image and map, or vector and vector."""
        return beside(layers, x, y)

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """Realness only."""
        assert isinstance(layers, nn.ModuleDict)
        return Judgement(layers["realness"](features, batch), None, features)

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """The leaf's vector once more."""
        assert isinstance(layers, nn.ModuleDict)
        copy_row(layers["vector"], leaf, optimiser)


@dataclass(frozen=True)
class Joint:
    """Real or fake, of pairs (x, z) (ALI, Dumoulin et al. 2017; gan-augmentation-2020, eq. 4).

    x's features and z go through a hidden layer together, beside their product: a sum of the two could not tell which z
    belongs to which x, and a hidden layer without the product is slow to. f(x) of the variation score is the trunk's,
    which looks at x alone.

    Parameters
    ----------
    head : Binary, Auxiliary or LabelAware
        What answers from the pair's features; LabelAware shows the class beside x.
    width : int
        Entries of what x and z are turned into, and of the hidden layer (ours; the authors' are 1024 and maxout).
    """

    head: Head = LabelAware()
    width: int = 256

    def __str__(self) -> str:
        return f"pairs of an image and its z, {self.width} hidden entries; {self.head}"

    @property
    def needs(self) -> Needs:
        """Pairs, and what the inner head needs."""
        return self.head.needs | {Need.Z}

    @property
    def classifies(self) -> bool:
        """Where the inner head does."""
        return self.head.classifies

    @property
    def of_images(self) -> Head:
        """The inner head."""
        return self.head

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What the inner head takes."""
        return self.head.taken(shape)

    def build(self, features: int, shape: tuple[int, ...], classes: int, z_dim: int) -> nn.Module:
        """A hidden layer of the pair, and the inner head's layers."""
        answer = self.head.build(self.width, shape, classes, z_dim)
        return nn.ModuleDict({"pair": Pair(features, z_dim, self.width), "answer": answer})

    def shown(self, layers: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
        """What the inner head shows."""
        assert isinstance(layers, nn.ModuleDict)
        return self.head.shown(layers["answer"], x, y)

    def answer(self, layers: nn.Module, features: Tensor, batch: Batch) -> Judgement:
        """The inner head's answer to the pair; the features are those of x."""
        assert isinstance(layers, nn.ModuleDict)
        pair = layers["pair"](features, batch.z)
        return replace(self.head.answer(layers["answer"], pair, batch), features=features)

    @property
    def grows(self) -> bool:
        """Where the inner head does."""
        return self.head.grows

    def grow(self, layers: nn.Module, leaf: int, optimiser: Optimizer) -> None:
        """The inner head's."""
        assert isinstance(layers, nn.ModuleDict)
        self.head.grow(layers["answer"], leaf, optimiser)


class Pair(nn.Module):
    """(N, F) and (N, Z) -> (N, width): a hidden layer of both and of their product."""

    def __init__(self, features: int, z_dim: int, width: int) -> None:
        super().__init__()
        self.x, self.z = nn.Linear(features, width), nn.Linear(z_dim, width)
        self.hidden = nn.Sequential(nn.Linear(3 * width, width), nn.LeakyReLU(0.2))

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """The hidden layer."""
        x, z = self.x(features), self.z(z)
        hidden: Tensor = self.hidden(torch.cat([x, z, x * z], 1))
        return hidden
