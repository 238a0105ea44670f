"""Vanishing Twin GAN and NoiseGAN (vtgan-2021, sections 3.1 and 4.2): poor images of the known class shown as fake."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lookalike.base.errors import UsageError
from lookalike.game.batch import Batch
from lookalike.game.latents import Normal
from lookalike.game.method import Method, Twin
from lookalike.game.needs import NOTHING, Need, needs
from lookalike.game.players import Players
from lookalike.game.score import LatentSearch
from lookalike.game.source import Source
from lookalike.game.streams import Generated
from lookalike.methods.mcgan import anogan


@dataclass(frozen=True)
class Noised:
    """Real images with noise, taught to be fake (section 4.2 ii; the levels are ours, the paper prints none).

    Parameters
    ----------
    sigma : float
        Standard deviation of Gaussian noise on [-1, 1]; 0 is none.
    salt_pepper : float
        Share of entries set to -1 or 1, half each; 0 is none.
    """

    sigma: float = 0.3
    salt_pepper: float = 0.0
    real = False
    labelled = False
    made = False
    needs = NOTHING
    twin = None

    def __post_init__(self) -> None:
        if not (self.sigma > 0 or self.salt_pepper > 0):
            raise UsageError("noise of sigma 0 and 0 salt and pepper leaves real images; give --noise or --salt-pepper")

    def __str__(self) -> str:
        kinds = (f"Gaussian noise of sigma {self.sigma:g}", f"{self.salt_pepper:.0%} salt and pepper")
        levels = (self.sigma, self.salt_pepper)
        noises = [kind for kind, level in zip(kinds, levels, strict=True) if level > 0]
        return "images of the known class under " + " and ".join(noises)

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n noised real images."""
        x, _ = source.take_known(n)
        random = source.generator()
        if self.sigma > 0:
            x = x + self.sigma * torch.randn(x.shape, generator=random).to(x.device)
        if self.salt_pepper > 0:
            u = torch.rand(x.shape, generator=random).to(x.device)
            half = self.salt_pepper / 2
            x = torch.where(u < half, -1.0, torch.where(u < self.salt_pepper, 1.0, x))
        return Batch(x.clamp(-1, 1) if x.ndim == 4 else x, None, None, self.real)


@dataclass(frozen=True)
class FromTwin:
    """Images by the GAN that trains beside, taught to be fake; no gradient reaches that GAN."""

    twin: str = "weak"
    real = False
    labelled = False
    made = False
    needs = needs(Need.TWIN)

    def __str__(self) -> str:
        return f"images of the {self.twin} twin"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images of the twin's generator."""
        with torch.no_grad():
            return Batch(Generated().draw(gan.twins[self.twin], source, n).x, None, None, self.real)


@dataclass(frozen=True)
class Weakened:
    """A method's weak twin: longer z, a shallower network, a plain game (section 3.1.1 i to iii)."""

    z_dim: int = 400

    def __call__(self, method: Method) -> Method:
        """The plain GAN on the weak network, which judges images alone."""
        head = method.head.of_images
        real = [(stream, share) for stream, share in method.g_plays if not stream.made]  # a paired loss needs them
        plain = {"d_sees": anogan.d_sees, "g_plays": (*real, *anogan.g_plays), "head": head}
        plain |= {"encoder": None, "score": LatentSearch()}  # it scores nothing
        return method.but(**plain, net=method.net.weak(), latent=Normal(self.z_dim), twins=(), start=None)


noisegan = anogan.but(
    name="noisegan",
    paper="vtgan-2021",
    summary=(
        "A GAN whose discriminator also sees the known class's own images under noise (Gaussian or salt and "
        "pepper), labelled fake. It is vtgan's control: does any disturbed image help as much as a weak twin's? "
        "Scored as by anogan."
    ),
    d_sees=(*anogan.d_sees, (Noised(), 1)),
)

vtgan = anogan.but(
    name="vtgan",
    paper="vtgan-2021",
    summary=(
        "Two GANs learn the known class side by side. The weak twin (one layer, a longer z, coarse strides) only "
        "reaches blurry look-alikes, and the normal twin's discriminator sees those as fake, so that its "
        "generator does not stop there. Needs no other class. The weak twin vanishes after training; images are "
        "scored as by anogan."
    ),
    d_sees=(*anogan.d_sees, (FromTwin("weak"), 1)),
    twins=(Twin("weak", Weakened()),),
)
