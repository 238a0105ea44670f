"""A residual block (He et al. 2016, eq. 1), the sum of two paths, and its convolutions with their first weights."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Residual(nn.Module):
    """`main(x)` + `shortcut(x)`."""

    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...)."""
        total: Tensor = self.main(x) + self.shortcut(x)
        return total


def convolution(into: int, out: int, kernel: int, gain: float) -> nn.Conv2d:
    """A convolution that keeps the sides, with Glorot-uniform weights times `gain`."""
    layer = nn.Conv2d(into, out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    assert layer.bias is not None, "it has one"
    nn.init.zeros_(layer.bias)
    return layer


def inner(into: int, out: int) -> nn.Conv2d:
    """A 3 x 3 convolution within a block; the gain makes up for the half that ReLU removes."""
    return convolution(into, out, 3, math.sqrt(2))
