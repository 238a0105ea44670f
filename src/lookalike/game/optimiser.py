"""Settings of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adam:
    """Settings of Adam (Kingma and Ba 2015). The defaults are DCGAN's, because mcgan-2021 and vtgan-2021 print none.

    Parameters
    ----------
    lr : float
        Step size.
    beta1, beta2 : float
        Decay of the means of the gradient and of its square.
    """

    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999

    def __str__(self) -> str:
        return f"Adam, step size {self.lr:g}, beta_1 {self.beta1:g}, beta_2 {self.beta2:g}"
