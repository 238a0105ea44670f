"""Streams: the sources of D's input images, each with the label that D learns. A method is mostly a list of streams.

A stream draws a `Batch`: images, their classes where they have some, and the label real, fake or none. Streams of one
paper alone (other classes, noised images, a twin's images) are in that paper's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from lookalike.game.batch import Batch
from lookalike.game.device import sent
from lookalike.game.needs import NOTHING, Needs
from lookalike.game.players import Players
from lookalike.game.source import Source


class Stream(Protocol):
    """One kind of images. All but `draw` is fixed before a batch is drawn, so that `Method` can check itself."""

    @property
    def real(self) -> bool | None:
        """The label that D learns for these images: True for real, False for fake, None for no label."""

    @property
    def labelled(self) -> bool:
        """Whether the images have known classes. For images that G makes, G's conditioning decides in its place."""

    @property
    def made(self) -> bool:
        """Whether G or E of this GAN made the images, so that they can learn from D's answer."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method; `Method` refuses what is missing."""

    @property
    def twin(self) -> str | None:
        """Name of the twin that makes the images or encodes them, or None."""

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images, drawn with the generator of `source`."""


@dataclass(frozen=True)
class Real:
    """Real images of the known classes, with their classes. D learns them as real (vtgan-2021, eq. 1, first term).

    Parameters
    ----------
    dequantised : bool
        Each value of an image is drawn anew between its grey level and the next: 2 (x + u) / 256 - 1 with u uniform in
        [0, 1), as in the authors' code of splitting-gan-2017. Vectors stay as they are.
    """

    dequantised: bool = False
    real = True
    labelled = True
    made = False
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "images of the known class" + ", between grey levels" * self.dequantised

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images (n, *shape) and their classes (n,)."""
        x, y = source.take_known(n)
        if self.dequantised and x.ndim == 4:
            random = source.generator()
            u = source.ranks.own(n, lambda n: torch.rand(n, *x.shape[1:], generator=random))
            x = (127.5 * (x + 1) + sent(u, x.device)) / 128 - 1
        return Batch(x, y, None, self.real)  # no z: it needs an encoder, see `Encoded`


@dataclass(frozen=True)
class Unlabelled:
    """Real images of the known classes without a class label (Salimans et al. 2016, section 5)."""

    real = True
    labelled = False
    made = False
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "images of the known classes without a label"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images (n, *shape). Without a class, D learns only that they are real."""
        return Batch(source.take_unlabelled(n), None, None, self.real)


@dataclass(frozen=True)
class Generated:
    """Images by G, of drawn classes where G is conditional. D learns them as fake (vtgan-2021, eq. 1, second term)."""

    real = False
    labelled = False
    made = True
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "G's images"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n generated images, their classes and z. Gradients reach G unless the caller disabled them."""
        # z goes into the batch too, because a head of pairs takes it
        z, y = gan.latents(source, n)
        return Batch(gan.make(z, y), y, z, self.real)
