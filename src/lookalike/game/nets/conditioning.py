"""Conditioning: how G depends on the class. By an embedding beside z, a one-hot vector, batch norms, or not at all.

A net builds the same layers in every case. `only` turns a generator of many classes into a generator of one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lookalike.base.errors import UsageError
from lookalike.game.growth import copy_row
from lookalike.game.nets.class_norm import NormPerClass, OfOneClass, PerClass, per_class
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
        # compared, because one_hot reads its values on a CPU
        given = (y[:, None] == torch.arange(self.classes, device=y.device)).to(z)
        # the first K entries of z are drawn and not used, so that z has one length for all methods
        images: Tensor = self.body(torch.cat([given, z[:, self.classes :]], 1))
        return images


@dataclass(frozen=True)
class ClassBatchNorm:
    """Batch norm with a scale and a shift per class (splitting-gan-2017, section 3; Dumoulin et al. 2017).

    Parameters
    ----------
    with_z : bool
        Scale and shift also have a part that is linear in z (Brock et al. 2019, BigGAN, section 3 and appendix B).
        Without it the class comes in at every norm and z at the first layer alone, and a narrow G makes one image per
        class.
    """

    with_z: bool = False
    conditional = True
    grows = True

    @property
    def name(self) -> str:
        """See `Conditioning`."""
        return "batch-norm-z" if self.with_z else "batch-norm"

    def __str__(self) -> str:
        return "class-conditional batch norm" + ", with z" * self.with_z

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator, with every batch norm replaced by one with a scale and a shift per class."""
        body = net.generator(shape, z_dim)
        assert isinstance(body, nn.Sequential)
        return per_class(body, classes, z_dim if self.with_z else 0)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy of G whose batch norms have the scale and the shift of the class."""
        assert isinstance(generator, PerClass)
        assert mix is not None, "a conditional G needs a class"
        alone = generator.only(mix)
        return (OfOneClass(alone) if isinstance(alone, PerClass) else alone).train(generator.training)

    def grow(self, generator: nn.Module, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Adds a difference from the leaf's scale and shift for both halves, 0 at first (same section)."""
        for norm in [norm for norm in generator.modules() if isinstance(norm, NormPerClass)]:
            norm.grow(tree, leaf, optimiser)
