"""Priors of G's input: of z (axis "latent") and of the class (axis "labels")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lookalike.game.source import Source


class Latent(Protocol):
    """A prior of z."""

    @property
    def name(self) -> str:
        """Its name for `--latent`, or another one."""

    @property
    def z_dim(self) -> int:
        """Z, the number of entries of z."""

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) float32 on the CPU. With `truncation` no entry is larger in size than it."""

    def within(self, z: Tensor) -> Tensor:
        """z (n, z_dim) moved to where the prior has its mass, row by row. The latent search stays there."""


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, 1) (vtgan-2021, section 3; 100 entries, 400 for the weak twin: section 3.1.1, i)."""

    z_dim: int = 100
    name = "normal"

    def __str__(self) -> str:
        return f"{self.z_dim} entries, standard normal"

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) float32, standard normal within [-truncation, truncation] (Brock et al. 2019, section 3.1)."""
        if truncation is None:
            return torch.randn(n, self.z_dim, generator=generator)
        z = torch.empty(n, self.z_dim)
        return torch.nn.init.trunc_normal_(z, a=-truncation, b=truncation, generator=generator)

    def within(self, z: Tensor) -> Tensor:
        """z whose rows have at most length sqrt(z_dim). Nearly all draws of the prior are about that long."""
        # the mass of a normal prior of many dimensions is a thin shell of this radius, not the centre
        length: Tensor = torch.linalg.vector_norm(z, dim=1, keepdim=True)
        return z * (math.sqrt(self.z_dim) / length).clamp(max=1)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1), the prior of DCGAN (Radford et al. 2016, figure 1)."""

    z_dim: int = 100
    name = "uniform"

    def __str__(self) -> str:
        return f"{self.z_dim} entries, uniform in [-1, 1]"

    def draw(self, n: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
        """(n, z_dim) float32, uniform in [-1, 1), or in [-truncation, truncation) where that is smaller."""
        # a smaller range is the truncation of a uniform prior
        return (torch.rand(n, self.z_dim, generator=generator) * 2 - 1) * min(1.0, truncation or 1.0)

    def within(self, z: Tensor) -> Tensor:
        """z with entries clamped to [-1, 1]."""
        return z.clamp(-1, 1)


class Labels(Protocol):
    """A prior of the classes that are the input of G."""

    @property
    def name(self) -> str:
        """Its name for `--labels`, or another one."""

    @property
    def balances(self) -> bool:
        """Whether D gets real images of every class equally often too, however rare it is."""

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) int64 class numbers on the CPU."""


@dataclass(frozen=True)
class UniformLabels:
    """Uniform over the classes, as in the authors' code of gan-augmentation-2020: rare classes are what it is for."""

    name = "uniform"
    balances = False

    def __str__(self) -> str:
        return "every class equally often"

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) int64 class numbers, uniform from 0 to K - 1."""
        # the classes of the source: after a split these are the sub-classes (splitting-gan-2017, section 3)
        return torch.randint(source.classes, (n,), generator=generator)


@dataclass(frozen=True)
class BalancedLabels(UniformLabels):
    """Uniform over the classes, of generated and of real images.

    Where only the generated classes are uniform, D finds an image fake because its class is rare among the real ones,
    and G learns nothing else about that class.
    """

    name = "balanced"
    balances = True

    def __str__(self) -> str:
        return "every class equally often, of real images too"


@dataclass(frozen=True)
class LabelsAsInData:
    """Each class as often as among the training images."""

    name = "data"
    balances = False

    def __str__(self) -> str:
        return "as in the training images"

    def draw(self, n: int, source: Source, generator: torch.Generator) -> Tensor:
        """(n,) int64 labels of training images, drawn at random with replacement."""
        # drawing rows in place of classes gives the classes' shares without counting them
        return source.labels[torch.randint(len(source.labels), (n,), generator=generator)]
