"""Filling in rare classes (gan-augmentation-2020): CGAN, AC-GAN, and AC-GAN with other shares of real images."""

from __future__ import annotations

from lookalike.game.heads import Auxiliary, LabelAware
from lookalike.game.losses import AuxiliaryClass, Minimax
from lookalike.game.nets.conditioning import Embedded
from lookalike.game.share import EveryThird
from lookalike.game.streams import Generated, Real
from lookalike.methods.mcgan import anogan

PAPER = "gan-augmentation-2020"

cgan = anogan.but(
    name="cgan",
    paper=PAPER,
    summary=(
        "A conditional GAN: G makes images of the class that it is asked for, and D is told the class of each image "
        "that it judges. One GAN learns all known classes, so rare ones borrow from common ones."
    ),
    head=LabelAware(),
    conditioning=Embedded(),
)

acgan = cgan.but(
    name="acgan",
    summary=(
        "G makes images of the class that it is asked for; D is not told the class but must name it, of real and of "
        "generated images. One GAN learns all known classes. D is shown as many real as generated images."
    ),
    head=Auxiliary(),
    losses=(Minimax(), AuxiliaryClass()),
)

acgan_v1 = acgan.but(
    name="acgan-v1",
    summary="AC-GAN whose D is shown one real image for three generated ones.",
    d_sees=((Real(), 0.5), (Generated(), 1.5)),
)

acgan_v2 = acgan.but(
    name="acgan-v2",
    summary="AC-GAN whose D is shown three real images for a generated one.",
    d_sees=((Real(), 1.5), (Generated(), 0.5)),
)

acgan_v3 = acgan.but(
    name="acgan-v3",
    summary=(
        "AC-GAN whose D is shown three real images for a generated one, and in every third epoch as many of both. "
        "The authors' public code of it does not differ from v2's; this is the paper's words."
    ),
    d_sees=((Real(), EveryThird(1.5, 1.0)), (Generated(), EveryThird(0.5, 1.0))),
)
