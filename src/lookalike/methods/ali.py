"""Adversarially Learned Inference (Dumoulin et al. 2017), told classes as in gan-augmentation-2020, section V.B.

D judges pairs: an image and the z that the encoder E gives it are real, a z and the image that G makes of it are fake
(eq. 4). G and E play together against D, so that E learns to undo G.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lookalike.heads import Joint
from lookalike.method import NeedsEncoder
from lookalike.methods.augmentation import cgan
from lookalike.nets.encoder import Encoder
from lookalike.streams import Batch, Generated, Source

if TYPE_CHECKING:
    from lookalike.gan import GAN


@dataclass(frozen=True)
class Encoded(NeedsEncoder):
    """Real images with a z drawn from E's posterior, taught to be real; E is one of the players."""

    real = True
    labelled = True
    made = True

    def __str__(self) -> str:
        return "images of the known class with their encoded z"

    def draw(self, gan: GAN, source: Source, n: int) -> Batch:
        """n pairs (x, E(x)); gradients reach E unless the caller turned them off."""
        x, y = source.take_known(n)
        told = y if gan.method.conditioning.labelled else None
        return Batch(x, told, gan.infer(x, told, source.generator()), self.real)


ali = cgan.but(
    name="ali",
    paper="ali-2017",
    summary=(
        "A GAN with an encoder: D judges pairs, a real image with the z that the encoder gives it against a z with the "
        "image that G makes of it, and G and the encoder learn together until the pairs cannot be told apart. One GAN "
        "learns all known classes, and all three networks are told the class."
    ),
    d_sees=((Encoded(), 1), (Generated(), 1)),
    g_plays=((Encoded(), 1), (Generated(), 1)),
    head=Joint(),
    encoder=Encoder(),
)
