"""R3GAN (r3gan-2024): relativistic pairing loss, R1 and R2, and residual networks without normalisation.

The authors' argument: a loss that pairs real and fake images, with a penalty on D's slope at both, makes a GAN train
without tricks, so that its networks may be plain and modern. Ours are theirs made small (section 3, table 3).
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
from lookalike.game.nets import Shape, Stages, divisible
from lookalike.game.nets.conditioning import Embedded
from lookalike.game.nets.residual import Residual
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import ZeroCentred
from lookalike.game.streams import Generated, Real

GRAIN = 4  # sides are halved twice at least
LEAST = 4  # pixels of the smallest map's side, where the sides can be halved so often
EXPANSION, GROUP = 2, 16  # of a block's inner channels: how many more, and how many to a group (table 3)
SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True)
class RelativisticPairing:
    """Each real image is paired with a fake one, and the margin of D between the two counts (eq. 2, f = log(1 + e^-t)).

    D minimises f(D(x) - D(G(z))), G minimises f(D(G(z)) - D(x)).
    """

    name = "relativistic"
    needs = needs(Need.REAL_IN_G, Need.EQUAL_GROUPS, Need.TOGETHER)
    moves_g = True
    teaches_classes = False

    def __str__(self) -> str:
        return "relativistic pairing"

    def d(self, judged: Sequence[Judged]) -> Tensor:
        """Mean over pairs of log(1 + exp(D(fake) - D(real)))."""
        real, fake = (_realness(judged, label) for label in (True, False))
        return softplus(fake - real).mean()

    def g(self, judged: Sequence[Judged]) -> Tensor:
        """Mean over pairs of log(1 + exp(D(real) - D(fake)))."""
        real, fake = (_realness(judged, label) for label in (True, False))
        return softplus(real - fake).mean()


def _realness(judged: Sequence[Judged], label: bool) -> Tensor:
    """(N,) realness of all groups of a label, in a row."""
    return torch.cat([one.says.realness for one in judged if one.batch.real is label])


@dataclass(frozen=True)
class R3Resnet:
    """Residual blocks of 1 x 1, grouped 3 x 3 and 1 x 1 convolutions, of equal width and without normalisation.

    Each block adds nothing before the first step: its last layer begins with zeros (Fixup, Zhang et al. 2019). Ours:
    one block a size in place of two, a dense layer in place of a modulated constant, tanh behind G.

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
        """(N, z_dim) -> (N, C, H, W) in [-1, 1]."""
        c, h, w = divisible(shape, GRAIN, self.name)
        levels = _levels(h, w)
        seed = (self.width, h >> levels, w >> levels)
        layers: list[nn.Module] = [_started(nn.Linear(z_dim, math.prod(seed))), nn.Unflatten(1, seed)]
        for _ in range(levels):
            layers += [_block(self.width), nn.Upsample(scale_factor=2, mode="bilinear")]
        return nn.Sequential(*layers, _block(self.width), _started(nn.Conv2d(self.width, c, 1)), nn.Tanh())

    def trunk(self, shape: Shape) -> Stages:
        """level0 (the image's own size) to the smallest map, and features: each map weighed as a whole."""
        c, h, w = divisible(shape, GRAIN, self.name)
        levels = _levels(h, w)
        first = nn.Sequential(_started(nn.Conv2d(c, self.width, 1)), _block(self.width))
        stages: Stages = [("level0", first)]
        stages += [(f"level{i}", nn.Sequential(nn.AvgPool2d(2), _block(self.width))) for i in range(1, levels + 1)]
        whole = nn.Conv2d(self.width, self.width, (h >> levels, w >> levels), groups=self.width)
        return [*stages, ("features", nn.Sequential(_started(whole), nn.Flatten()))]

    def weak(self) -> R3Resnet:
        """A quarter of the width."""
        return replace(self, width=max(2, self.width // 4))


def _levels(h: int, w: int) -> int:
    """How often the sides are halved: down to about `LEAST`, at least twice."""
    side = math.gcd(h, w)
    able = (side & -side).bit_length() - 1  # the twos in it
    return min(able, max(2, round(math.log2(max(h, w) / LEAST))))


def _block(width: int) -> Residual:
    """1 x 1, grouped 3 x 3, 1 x 1, with leaky ReLUs between; wider within."""
    inner = EXPANSION * width
    groups = inner // GROUP if inner % GROUP == 0 else 1
    middle = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
    last = nn.Conv2d(inner, width, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    relu = nn.LeakyReLU(SLOPE)
    return Residual(
        nn.Sequential(_started(nn.Conv2d(width, inner, 1)), relu, _started(middle), relu, last), nn.Identity()
    )


def _started(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The layer with Kaiming-normal weights and biases 0."""
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


r3gan = Method(
    name="r3gan",
    paper="r3gan-2024",
    summary=(
        "A modern GAN without tricks: D learns how much more real each real image is than a fake one paired with it. "
        "Its slope is held down at real and at fake images (R1 and R2); the residual networks have no normalisation. "
        "One GAN learns all known classes; G and D are conditional on the class."
    ),
    family="r3gan",
    net=R3Resnet(128),
    latent=Normal(64),
    losses=(RelativisticPairing(),),
    penalty=ZeroCentred(1.0),
    head=Projection(),
    conditioning=Embedded(),
    g_plays=((Real(), 1), (Generated(), 1)),
    optimiser=Adam(2e-4, 0.0, 0.99),
)
