"""Spectrally normalised GANs with and without classes in D: binary, AC-GAN, K + 1, Mode GAN (kplus1-2020)."""

from __future__ import annotations

from lookalike.game.heads import Auxiliary
from lookalike.game.heads_by_class import KPlusOne, Projection
from lookalike.game.latents import Normal
from lookalike.game.losses import AuxiliaryClass, Hinge, Minimax, Mode
from lookalike.game.method import Method
from lookalike.game.nets.conditioning import ClassBatchNorm, OneHot
from lookalike.game.nets.resnet import Resnet
from lookalike.game.optimiser import Adam

PAPER = "kplus1-2020"

sn_binary = Method(
    name="sn-binary",
    paper=PAPER,
    family="resnet",
    summary=(
        "A GAN of residual networks with a spectrally normalised D and without classes. "
        "The other methods of its paper are compared with it."
    ),
    # section 3.1 has "default hyperparameters"; network and step sizes are those of the authors' code
    net=Resnet(128, pool="sum"),
    latent=Normal(128),
    losses=(Hinge(),),
    spectral=True,
    optimiser=Adam(1e-4, 0.0, 0.999),
    d_optimiser=Adam(4e-4, 0.0, 0.999),
)

sn_acgan = sn_binary.but(
    name="sn-acgan",
    summary=(
        "AC-GAN on sn-binary: G is conditional on the class, and D also classifies each image. "
        "The class loss has a tenth of D's weight in G's loss."
    ),
    # section 2.3; the weight and the one-hot class are the authors' code's
    head=Auxiliary(),
    conditioning=OneHot(),
    losses=(Hinge(), AuxiliaryClass(g_weight=0.1)),
)

k_plus_one = sn_binary.but(
    name="k-plus-one",
    summary=(
        "A GAN whose D classifies images into the K known classes and one class of fakes. "
        "G has no class as input, and learns only from D's probability of fake. In theory it learns the same images as "
        "a GAN without classes."
    ),
    # eq. 1: minimax on log P(real) - log P(fake), plus the class cross-entropy of real images (see `KPlusOne`)
    head=KPlusOne(),
    losses=(Minimax(), AuxiliaryClass(on_fake=False, g_weight=0.0)),
)

mode = k_plus_one.but(
    name="mode",
    summary=(
        "As k-plus-one, but G maximises D's probability of the likeliest known class alone. "
        "In theory it makes fewer images between classes."
    ),
    # section 2.2: D's loss is unchanged, G minimises L_Dyn
    losses=(*k_plus_one.losses, Mode()),
)

sn_projection = sn_binary.but(
    name="sn-projection",
    summary=(
        "A GAN conditional on the class: G by its batch norms, D by projection, an inner product of its features with "
        "a vector of the class (Miyato and Koyama 2018)."
    ),
    head=Projection(),  # section 2.3
    conditioning=ClassBatchNorm(),
)

k_plus_one_projection = k_plus_one.but(
    name="k-plus-one-projection",
    summary="As k-plus-one, with G conditional on the class by its batch norms and D by projection on all its logits.",
    head=KPlusOne(projection=True),
    conditioning=ClassBatchNorm(),
)

mode_projection = k_plus_one_projection.but(
    name="mode-projection",
    summary="As mode, with G conditional on the class by its batch norms and D by projection on all its logits.",
    losses=mode.losses,
)
