"""A trained GAN with fixed networks: the input of a score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lookalike.base.errors import UsageError
from lookalike.detect.search import Inverter, Search, padded
from lookalike.game.batch import Batch, Judgement
from lookalike.game.gan import GAN
from lookalike.game.needs import Need
from lookalike.game.score import Rows
from lookalike.game.scored import Found, Parts


class FrozenGAN:
    """A trained GAN of one class; it implements `lookalike.game.score.Frozen`.

    Parameters
    ----------
    gan : GAN
        A trained GAN. Its averaged generator makes the images, if there is one.
    search : Search
        Settings of the latent search.
    label : int or None
        The class of the detector, for a conditional GAN.

    Raises
    ------
    UsageError
        If the search names a layer that D does not have.
    """

    def __init__(self, gan: GAN, search: Search, label: int | None) -> None:
        self.gan, self.inverter = gan, Inverter(gan, search, label)
        self.own = self.inverter.leaves

    @property
    def features(self) -> int:
        """F, the number of features of D's trunk."""
        return self.inverter.D.n_features

    def search(self, x: Tensor, *, encoded: bool = False) -> Found:
        """The latent search for images (N, *shape), float32 in [-1, 1]; `encoded`: it starts at the encoder's z."""
        start = self.each(lambda block: {"z": self.encode(block)}, x)["z"] if encoded else None
        return self.inverter.search(x, start)

    @torch.no_grad()
    def each(self, of: Callable[[Tensor], Parts], x: Rows) -> Parts:
        """`of` applied in padded blocks of one size. Raises UsageError for images of another shape."""
        if tuple(x.shape[1:]) != self.gan.shape:
            raise UsageError(f"this model takes images of shape {self.gan.shape}, not {tuple(x.shape[1:])}")
        size, found = self.inverter.block, list[Parts]()
        for block in (x[i : i + size] for i in range(0, max(1, len(x)), size)):
            # padded: other block sizes give other bits
            said = of(padded(block, size).to(self.gan.device))
            found.append({name: part[: len(block)].cpu() for name, part in said.items()})
        return {name: torch.cat([part[name] for part in found]) for name in found[0]}

    def encode(self, x: Tensor) -> Tensor:
        """z (N, Z) of images: the mean of the encoder's posterior."""
        return self.gan.encode(x, self.inverter.labels(x))

    def image(self, z: Tensor) -> Tensor:
        """G's images (N, *shape) of the class, for z (N, Z)."""
        return self.inverter.made(z, None)

    def judge(self, x: Tensor, z: Tensor | None = None) -> Judgement:
        """D's answer to images (N, *shape) or pairs.

        For a class with sub-classes, a conditional D gets the likeliest sub-class of each image.
        """
        head = self.gan.method.head
        # without a label a conditional D has no input for the class, so the sub-class is estimated first
        several = len(self.own) > 1 and Need.LABELS in head.needs
        y = self.inverter.likeliest(x).to(x.device) if several else self.inverter.labels(x)
        if z is None and Need.Z in head.needs:  # a head of pairs
            z = self.encode(x)
        says: Judgement = self.inverter.D(Batch(x, y, z, None))
        return says
