"""What D is shown, and under which verdict (design 1: a method is mostly a list of streams).

A stream draws a `Batch`: images with a label where one means something, and a verdict that D is taught. Streams
that belong to one paper (other classes, noised images, a twin's images) live in that paper's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lookalike.game.batch import Batch
from lookalike.game.players import Players
from lookalike.game.source import Source


class Stream(Protocol):
    """One kind of images shown to D. `real` and `labelled` are known before a batch is drawn."""

    @property
    def real(self) -> bool | None:
        """The verdict that D is taught; None: realness is not asked."""

    @property
    def labelled(self) -> bool:
        """Whether the images carry labels of the known classes."""

    @property
    def made(self) -> bool:
        """Whether this GAN's own players made the images, so that G can learn from D's answer."""

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images for `gan`, drawn with the randomness of `source`."""


@dataclass(frozen=True)
class Real:
    """Real images of the known classes, with their labels."""

    real = True
    labelled = True
    made = False

    def __str__(self) -> str:
        return "images of the known class"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images."""
        x, y = source.take_known(n)
        return Batch(x, y, None, self.real)


@dataclass(frozen=True)
class Unlabelled:
    """Real images of the known classes of which nobody says which (Salimans et al. 2016, section 5)."""

    real = True
    labelled = False
    made = False

    def __str__(self) -> str:
        return "images of the known classes without a label"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images; D is asked their realness alone."""
        return Batch(source.take_unlabelled(n), None, None, self.real)


@dataclass(frozen=True)
class Generated:
    """The generator's images; of the classes that it was asked for, where it is told one."""

    real = False
    labelled = False
    made = True

    def __str__(self) -> str:
        return "G's images"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n generated images with the classes asked for; gradients reach G unless the caller turned them off."""
        z, y = gan.latents(source, n)
        return Batch(gan.make(z, y), y, z, self.real)


class NeedsTwin:
    """Base of streams that show a twin's images, or use its encoder where it `encodes`; `twin` is the twin's name."""

    twin: str
    encodes = False


class NeedsOthers:
    """Base of streams that show images of classes that are not to be known."""


class NeedsEncoder:
    """Base of streams that show real images with the z of this GAN's encoder, which learns from D's answer."""
