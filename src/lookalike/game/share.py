"""A group's share of the batch size: a number, or a rule by epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EveryThird:
    """A share that differs in every third epoch (gan-augmentation-2020, section V.A, AC-GAN v3).

    Parameters
    ----------
    usual, third : float
        The share in the first two of three epochs, and in the third.
    """

    usual: float = 1.0
    third: float = 1.0

    def at(self, epoch: int) -> float:
        """The share in an epoch, counted from 0."""
        return self.third if epoch % 3 == 2 else self.usual

    def __format__(self, spec: str) -> str:
        return f"{self.usual:{spec}} (every third epoch {self.third:{spec}})"


Share = float | EveryThird


def share_at(share: Share, epoch: int) -> float:
    """A group's share of the batch size in an epoch, counted from 0."""
    return share if isinstance(share, float | int) else share.at(epoch)


def scaled(share: Share, factor: float) -> Share:
    """A constant share times `factor`. A share by epoch is returned as it is."""
    return share * factor if isinstance(share, float | int) else share
