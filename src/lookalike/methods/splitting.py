"""WGAN-GP without and with classes, and Splitting GAN (splitting-gan-2017, sections 2.2 and 3)."""

from __future__ import annotations

from lookalike.game.heads import Auxiliary
from lookalike.game.latents import Normal
from lookalike.game.losses import AuxiliaryClass, Wasserstein
from lookalike.game.method import Method
from lookalike.game.nets.conditioning import ClassBatchNorm
from lookalike.game.nets.resnet import Resnet
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import GradientPenalty
from lookalike.game.splitting import Splitting

PAPER = "splitting-gan-2017"

wgan_gp = Method(
    name="wgan-gp",
    paper=PAPER,
    family="critic",
    summary=(
        "A GAN whose critic estimates the distance between the generated and the real images. "
        "A gradient penalty keeps the norm of its gradient near 1. "
        "The critic has five updates for each one of G. There are no classes."
    ),
    net=Resnet(128),
    latent=Normal(128),
    losses=(Wasserstein(),),  # eq. 4, first line
    penalty=GradientPenalty(),  # eq. 4, second line, lambda = 10
    # optimiser, five updates and decay are those of the authors' code; the paper prints none
    optimiser=Adam(2e-4, 0.0, 0.9),
    d_steps=5,
    decay=True,
)

wgan_gp_classes = wgan_gp.but(
    name="wgan-gp-classes",
    summary=(
        "wgan-gp with classes: G is conditional on the class by its batch norms, and the critic also classifies real "
        "images. The class loss has a tenth of the critic's weight in G's loss."
    ),
    # section 3 for the batch norms; the weights 1 and 0.1, and real images alone, are the authors' code's
    head=Auxiliary(),
    conditioning=ClassBatchNorm(),
    losses=(Wasserstein(), AuxiliaryClass(on_fake=False, g_weight=0.1)),
)

splitting = wgan_gp_classes.but(
    name="splitting",
    summary=(
        "wgan-gp-classes that splits its classes in two during training, by clusters of the critic's features. "
        "So it finds sub-classes, also of a single class."
    ),
    splitting=Splitting(),
)
