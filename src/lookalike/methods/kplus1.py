"""What class information in D does (kplus1-2020): spectrally normalised GANs, binary, AC-GAN, K + 1 and Mode GAN."""

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
        "A GAN of residual networks whose D is spectrally normalised and told no class: the base that the other "
        "methods of its paper are compared with."
    ),
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
        "AC-GAN on sn-binary: G is told the class, and D names that of each image beside its realness; G minds the "
        "class a tenth as much as D does."
    ),
    head=Auxiliary(),
    conditioning=OneHot(),
    losses=(Hinge(), AuxiliaryClass(g_weight=0.1)),
)

k_plus_one = sn_binary.but(
    name="k-plus-one",
    summary=(
        "D sorts images into the K known classes and one of fakes; G is told no class and minds whether its images are "
        "taken for fakes. In theory it learns the same images as without classes."
    ),
    head=KPlusOne(),
    losses=(Minimax(), AuxiliaryClass(on_fake=False, g_weight=0.0)),
)

mode = k_plus_one.but(
    name="mode",
    summary=(
        "As k-plus-one, and G minds the likeliest class alone: images that D is sure to be of some class. In theory it "
        "leaves out what lies between classes."
    ),
    losses=(*k_plus_one.losses, Mode()),
)

sn_projection = sn_binary.but(
    name="sn-projection",
    summary=(
        "G is told the class by its batch norms, and D by an inner product of its features with a vector of the class "
        "(Miyato and Koyama 2018)."
    ),
    head=Projection(),
    conditioning=ClassBatchNorm(),
)

k_plus_one_projection = k_plus_one.but(
    name="k-plus-one-projection",
    summary="As k-plus-one, with G told the class by its batch norms and D by projection onto all of its logits.",
    head=KPlusOne(projection=True),
    conditioning=ClassBatchNorm(),
)

mode_projection = k_plus_one_projection.but(
    name="mode-projection",
    summary="As mode, with G told the class by its batch norms and D by projection onto all of its logits.",
    losses=mode.losses,
)
