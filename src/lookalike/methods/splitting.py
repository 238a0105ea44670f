"""WGAN-GP, without and with classes, and class-splitting GAN (splitting-gan-2017, sections 2 and 3)."""

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
        "A GAN whose critic measures how far generated images are from real ones, its slope held near 1 by a gradient "
        "penalty; five updates of the critic for one of G. It is told no class."
    ),
    net=Resnet(128),
    latent=Normal(128),
    losses=(Wasserstein(),),
    penalty=GradientPenalty(),
    optimiser=Adam(2e-4, 0.0, 0.9),
    d_steps=5,
    decay=True,
)

wgan_gp_classes = wgan_gp.but(
    name="wgan-gp-classes",
    summary=(
        "wgan-gp whose G is told the class by its batch norms, and whose critic also names the class of real images; G "
        "minds the class a tenth as much as the critic does."
    ),
    head=Auxiliary(),
    conditioning=ClassBatchNorm(),
    losses=(Wasserstein(), AuxiliaryClass(on_fake=False, g_weight=0.1)),
)

splitting = wgan_gp_classes.but(
    name="splitting",
    summary=(
        "wgan-gp-classes whose classes are split in two while it trains, by clusters of the critic's features: it "
        "finds sub-classes of its own, also of a single class."
    ),
    splitting=Splitting(),
)
