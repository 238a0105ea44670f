"""Where z comes from: the prior of the generator's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latent(Protocol):
    """A prior over z."""

    @property
    def z_dim(self) -> int:
        """Number of entries of z."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) float32 on the CPU."""


@dataclass(frozen=True)
class Normal:
    """z ~ N(0, 1) (vtgan-2021, section 3; 100 entries, the weak twin 400)."""

    z_dim: int = 100

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) standard normal float32."""
        return torch.randn(n, self.z_dim, generator=generator)


@dataclass(frozen=True)
class Uniform:
    """z ~ U(-1, 1), the prior of the original DCGAN paper."""

    z_dim: int = 100

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, z_dim) float32 in [-1, 1)."""
        return torch.rand(n, self.z_dim, generator=generator) * 2 - 1
