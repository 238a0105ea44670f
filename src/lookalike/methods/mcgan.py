"""AnoGAN, and MCGAN, whose D learns real images of another class as fake (mcgan-2021, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.game.batch import Batch
from lookalike.game.method import Method
from lookalike.game.needs import Need, needs
from lookalike.game.players import Players
from lookalike.game.source import Source


@dataclass(frozen=True)
class OtherClasses:
    """Real images of other classes. D learns them as fake (mcgan-2021, section 2.2). They have no known class."""

    real = False
    labelled = False
    made = False
    needs = needs(Need.OTHER_CLASSES)
    twin = None

    def __str__(self) -> str:
        return "images of the other class (--extra-fakes)"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images (n, *shape) of other classes. Raises UsageError where there are none."""
        # drawn at random in each step, as section 2.2 does where the classes differ in size
        return Batch(source.take_others(n), None, None, self.real)


# eq. 1 with the defaults of `Method`: Real and Generated, one logit, minimax, scored by V(x) (eqs. 2 to 5)
anogan = Method(
    name="anogan",
    paper="anogan-2017",
    summary=(
        "A plain GAN of the known class, whose score is the distance of an image to the closest image of G. "
        "A latent search finds that one. What G cannot imitate is unknown. This is the papers' DCGAN and AnoGAN "
        "baseline. A G that generalises also imitates look-alikes. Other methods aim to prevent that."
    ),
)

mcgan = anogan.but(
    name="mcgan",
    paper="mcgan-2021",
    summary=(
        "A GAN whose D also learns real images of another class as fake. So G does not learn to make images of that "
        "class. Name the look-alike class with --extra-fakes. The score is that of anogan."
    ),
    # section 2.2: a third group of D's input, labelled fake; the weight 1 is ours, the paper prints none
    d_sees=(*anogan.d_sees, (OtherClasses(), 1)),
)
