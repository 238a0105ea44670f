"""How G is told which class to make: not at all, by an embedding beside z, or by class-conditional batch norm.

Told or not, a net builds the same layers; `only` turns the generator of many classes into that of one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lookalike.nets import Net, Shape


class Conditioning(Protocol):
    """A way to tell G the class."""

    @property
    def labelled(self) -> bool:
        """Whether G makes images of a class that is asked for."""

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """G of so many classes."""

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """(N, z_dim) -> (N, *shape): a copy of G that makes one class, 1 in `mix` (K,), or what lies between some."""


@dataclass(frozen=True)
class Unconditional:
    """G is told nothing."""

    labelled = False

    def __str__(self) -> str:
        return "G is not told a class"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's own generator."""
        return net.generator(shape, z_dim)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """A copy."""
        return copy.deepcopy(generator)


@dataclass(frozen=True)
class Embedded:
    """A learnt vector per class, concatenated to z (gan-augmentation-2020, section 2.2).

    Parameters
    ----------
    size : int
        Entries of the vector.
    """

    size: int = 50
    labelled = True

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
class ClassBatchNorm:
    """Batch norm with a scale and a shift per class (splitting-gan-2017, section 3; Dumoulin et al. 2017)."""

    labelled = True

    def __str__(self) -> str:
        return "class-conditional batch norm"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> nn.Module:
        """The net's generator with its batch norms replaced."""
        body = net.generator(shape, z_dim)
        assert isinstance(body, nn.Sequential)
        norms = nn.BatchNorm1d | nn.BatchNorm2d
        return PerClass(NormPerClass(layer, classes) if isinstance(layer, norms) else layer for layer in body)

    def only(self, generator: nn.Module, mix: Tensor | None) -> nn.Module:
        """Each norm keeps the class's scale and shift."""
        assert isinstance(generator, PerClass)
        assert mix is not None, "a class is asked for"
        layers = (layer.only(mix) if isinstance(layer, NormPerClass) else layer for layer in generator.layers)
        return nn.Sequential(*map(copy.deepcopy, layers)).train(generator.training)


class PerClass(nn.Module):
    """Layers in a row, of which some are told the class."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(N, Z), (N,) -> (N, *shape)."""
        for layer in self.layers:
            z = layer(z, y) if isinstance(layer, NormPerClass) else layer(z)
        return z


class NormPerClass(nn.Module):
    """Batch norm over all classes, then a scale and a shift of the image's own."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, affine=False)
        self.scale = nn.Parameter(torch.ones(classes, norm.num_features))
        self.shift = nn.Parameter(torch.zeros(classes, norm.num_features))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, C, ...), (N,) -> (N, C, ...)."""
        shape = (len(x), -1, *(1,) * (x.ndim - 2))
        normed: Tensor = self.norm(x) * self.scale[y].view(shape) + self.shift[y].view(shape)
        return normed

    @torch.no_grad()
    def only(self, mix: Tensor) -> nn.Module:
        """Batch norm with the scale and the shift of a mix (K,) of classes."""
        norm = type(self.norm)(self.norm.num_features, device=self.scale.device)
        norm.load_state_dict(self.norm.state_dict() | {"weight": mix @ self.scale, "bias": mix @ self.shift})
        return norm
