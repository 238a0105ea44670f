"""A residual block (He et al. 2016, eq. 1): the sum of two paths."""

from __future__ import annotations

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
