"""Our recommended GAN of several classes, of which some may be rare. Its parts were chosen by measurement."""

from __future__ import annotations

from lookalike.game.latents import BalancedLabels
from lookalike.game.nets.conditioning import ClassBatchNorm
from lookalike.game.nets.pyramid import Pyramid
from lookalike.methods.kplus1 import sn_projection

auto_gan = sn_projection.but(
    name="auto-gan",
    summary=(
        "The GAN that we recommend for several classes, also where some are rare. It is sn-projection with three "
        "changes: D sees real images of every class equally often, z also moves the scales and shifts of G's class "
        "norms, and the networks have more channels where their maps are small."
    ),
    family="auto-gan",
    net=Pyramid(),
    conditioning=ClassBatchNorm(with_z=True),
    labels=BalancedLabels(),
)
