"""A group's share of the batch size: a number, or one that changes with the epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EveryThird:
    """A share that differs in the third of every three epochs (gan-augmentation-2020, AC-GAN v3)."""

    usual: float = 1.0
    third: float = 1.0

    def at(self, epoch: int) -> float:
        """The share in this epoch, counted from 0."""
        return self.third if epoch % 3 == 2 else self.usual

    def __format__(self, spec: str) -> str:
        return f"{self.usual:{spec}} (every third epoch {self.third:{spec}})"


Share = float | EveryThird


def share_at(share: Share, epoch: int) -> float:
    """A group's share of the batch size in this epoch."""
    return share if isinstance(share, float | int) else share.at(epoch)


def scaled(share: Share, factor: float) -> Share:
    """A constant share times `factor`; one that changes stays."""
    return share * factor if isinstance(share, float | int) else share
