"""R3GAN (r3gan-2024): relativistic pairing loss, R1 and R2, and residual networks without normalisation.

The authors argue that a GAN trains without tricks if its loss pairs real and fake images and D's gradient is penalised
at both. Then its networks can be plain and modern. Ours are smaller than theirs (section 3, table 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lookalike.game.batch import Judged
from lookalike.game.heads_by_class import Projection
from lookalike.game.latents import Normal
from lookalike.game.method import Method
from lookalike.game.needs import Need, needs
from lookalike.game.nets import Shape, Stages, divisible, halvings
from lookalike.game.nets.conditioning import Embedded
from lookalike.game.nets.residual import Residual
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import ZeroCentred
from lookalike.game.streams import Generated, Real

GRAIN = 4  # sides are halved at least twice
LEAST = 4  # px, side of the smallest map, if the sides can be halved so often
EXPANSION, GROUP = 2, 16  # of a block: inner channels per channel, and channels per group (table 3)
SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True)
class RelativisticPairing:
    """The relativistic pairing loss: of the difference of D between a real and a fake image (eq. 2).

    With f(t) = log(1 + exp(-t)), D minimises f(D(x) - D(G(z))) and G minimises f(D(G(z)) - D(x)).
    """

    name = "relativistic"
    needs = needs(Need.REAL_IN_G, Need.EQUAL_GROUPS, Need.TOGETHER)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "relativistic pairing"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """The mean over pairs of log(1 + exp(D(fake) - D(real))), a scalar."""
        real, fake = (_realness(judged, label) for label in (True, False))
        return softplus(fake - real).mean()  # eq. 2: f(t) = softplus(-t), t = real - fake

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """The mean over pairs of log(1 + exp(D(real) - D(fake))), a scalar."""
        real, fake = (_realness(judged, label) for label in (True, False))
        return softplus(real - fake).mean()  # eq. 2 with the labels exchanged


def _realness(judged: Sequence[Judged], label: bool) -> Tensor:
    """(N,) realness of all groups with this label, in a row."""
    return torch.cat([one.says.realness for one in judged if one.batch.real is label])


@dataclass(frozen=True)
class R3Resnet:
    """Networks of residual blocks without normalisation: 1 x 1, grouped 3 x 3 and 1 x 1 convolutions (section 3).

    The last layer of each block starts at zero, so at first a block adds nothing (Fixup, Zhang et al. 2019). Ours are
    one block per size in place of two, a dense layer in place of a modulated constant, and tanh after G.

    Parameters
    ----------
    width : int
        Channels of every block in G and D.
    """

    width: int = 128
    name = "r3gan"
    feature_layer = "level1"
    initial_weights = "Kaiming-normal by fan-in, the last layer of each block 0"
    multiple = GRAIN
    d_batch_norm = False

    def __str__(self) -> str:
        return f"r3gan, width {self.width}: residual blocks without normalisation"

    def generator(self, shape: Shape, z_dim: int) -> nn.Module:
        """G: (N, z_dim) -> (N, C, H, W) float32 in [-1, 1]."""
        c, h, w = divisible(shape, GRAIN, self.name)
        levels = _levels(h, w)
        seed = (self.width, h >> levels, w >> levels)
        layers: list[nn.Module] = [_started(nn.Linear(z_dim, math.prod(seed))), nn.Unflatten(1, seed)]
        for _ in range(levels):
            layers += [_block(self.width), nn.Upsample(scale_factor=2, mode="bilinear")]
        return nn.Sequential(*layers, _block(self.width), _started(nn.Conv2d(self.width, c, 1)), nn.Tanh())

    def trunk(self, shape: Shape) -> Stages:
        """D's stages level0 (of the image's size) to the smallest map, and features: (N, C, H, W) -> (N, width)."""
        c, h, w = divisible(shape, GRAIN, self.name)
        levels = _levels(h, w)
        first = nn.Sequential(_started(nn.Conv2d(c, self.width, 1)), _block(self.width))
        stages: Stages = [("level0", first)]
        stages += [(f"level{i}", nn.Sequential(nn.AvgPool2d(2), _block(self.width))) for i in range(1, levels + 1)]
        # one kernel as large as the map, per channel: a weighted sum in place of a mean
        whole = nn.Conv2d(self.width, self.width, (h >> levels, w >> levels), groups=self.width)
        return [*stages, ("features", nn.Sequential(_started(whole), nn.Flatten()))]

    def weak(self) -> R3Resnet:
        """The same with a quarter of the width."""
        return replace(self, width=max(2, self.width // 4))


def _levels(h: int, w: int) -> int:
    """Number of times that the sides are halved: down to about `LEAST`, and at least twice."""
    return min(halvings(h, w), max(2, round(math.log2(max(h, w) / LEAST))))


def _block(width: int) -> Residual:
    """1 x 1, grouped 3 x 3, 1 x 1 convolutions, with leaky ReLUs between and more channels within (table 3)."""
    inner = EXPANSION * width
    # small networks in tests have fewer channels than a group
    groups = inner // GROUP if inner % GROUP == 0 else 1
    middle = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
    last = nn.Conv2d(inner, width, 1)
    nn.init.zeros_(last.weight)  # Fixup: without normalisation, blocks must start as the identity
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    relu = nn.LeakyReLU(SLOPE)
    return Residual(
        nn.Sequential(_started(nn.Conv2d(width, inner, 1)), relu, _started(middle), relu, last), nn.Identity()
    )


def _started(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The layer with Kaiming-normal weights (He et al. 2015) and biases 0."""
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


r3gan = Method(
    name="r3gan",
    paper="r3gan-2024",
    summary=(
        "A modern GAN without tricks: D learns how much more real a real image is than a fake image paired with it. "
        "Penalties keep its gradient small at real and at fake images (R1 and R2). Its residual networks have no "
        "normalisation. One GAN learns all known classes. G and D are conditional on the class."
    ),
    family="r3gan",
    net=R3Resnet(128),
    latent=Normal(64),
    losses=(RelativisticPairing(),),
    penalty=ZeroCentred(1.0),  # R1 + R2, section 2.2
    head=Projection(),
    conditioning=Embedded(),
    g_plays=((Real(), 1), (Generated(), 1)),  # G's loss needs pairs too
    optimiser=Adam(2e-4, 0.0, 0.99),
)
