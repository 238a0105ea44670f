"""Conditioning: how G depends on the class. By an embedding beside z, a one-hot vector, batch norms, or not at all.

A net builds the same layers in every case. `only` turns a generator of many classes into a generator of one.
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
    """A way to make G conditional on the class."""

    @property
    def name(self) -> str:
        """Its name for `--conditioning`."""

    @property
    def conditional(self) -> bool:
        """Whether the class is an input of G."""

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """G of `classes` classes: (N, z_dim), and (N,) int64 where it is conditional, -> (N, *shape)."""

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G for one class: (N, z_dim) -> (N, *shape). `mix` (K,) is one-hot, or the shares of a mixture."""

    @property
    def grows(self) -> bool:
        """Whether its classes can be split."""

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Adds a class to G as a copy of `leaf` of `tree`, with the same Adam moments."""


@dataclass(frozen=True)
class Unconditional:
    """The class is no input of G."""

    name = "none"
    conditional = False
    grows = True

    def __str__(self) -> str:
        return "G is not conditional on the class"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's own generator."""
        return net.generator(shape, z_dim)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G."""
        return copy.deepcopy(generator)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Does nothing: G does not depend on the classes."""


@dataclass(frozen=True)
class Embedded:
    """A learnt vector per class, concatenated to z (gan-augmentation-2020, section IV.B.1).

    Parameters
    ----------
    size : int
        Entries of the vector.
    """

    size: int = 50
    name = "embedding"
    conditional = True
    grows = True

    def __str__(self) -> str:
        return f"the class as a learnt vector of {self.size} entries beside z"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator, whose z is longer by the class's vector."""
        return WithEmbedding(nn.Embedding(classes, self.size), net.generator(shape, z_dim + self.size))

    @torch.no_grad()
    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G whose first layer has the class's vector folded into its bias: W [z, v] = W_z z + W_v v."""
        assert isinstance(generator, WithEmbedding)
        assert mix is not None, "a conditional G needs a class"
        first, *rest = generator.body  # every net's G begins with a dense layer, see `WithEmbedding`
        assert isinstance(first, nn.Linear)
        vector = mix @ generator.embedding.weight  # of a mixture, the mean vector
        z_dim = first.in_features - self.size  # z comes before the vector, as in `WithEmbedding.forward`
        layer = nn.Linear(z_dim, first.out_features, device=vector.device)
        layer.weight.copy_(first.weight[:, :z_dim])
        layer.bias.copy_(first.weight[:, z_dim:] @ vector + (0.0 if first.bias is None else first.bias))
        return nn.Sequential(layer, *copy.deepcopy(rest)).train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Copies the leaf's vector."""
        assert isinstance(generator, WithEmbedding)
        copy_row(generator.embedding, leaf, optimiser)


class WithEmbedding(nn.Module):
    """A generator whose input is z and the class's vector in a row."""

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
    """The class as a one-hot vector in place of the first K entries of z (the authors' code of kplus1-2020, AC-GAN)."""

    name = "one-hot"
    conditional = True
    grows = False

    def __str__(self) -> str:
        return "the class as a one-hot vector in z's first entries"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's own generator. Raises UsageError where z has no more entries than there are classes."""
        if z_dim <= classes:
            raise UsageError(f"{classes} classes do not fit into a z of {z_dim} entries; take a longer z (--z)")
        return WithOneHot(classes, net.generator(shape, z_dim))

    @torch.no_grad()
    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G whose first layer has the one-hot entries folded into its bias."""
        assert isinstance(generator, WithOneHot)
        assert mix is not None, "a conditional G needs a class"
        body = copy.deepcopy(generator.body)
        first = body[0]
        assert isinstance(first, nn.Linear)
        constant = first.weight[:, : generator.classes] @ mix
        if first.bias is None:
            first.bias = nn.Parameter(torch.zeros_like(constant))
        first.bias.add_(constant)
        # zeros, not fewer columns: z keeps its length, so the search and the prior stay the same
        first.weight[:, : generator.classes] = 0
        return body.train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Is never called: `Method` refuses the combination."""
        raise AssertionError("z has no entry for a new class")


class WithOneHot(nn.Module):
    """A generator whose first K entries of z are replaced by the one-hot class."""

    def __init__(self, classes: int, body: nn.Module) -> None:
        super().__init__()
        assert isinstance(body, nn.Sequential)
        assert isinstance(body[0], nn.Linear), "generators begin with a dense layer"
        self.classes, self.body = classes, body

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        given = one_hot(y, self.classes).to(z)
        # the first K entries of z are drawn and not used, so that z has one length for all methods
        images: Tensor = self.body(torch.cat([given, z[:, self.classes :]], 1))
        return images


