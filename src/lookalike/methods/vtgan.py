"""Vanishing Twin GAN and NoiseGAN: D learns poor images of the known class as fake (vtgan-2021, 3.1 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from lookalike.base.errors import UsageError
from lookalike.base.words import percent
from lookalike.game.batch import Batch
from lookalike.game.device import sent
from lookalike.game.latents import Normal
from lookalike.game.method import Method, Twin
from lookalike.game.needs import NOTHING, Need, needs
from lookalike.game.nets import Net
from lookalike.game.players import Players
from lookalike.game.score import LatentSearch
from lookalike.game.source import Source
from lookalike.game.streams import Generated
from lookalike.methods.mcgan import anogan


@dataclass(frozen=True)
class Noised:
    """Real images with noise, which D learns as fake (section 4.2, iii). The levels are ours, the paper prints none.

    Parameters
    ----------
    sigma : float
        Standard deviation of Gaussian noise, for images in [-1, 1]; 0 is none.
    salt_pepper : float
        Share of entries that become -1 or 1, half each, from 0 to 1; 0 is none.

    Raises
    ------
    UsageError
        If both are 0.
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
            raise UsageError("noise 0 and salt and pepper 0 leave the images real; give --noise or --salt-pepper")

    def __str__(self) -> str:
        kinds = (f"Gaussian noise of sigma {self.sigma:g}", f"{percent(self.salt_pepper)} salt and pepper")
        levels = (self.sigma, self.salt_pepper)
        noises = [kind for kind, level in zip(kinds, levels, strict=True) if level > 0]
        return "images of the known class under " + " and ".join(noises)

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n real images with noise, without a class."""
        x, _ = source.take_known(n)
        random = source.generator()
        if self.sigma > 0:
            # drawn on the CPU, as all randomness, then moved
            noise = source.ranks.own(n, lambda n: torch.randn(n, *x.shape[1:], generator=random))
            x = x + self.sigma * sent(noise, x.device)
        if self.salt_pepper > 0:
            u = sent(source.ranks.own(n, lambda n: torch.rand(n, *x.shape[1:], generator=random)), x.device)
            half = self.salt_pepper / 2  # pepper below it, salt from there to `salt_pepper`
            x = torch.where(u < half, -1.0, torch.where(u < self.salt_pepper, 1.0, x))
        # clamped to the range of real images, or D would detect noise by its range; vectors have none
        return Batch(x.clamp(-1, 1) if x.ndim == 4 else x, None, None, self.real)


@dataclass(frozen=True)
class FromTwin:
    """Images by the G of a twin that trains beside, which D learns as fake (section 3.1).

    Parameters
    ----------
    twin : str
        Name of the twin.
    """

    twin: str = "weak"
    real = False
    labelled = False
    made = False
    needs = needs(Need.TWIN)

    def __str__(self) -> str:
        return f"images of the {self.twin} twin"

    def draw(self, gan: Players, source: Source, n: int) -> Batch:
        """n images by the twin's G, without a class."""
        # no gradient: the twin must not learn from this GAN's D
        with torch.no_grad():
            return Batch(Generated().draw(gan.twins[self.twin], source, n).x, None, None, self.real)


@dataclass(frozen=True)
class Weakened:
    """A method's weak twin: a longer z, a shallower network, no extra fakes (section 3.1.1, i to iii).

    Parameters
    ----------
    z_dim : int
        Entries of the twin's z; 400 as published (i).
    layers : int or None
        Transposed convolutions of its G, and convolutions of its D; 1 as published (ii).
    stride : int or None
        Stride of each transposed convolution (iii; the value is not printed).
    g_pool : int or None
        Max-pooling after each transposed convolution (iii; the value is not printed); 1 is none.
    pool : int or None
        Max-pooling after each convolution of its D.

    None is the value of the network's weak member. Networks without these layers take None alone.
    """

    z_dim: int = 400
    layers: int | None = None
    stride: int | None = None
    g_pool: int | None = None
    pool: int | None = None

    def __call__(self, method: Method) -> Method:
        """The plain GAN on the weak network, with a D of images alone. Raises UsageError for layers that it lacks."""
        head = method.head.of_images  # the twin has no encoder, and so no pairs
        real = [(stream, share) for stream, share in method.g_plays if not stream.made]  # a loss of pairs needs them
        plain = {"d_sees": anogan.d_sees, "g_plays": (*real, *anogan.g_plays), "head": head}
        plain |= {"encoder": None, "score": LatentSearch()}  # it scores nothing
        return method.but(**plain, net=self._net(method.net.weak()), latent=Normal(self.z_dim), twins=(), start=None)

    def _net(self, weak: Net) -> Net:
        """The network's weak member with the twin's own layers."""
        own = {name: getattr(self, name) for name in ("layers", "stride", "g_pool", "pool")}
        given = {name: value for name, value in own.items() if value is not None}
        if lacking := [name for name in given if not isinstance(getattr(weak, name, None), int)]:
            raise UsageError(
                f"the weak twin's network {weak.name} has no {lacking[0]} to set; use anogan, or leave it out"
            )
        return replace(weak, **given)  # type: ignore[type-var]


noisegan = anogan.but(
    name="noisegan",
    paper="vtgan-2021",
    summary=(
        "A GAN whose D also learns the known class's own images with noise as fake. The noise is Gaussian, or salt and "
        "pepper. It is the control of vtgan: does any disturbed image help as much as a weak twin's? "
        "The score is that of anogan."
    ),
    d_sees=(*anogan.d_sees, (Noised(), 1)),  # section 4.2, iii
)

vtgan = anogan.but(
    name="vtgan",
    paper="vtgan-2021",
    summary=(
        "A GAN whose D also learns the images of a weak twin as fake, a GAN that trains beside it. The weak twin has "
        "one layer, a longer z and larger strides, so it makes only blurry images. As the normal D learns these as "
        "fake, the normal G must do better. No other class is needed. The weak twin vanishes after training. "
        "The score is that of anogan."
    ),
    d_sees=(*anogan.d_sees, (FromTwin("weak"), 1)),  # section 3.1
    twins=(Twin("weak", Weakened()),),
)
