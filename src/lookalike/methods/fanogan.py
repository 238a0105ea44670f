"""f-AnoGAN (f-anogan-2019): a WGAN-GP of the known class, then an encoder that scores an image in one pass.

The latent search of AnoGAN is slow. Here an encoder E learns to return the z whose image is closest. It trains after
the game, with G and D fixed, and minimises izi_f (section 3.2.3).
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
    """Reconstructions G(E(x)) of real images x. D learns no label for them."""

    real = None
    labelled = False
    made = True
    needs = needs(Need.ENCODER)
    twin = None

    def __str__(self) -> str:
        return "what G makes from the encoder's z of the same images"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n reconstructions with their z, from the mean of E's posterior. Gradients reach E."""
        x, y = source.take_known(n)
        given = y if gan.conditional else None
        z = gan.infer(x, given, None)  # the mean: the paper's encoder is not random
        return Batch(gan.make(z, given), given, z, self.real)


@dataclass(frozen=True)
class Reconstruction:
    """izi_f: the mean square of x - G(E(x)), plus kappa times that of D's features of the two (eq. 2).

    Parameters
    ----------
    kappa : float
        Weight of the distance in features; 1 as published.
    """

    kappa: float = 1.0
    name = "reconstruction"
    needs = needs(Need.SAME_ROWS)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return f"mean square of x - G(E(x)), and {self.kappa:g} times that of D's features"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """0: D does not learn."""
        return torch.zeros(())

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """izi_f, a scalar, of the real images and their reconstructions, row by row."""
        x, made = judged  # in this order: Need.SAME_ROWS
        # means over the batch and over entries: the batch size does not change the step
        residual = (x.batch.x - made.batch.x).square().mean()
        # eq. 2 of f-anogan-2019; f is the last layer of features before D's output
        return residual + self.kappa * (x.says.features - made.says.features).square().mean()


@dataclass(frozen=True)
class Inverting:
    """The twin that trains a method's encoder after its game, with G and D fixed.

    Parameters
    ----------
    kappa : float
        Weight of the distance in features in izi_f.
    lr : float
        Step size (ours; the authors' code has RMSProp with 5e-5, which is too small for so few steps).
    """

    kappa: float = 1.0
    lr: float = 1e-3

    def __call__(self, method: Method) -> Method:
        """A method that trains E alone."""
        # d_steps 0 and makers E: neither D nor G learns, and both run in eval mode
        # without the game: no D step, and none of the parts that belong to it
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
            score=LatentSearch(),  # a score without needs; the twin scores nothing
        )


f_anogan = wgan_gp.but(
    name="f-anogan",
    paper="f-anogan-2019",
    summary=(
        "A WGAN-GP of the known class, and then an encoder, one pass of which scores an image. "
        "The encoder learns to return the z of an image, with G and D fixed. "
        "The score is the distance between an image and what G makes from its encoded z. One pass of the encoder takes "
        "milliseconds, where the latent search of anogan takes seconds."
    ),
    family="f-anogan",
    # section 3.2: the encoder trains after the GAN; its share of the steps is ours
    twins=(Twin("encoder", Inverting(), after=0.75),),
    score=EncoderPass(),
)
