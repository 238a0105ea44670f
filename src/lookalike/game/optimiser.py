"""How weights are updated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adam:
    """Settings of an Adam optimiser (2e-4 and beta_1 0.5: DCGAN's, since the papers are silent)."""

    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def __str__(self) -> str:
        return f"Adam, step size {self.lr:g}, beta_1 {self.beta1:g}, beta_2 {self.beta2:g}"
