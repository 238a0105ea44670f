"""How G is told which class to make: not at all, by an embedding beside z, a one-hot vector, or batch norm per class.

Told or not, a net builds the same layers; `only` turns the generator of many classes into that of one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from lookalike.base.errors import UsageError
from lookalike.game.growth import append, copy_row
from lookalike.game.nets.residual import Residual
from lookalike.game.tree import Tree

if TYPE_CHECKING:
    from lookalike.game.nets import Net, Shape


class Conditioning(Protocol):
    """A way to tell G the class."""

    @property
    def conditional(self) -> bool:
        """Whether G makes images of a class that is asked for."""

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """G of so many classes."""

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """(N, z_dim) -> (N, *shape): a copy of G that makes one class, 1 in `mix` (K,), or what lies between some."""

    @property
    def grows(self) -> bool:
        """Whether its classes can be split."""

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """One more class, of which G makes what it makes of `leaf` in `tree`, with the same moments."""


@dataclass(frozen=True)
class Unconditional:
    """G is told nothing."""

    conditional = False
    grows = True

    def __str__(self) -> str:
        return "G is not told a class"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's own generator."""
        return net.generator(shape, z_dim)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy."""
        return copy.deepcopy(generator)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Nothing: G knows no classes."""


@dataclass(frozen=True)
class Embedded:
    """A learnt vector per class, concatenated to z (gan-augmentation-2020, section 2.2).

    Parameters
    ----------
    size : int
        Entries of the vector.
    """

    size: int = 50
    conditional = True
    grows = True

    def __str__(self) -> str:
        return f"the class as a learnt vector of {self.size} entries beside z"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator of z and the vector."""
        return WithEmbedding(nn.Embedding(classes, self.size), net.generator(shape, z_dim + self.size))

    @torch.no_grad()
    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """The class's vector becomes a bias of the first layer."""
        assert isinstance(generator, WithEmbedding)
        assert mix is not None, "a class is asked for"
        first, *rest = generator.body
        assert isinstance(first, nn.Linear)
        vector = mix @ generator.embedding.weight
        z_dim = first.in_features - self.size
        layer = nn.Linear(z_dim, first.out_features, device=vector.device)
        layer.weight.copy_(first.weight[:, :z_dim])
        layer.bias.copy_(first.weight[:, z_dim:] @ vector + (0.0 if first.bias is None else first.bias))
        return nn.Sequential(layer, *copy.deepcopy(rest)).train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """The leaf's vector once more."""
        assert isinstance(generator, WithEmbedding)
        copy_row(generator.embedding, leaf, optimiser)


class WithEmbedding(nn.Module):
    """A generator behind the concatenation of z and the class's vector."""

    def __init__(self, embedding: nn.Embedding, body: nn.Module) -> None:
        super().__init__()
        assert isinstance(body, nn.Sequential)
        assert isinstance(body[0], nn.Linear), "generators begin with a dense layer"
        self.embedding, self.body = embedding, body

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        images: Tensor = self.body(torch.cat([z, self.embedding(y)], 1))
        return images


