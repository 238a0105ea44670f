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


@dataclass(frozen=True)
class Place:
    """Where an update of D stands in the passes over the real images.

    Parameters
    ----------
    epoch : int
        The pass over the real images, counted from 0.
    index : int
        How many updates before had the same share.
    third : bool
        Whether the share of the third epochs holds.
    """

    epoch: int
    index: int
    third: bool = False


def place(share: Share, update: int, batch: int, size: int) -> Place:
    """The place of an update whose real images have this share of `batch`, of `size` in all. Updates count from 0.

    Each share goes on in its own passes: two of every three passes have the usual one, and one has the other.
    """
    usual, third = (round(share_at(share, epoch) * batch) for epoch in (0, 2))
    if isinstance(share, float | int):
        return Place(update * usual // size, update)

    def before(cycle: int) -> tuple[int, int]:
        """Updates with each share before a cycle of three epochs."""
        return -(-2 * size * cycle // usual), -(-size * cycle // third)

    cycle = update * usual * third // (size * (2 * third + usual))
    while sum(before(cycle)) > update:  # an update that reaches over the end of a pass belongs to it
        cycle -= 1
    thirds, ends = before(cycle)[1], before(cycle + 1)[0]
    if update < ends + thirds:
        index = update - thirds
        return Place(cycle + index * usual // size, index)
    return Place(3 * cycle + 2, update - ends, third=True)
