"""A trained GAN whose networks no longer change, as a score sees it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lookalike.base.errors import UsageError
from lookalike.detect.search import Inverter, Search, padded
from lookalike.game.batch import Batch, Judgement
from lookalike.game.gan import GAN
from lookalike.game.needs import Need
from lookalike.game.scored import Found, Parts


class FrozenGAN:
    """See `lookalike.game.score.Frozen`.

    Parameters
    ----------
    gan : GAN
        Trained; its averaged generator makes the images, where there is one.
    search : Search
        How the latent search goes, and how many images are in a block.
    label : int or None
        The class, of a GAN that is conditional.

    Raises
    ------
    UsageError
        Where the search names a layer that D does not have.
    """

    def __init__(self, gan: GAN, search: Search, label: int | None) -> None:
        self.gan, self.inverter = gan, Inverter(gan, search, label)
        self.own = self.inverter.leaves

    @property
    def features(self) -> int:
        """How many features D's trunk gives."""
        return self.inverter.D.n_features

    def search(self, x: Tensor) -> Found:
        """The latent search of all images (N, *shape)."""
        return self.inverter.search(x)

    @torch.no_grad()
    def each(self, of: Callable[[Tensor], Parts], x: Tensor) -> Parts:
        """`of` in padded blocks of one size; raises UsageError for images of another shape."""
        if tuple(x.shape[1:]) != self.gan.shape:
            raise UsageError(f"this model takes images of shape {self.gan.shape}, not {tuple(x.shape[1:])}")
        size, found = self.inverter.slots, list[Parts]()
        for block in x.split(size):
            said = of(padded(block, size).to(self.gan.device))
            found.append({name: part[: len(block)].cpu() for name, part in said.items()})
        return {name: torch.cat([part[name] for part in found]) for name in found[0]}

    def encode(self, x: Tensor) -> Tensor:
        """z (N, Z) of images: the mean of the encoder's posterior."""
        return self.gan.encode(x, self.inverter.labels(x))

    def image(self, z: Tensor) -> Tensor:
        """Images (N, *shape) of z, of the class."""
        return self.inverter.made(z, None)

    def judge(self, x: Tensor, z: Tensor | None = None) -> Judgement:
        """What D says; of a class with sub-classes, as one of the likeliest where D is conditional on it."""
        head = self.gan.method.head
        several = len(self.own) > 1 and Need.LABELS in head.needs
        y = self.inverter.likeliest(x).to(x.device) if several else self.inverter.labels(x)
        if z is None and Need.Z in head.needs:
            z = self.encode(x)
        says: Judgement = self.inverter.D(Batch(x, y, z, None))
        return says