@dataclass(frozen=True)
class OneHot:
    """The class as a one-hot vector in place of z's first K entries (kplus1-2020's AC-GAN)."""

    conditional = True
    grows = False

    def __str__(self) -> str:
        return "the class as a one-hot vector in z's first entries"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's own generator; UsageError where z is too short."""
        if z_dim <= classes:
            raise UsageError(f"{classes} classes do not fit into a z of {z_dim} entries; use a larger --z")
        return WithOneHot(classes, net.generator(shape, z_dim))

    @torch.no_grad()
    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """The class's entries of z become a bias of the first layer."""
        assert isinstance(generator, WithOneHot)
        assert mix is not None, "a class is asked for"
        body = copy.deepcopy(generator.body)
        first = body[0]
        assert isinstance(first, nn.Linear)
        told = first.weight[:, : generator.classes] @ mix
        if first.bias is None:
            first.bias = nn.Parameter(torch.zeros_like(told))
        first.bias.add_(told)
        first.weight[:, : generator.classes] = 0
        return body.train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Never: `Method` refuses it."""
        raise AssertionError("z has no entry for a new class")


class WithOneHot(nn.Module):
    """A generator whose z is told the class in its first entries."""

    def __init__(self, classes: int, body: nn.Module) -> None:
        super().__init__()
        assert isinstance(body, nn.Sequential)
        assert isinstance(body[0], nn.Linear), "generators begin with a dense layer"
        self.classes, self.body = classes, body

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        told = one_hot(y, self.classes).to(z)
        images: Tensor = self.body(torch.cat([told, z[:, self.classes :]], 1))
        return images


@dataclass(frozen=True)
class ClassBatchNorm:
    """Batch norm with a scale and a shift per class (splitting-gan-2017, section 3; Dumoulin et al. 2017)."""

    conditional = True
    grows = True

    def __str__(self) -> str:
        return "class-conditional batch norm"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator with its batch norms replaced, those of residual blocks too."""
        body = net.generator(shape, z_dim)
        assert isinstance(body, nn.Sequential)
        return _per_class(body, classes)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """Each norm keeps the class's scale and shift."""
        assert isinstance(generator, PerClass)
        assert mix is not None, "a class is asked for"
        return generator.only(mix).train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Both halves' differences from the leaf's scale and shift, 0 to begin with (section 3)."""
        for norm in [norm for norm in generator.modules() if isinstance(norm, NormPerClass)]:
            norm.grow(tree, leaf, optimiser)


class PerClass(nn.Module):
    """Layers in a row, of which some are told the class."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        for layer in self.layers:
            z = layer(z, y) if isinstance(layer, Told) else layer(z)
        return z

    def only(self, mix: Tensor) -> nn.Sequential:
        """A copy whose layers know a mix (K,) of classes alone."""
        return nn.Sequential(
            *(layer.only(mix) if isinstance(layer, Told) else copy.deepcopy(layer) for layer in self.layers)
        )


class ResidualPerClass(nn.Module):
    """A residual block whose main path is told the class."""

    def __init__(self, main: PerClass, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, ...), (N,) -> (N, ...)."""
        total: Tensor = self.main(x, y) + self.shortcut(x)
        return total

    def only(self, mix: Tensor) -> Residual:
        """The block of a mix (K,) of classes."""
        return Residual(self.main.only(mix), copy.deepcopy(self.shortcut))


class NormPerClass(nn.Module):
    """Batch norm over all classes, then a scale and a shift of the image's own.

    Of classes that were split these are sums along the leaf's path, so that halves go on sharing what they have in
    common (splitting-gan-2017, section 3).
    """

    paths: Tensor | None

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, affine=False)
        self.scale = nn.Parameter(torch.ones(classes, norm.num_features))
        self.shift = nn.Parameter(torch.zeros(classes, norm.num_features))
        self.register_buffer("paths", None, persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, C, ...), (N,) -> (N, C, ...)."""
        shape = (len(x), -1, *(1,) * (x.ndim - 2))
        scale, shift = self._of_leaves(self.scale), self._of_leaves(self.shift)
        normed: Tensor = self.norm(x) * scale[y].view(shape) + shift[y].view(shape)
        return normed

    @torch.no_grad()
    def only(self, mix: Tensor) -> nn.Module:
        """Batch norm with the scale and the shift of a mix (K,) of classes."""
        norm = type(self.norm)(self.norm.num_features, device=self.scale.device)
        scale, shift = self._of_leaves(self.scale), self._of_leaves(self.shift)
        norm.load_state_dict(self.norm.state_dict() | {"weight": mix @ scale, "bias": mix @ shift})
        return norm

    def grow(self, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Two rows of zeros below the leaf's own; their moments are those of that row."""
        for rows in (self.scale, self.shift):
            append(rows, rows.data.new_zeros(2, rows.shape[1]), tree.paths[leaf][-1], optimiser)
        self.paths = tree.split(leaf).index().to(self.scale.device)

    def _of_leaves(self, rows: Tensor) -> Tensor:
        """(K, C): each class's row, or the sum of those on its path, from the root on, so that zeros change no bit."""
        if self.paths is None:
            return rows
        padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])  # -1 is the row of zeros
        return reduce(add, padded[self.paths].unbind(1))


Told = NormPerClass | ResidualPerClass


def _per_class(body: nn.Sequential, classes: int) -> PerClass:
    """Layers in a row whose batch norms, and those on a block's main path, have a scale and a shift per class."""
    layers: list[nn.Module] = []
    for layer in body:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layers.append(NormPerClass(layer, classes))
        elif isinstance(layer, Residual):
            assert isinstance(layer.main, nn.Sequential)
            layers.append(ResidualPerClass(_per_class(layer.main, classes), layer.shortcut))
        else:
            layers.append(layer)
    return PerClass(layers)
