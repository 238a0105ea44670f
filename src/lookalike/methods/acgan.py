"""CGAN and AC-GAN, and AC-GAN with other shares of real images (gan-augmentation-2020, sections IV.B and V.A)."""

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
        "A conditional GAN: the class is an input of G, and of D beside each image. "
        "One GAN learns all known classes, so rare classes can profit from common ones."
    ),
    # section IV.B.1: a dense embedding of the class; the loss is that of a plain GAN
    head=LabelAware(),
    conditioning=Embedded(),
)

acgan = cgan.but(
    name="acgan",
    summary=(
        "A GAN whose G is conditional on the class, and whose D also classifies each image, real or generated. "
        "G learns from that too. One GAN learns all known classes. D gets as many real as generated images."
    ),
    head=Auxiliary(),
    # eqs. 2 and 3: D maximises L_S + L_C, G maximises L_C - L_S
    losses=(Minimax(), AuxiliaryClass()),
)

acgan_v1 = acgan.but(
    name="acgan-v1",
    summary="AC-GAN whose D gets one real image for every three generated ones.",
    # section V.A: 25 % real. Shares sum to 2, as in acgan, so that the batch of D stays as large
    d_sees=((Real(), 0.5), (Generated(), 1.5)),
)

acgan_v2 = acgan.but(
    name="acgan-v2",
    summary="AC-GAN whose D gets three real images for every generated one.",
    d_sees=((Real(), 1.5), (Generated(), 0.5)),  # section V.A: 75 % real
)

acgan_v3 = acgan.but(
    name="acgan-v3",
    summary=(
        "AC-GAN whose D gets three real images for every generated one, and in every third epoch as many of both. "
        "This follows the paper. The authors' public code of it is the same as that of v2."
    ),
    # section V.A: 75 % real, 50 % in every third epoch
    d_sees=((Real(), EveryThird(1.5, 1.0)), (Generated(), EveryThird(0.5, 1.0))),
)
