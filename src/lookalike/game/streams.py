"""What D's images are, and what D learns them to be: a method is mostly a list of streams.

A stream draws a `Batch`: images, a class where one means something, and the label real or fake that D learns. Streams
that belong to one paper (other classes, noised images, a twin's images) live in that paper's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lookalike.game.batch import Batch
from lookalike.game.needs import NOTHING, Needs
from lookalike.game.players import Players
from lookalike.game.source import Source


class Stream(Protocol):
    """One kind of images. All but `draw` is known before a batch is drawn, so that `Method` can check itself."""

    @property
    def real(self) -> bool | None:
        """What D learns these images to be: real, fake, or None: D's realness of them is not asked."""

    @property
    def labelled(self) -> bool:
        """Whether the images carry classes of the known ones; of images that G makes, G's conditioning says it."""

    @property
    def made(self) -> bool:
        """Whether this GAN's own players make the images, so that they can learn from D's answer."""

    @property
    def needs(self) -> Needs:
        """What it needs of the other parts of a method."""

    @property
    def twin(self) -> str | None:
        """The twin that makes the images or encodes them, where the stream needs one."""

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images for `gan`, drawn with the randomness of `source`."""


@dataclass(frozen=True)
class Real:
    """Real images of the known classes, with their classes."""

    real = True
    labelled = True
    made = False
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "images of the known class"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images."""
        x, y = source.take_known(n)
        return Batch(x, y, None, self.real)


@dataclass(frozen=True)
class Unlabelled:
    """Real images of the known classes whose class nobody gave (Salimans et al. 2016, section 5)."""

    real = True
    labelled = False
    made = False
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "images of the known classes without a label"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images; D learns their realness alone."""
        return Batch(source.take_unlabelled(n), None, None, self.real)


@dataclass(frozen=True)
class Generated:
    """The generator's images, of drawn classes where G is conditional."""

    real = False
    labelled = False
    made = True
    needs = NOTHING
    twin = None

    def __str__(self) -> str:
        return "G's images"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n generated images and their classes; gradients reach G unless the caller turned them off."""
        z, y = gan.latents(source, n)
        return Batch(gan.make(z, y), y, z, self.real)