@dataclass(frozen=True)
class ClassBatchNorm:
    """Batch norm with a scale and a shift per class (splitting-gan-2017, section 3; Dumoulin et al. 2017)."""

    name = "batch-norm"
    conditional = True
    grows = True

    def __str__(self) -> str:
        return "class-conditional batch norm"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator, with every batch norm replaced by one with a scale and a shift per class."""
        body = net.generator(shape, z_dim)
        assert isinstance(body, nn.Sequential)
        return _per_class(body, classes)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G whose batch norms have the scale and the shift of the class."""
        assert isinstance(generator, PerClass)
        assert mix is not None, "a conditional G needs a class"
        return generator.only(mix).train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Adds a difference from the leaf's scale and shift for both halves, 0 at first (same section)."""
        for norm in [norm for norm in generator.modules() if isinstance(norm, NormPerClass)]:
            norm.grow(tree, leaf, optimiser)


class PerClass(nn.Module):
    """Layers in a row, of which some are conditional on the class."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        for layer in self.layers:
            z = layer(z, y) if isinstance(layer, Conditional) else layer(z)
        return z

    def only(self, mix: Tensor) -> nn.Sequential:
        """A copy for a mixture (K,) of classes, of layers without a class as input."""
        return nn.Sequential(
            *(layer.only(mix) if isinstance(layer, Conditional) else copy.deepcopy(layer) for layer in self.layers)
        )


class ResidualPerClass(nn.Module):
    """A residual block whose main path is conditional on the class."""

    def __init__(self, main: PerClass, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, ...), (N,) -> (N, ...)."""
        total: Tensor = self.main(x, y) + self.shortcut(x)
        return total

    def only(self, mix: Tensor) -> Residual:
        """The block for a mixture (K,) of classes."""
        return Residual(self.main.only(mix), copy.deepcopy(self.shortcut))


class NormPerClass(nn.Module):
    """Batch norm over all classes, then the scale gamma and the shift b of the image's class.

    For classes that were split, gamma and b are sums along the path from root to leaf: gamma_child = gamma_father +
    delta (splitting-gan-2017, section 3). The father's row trains on, so the halves share it.
    """

    paths: Tensor | None

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, affine=False)  # one mean and variance for all classes
        # gamma and b start as the identity for every class
        self.scale = nn.Parameter(torch.ones(classes, norm.num_features))
        self.shift = nn.Parameter(torch.zeros(classes, norm.num_features))
        # not persistent: a model file has the tree, and the paths follow from it
        self.register_buffer("paths", None, persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, C, ...), (N,) -> (N, C, ...)."""
        shape = (len(x), -1, *(1,) * (x.ndim - 2))  # the same for all places of a map
        scale, shift = self._of_leaves(self.scale), self._of_leaves(self.shift)
        normed: Tensor = self.norm(x) * scale[y].view(shape) + shift[y].view(shape)
        return normed

    @torch.no_grad()
    def only(self, mix: Tensor) -> nn.Module:
        """Batch norm with the scale and the shift of a mixture (K,) of classes."""
        norm = type(self.norm)(self.norm.num_features, device=self.scale.device)
        scale, shift = self._of_leaves(self.scale), self._of_leaves(self.shift)
        norm.load_state_dict(self.norm.state_dict() | {"weight": mix @ scale, "bias": mix @ shift})
        return norm

    def grow(self, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Adds a row of zeros for each half of `leaf`. Their Adam moments are copies of those of the leaf's row."""
        # both halves get a delta of 0, so G's images stay the same until the next step (section 3, item 2)
        for rows in (self.scale, self.shift):
            append(rows, rows.data.new_zeros(2, rows.shape[1]), tree.paths[leaf][-1], optimiser)
        self.paths = tree.split(leaf).index().to(self.scale.device)

    def _of_leaves(self, rows: Tensor) -> Tensor:
        """(K, C): the row of each class; after splits, the sum of the rows on the leaf's path."""
        if self.paths is None:
            return rows
        padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])  # -1 is the row of zeros
        # summed from the root on: a new row of zeros then changes no bit of the result
        return reduce(add, padded[self.paths].unbind(1))


Conditional = NormPerClass | ResidualPerClass  # layers that take the class


def _per_class(body: nn.Sequential, classes: int) -> PerClass:
    """`body` with a scale and a shift per class in its batch norms, and in those on the main path of its blocks."""
    layers: list[nn.Module] = []
    # only direct layers: a norm within a nested Sequential stays plain, as the last one of `Resnet`
    for layer in body:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layers.append(NormPerClass(layer, classes))
        elif isinstance(layer, Residual):
            assert isinstance(layer.main, nn.Sequential)
            # the shortcut has no norm
            layers.append(ResidualPerClass(_per_class(layer.main, classes), layer.shortcut))
        else:
            layers.append(layer)
    return PerClass(layers)
