"""f-AnoGAN (f-anogan-2019): a WGAN-GP of the known class, then an encoder; an image is scored by one pass of it.

The latent search of AnoGAN is slow. Here an encoder E learns, once the game has ended, to give the z whose image is
closest: G and D stay as they are, and E minimises izi_f (section 3.2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lookalike.game.batch import Batch, Judged
from lookalike.game.method import Method, Twin
from lookalike.game.needs import Need, needs
from lookalike.game.nets.encoder import Encoder
from lookalike.game.optimiser import Adam
from lookalike.game.players import Players
from lookalike.game.score import EncoderPass, LatentSearch
from lookalike.game.source import Source
from lookalike.game.streams import Real
from lookalike.methods.splitting import wgan_gp


@dataclass(frozen=True)
class Reconstructed:
    """G(E(x)) of real images x; gradients reach E."""

    real = None
    labelled = False
    made = True
    needs = needs(Need.ENCODER)
    twin = None

    def __str__(self) -> str:
        return "what G makes of the encoder's z of the same images"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n reconstructions, by the mean of E's posterior."""
        x, y = source.take_known(n)
        told = y if gan.conditional else None
        z = gan.infer(x, told, None)
        return Batch(gan.make(z, told), told, z, self.real)


@dataclass(frozen=True)
class Reconstruction:
    """izi_f: mean square of x - G(E(x)), and kappa times that of D's features of the two (eq. 2).

    Parameters
    ----------
    kappa : float
        Weight of the features' distance; 1 as published.
    """

    kappa: float = 1.0
    name = "reconstruction"
    needs = needs(Need.SAME_ROWS)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return f"mean square of x - G(E(x)), and {self.kappa:g} times that of D's features"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Nothing: D stays as it is."""
        return torch.zeros(())

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Of the real images and what was made of them, row by row."""
        x, made = judged
        residual = (x.batch.x - made.batch.x).square().mean()
        return residual + self.kappa * (x.says.features - made.says.features).square().mean()  # eq. 2


@dataclass(frozen=True)
class Inverting:
    """A method's encoder, to be trained after its game: G and D stay as they are.

    Parameters
    ----------
    kappa : float
        Weight of the features' distance in izi_f.
    lr : float
        Step size (ours: the authors' code takes RMSProp with 5e-5, far too small for so few steps).
    """

    kappa: float = 1.0
    lr: float = 1e-3

    def __call__(self, method: Method) -> Method:
        """The method that trains E alone."""
        alone = {"d_sees": (), "d_steps": 0, "penalty": None, "diff_augment": None, "splitting": None, "start": None}
        return method.but(
            **alone,
            g_plays=((Real(), 1), (Reconstructed(), 1)),
            losses=(Reconstruction(self.kappa),),
            encoder=Encoder(),
            makers=("E",),
            optimiser=Adam(self.lr, 0.5, 0.999),
            d_optimiser=None,
            twins=(),
            score=LatentSearch(),
        )


f_anogan = wgan_gp.but(
    name="f-anogan",
    paper="f-anogan-2019",
    summary=(
        "A WGAN-GP learns the known class; then an encoder learns to give the z of an image, with G and D as they are. "
        "An image is scored by one pass of the encoder: how far what G makes of its z is from it. That takes "
        "milliseconds, where the latent search of anogan takes seconds."
    ),
    family="f-anogan",
    twins=(Twin("encoder", Inverting(), after=0.75),),
    score=EncoderPass(),
)
