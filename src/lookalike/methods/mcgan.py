"""MCGAN (mcgan-2021, section 2.2): real images of another class are shown to D as fake; and its base, AnoGAN."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.game.batch import Batch
from lookalike.game.method import Method
from lookalike.game.needs import Need, needs
from lookalike.game.players import Players
from lookalike.game.source import Source


@dataclass(frozen=True)
class OtherClasses:
    """Real images of other classes, taught to be fake. They carry no label: it would not be one of the known."""

    real = False
    labelled = False
    made = False
    needs = needs(Need.OTHER_CLASSES)
    twin = None

    def __str__(self) -> str:
        return "images of the other class (--extra-fakes)"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images of other classes."""
        return Batch(source.take_others(n), None, None, self.real)


anogan = Method(
    name="anogan",
    paper="anogan-2017",
    summary=(
        "A plain GAN learns the known class. An image is scored by searching the latent vector whose generated "
        "image comes closest: what the generator cannot imitate is unknown. This is the papers' DCGAN and AnoGAN "
        "baseline. A generator that generalises also imitates look-alikes, which is what the other methods work "
        "against."
    ),
)

mcgan = anogan.but(
    name="mcgan",
    paper="mcgan-2021",
    summary=(
        "A GAN whose discriminator also sees real images of another class, labelled fake, so that the generator "
        "is told off for generalising towards that class. Name the look-alike with --extra-fakes; images are scored "
        "as by anogan."
    ),
    d_sees=(*anogan.d_sees, (OtherClasses(), 1)),
)
