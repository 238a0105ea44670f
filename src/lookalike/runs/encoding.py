"""Whether a training's encoder finds the z of an image, and whether the G that goes with it varies.

An encoder can be right for every image and useless: where G makes one image per class, any z does. So the distance of
an image to its reconstruction stands beside that to the reconstruction of another image of its class.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lookalike.base.arrays import Labels
from lookalike.base.seeds import generator
from lookalike.data import scaled
from lookalike.game.gan import GAN
from lookalike.game.heads import spreads
from lookalike.game.method import Method
from lookalike.game.needs import Need
from lookalike.runs.plan import Plan

IMAGES = 256  # training images that are reconstructed, at most
BLOCK = 64  # images that a network takes at one time
ENCODING = "encoding"  # columns begin with it and "/"


class Encoding:
    """The training images that an encoder is measured with, and the z of as many images of the same classes.

    Parameters
    ----------
    plan : Plan
        Gives the training images and the seed.
    method : Method
        The game; its encoder is its own, that of a twin after, or else that of a twin that a stream names.
    """

    def __init__(self, plan: Plan, method: Method) -> None:
        seed = plan.recipe.settings.seed
        named = [stream.twin for stream, _ in method.groups if Need.TWINS_ENCODER in stream.needs]
        self.twin = None if method.encodes or not named else named[0]
        self.late = method.encoder is None and method.encodes  # it trains after the game
        labels = plan.numbered(plan.rows.train)
        chosen = torch.randperm(len(labels), generator=generator(seed, ENCODING)).numpy()[:IMAGES]
        self.x = torch.from_numpy(scaled(plan.images.pixels[plan.rows.train[chosen]]))
        self.y = torch.from_numpy(labels[chosen])
        self.z = method.latent.draw(len(chosen), generator(seed, ENCODING, "z"))
        self.other = _next_of_class(labels[chosen])
        self.paired = self.other != torch.arange(len(chosen))
        self.real = self._deviation(self.x)
        self.there = bool(method.encodes or named) and self.real > 0

    def figures(self, gan: GAN) -> dict[str, float]:
        """The columns for the metrics; none without an encoder, or where no class has two different images.

        `own` and `other` are mean distances of values, from -1 to 1, of an image to its reconstruction and to that of
        another image of its class. `deviation` is that within a class of G's images over that of real ones.
        """
        if not self.there:
            return {}
        player = gan if self.twin is None else gan.twins[self.twin]
        made = self._made(player, torch.cat([player.encode(x, y).cpu() for x, y in self._blocks(player, self.x)]))
        x, other = self.x[self.paired], self.other[self.paired]
        found = {
            "own": _far(x, made[self.paired]),
            "other": _far(x, made[other]),
            "deviation": self._deviation(self._made(player, self.z)) / self.real,
        }
        return {f"{ENCODING}/{name}": round(value, 4) for name, value in found.items()}

    def _made(self, player: GAN, z: Tensor) -> Tensor:
        """G's images of z, of the classes of the real images."""
        return torch.cat([player.generate(part, y).cpu() for part, y in self._blocks(player, z)])

    def _blocks(self, player: GAN, values: Tensor) -> zip[tuple[Tensor, Tensor | None]]:
        """Values row by row with their classes, where G is conditional, in blocks."""
        classes = self.y.split(BLOCK) if player.conditional else [None] * -(-len(values) // BLOCK)
        return zip(values.split(BLOCK), classes, strict=True)

    def _deviation(self, x: Tensor) -> float:
        """The standard deviation of pixels within a class, averaged over pixels and classes."""
        return float(spreads(x.flatten(1), one_hot(self.y).to(x)).mean())


def _next_of_class(labels: Labels) -> Tensor:
    """(N,) for each image, in the order of their classes, the next one of its class; itself where it is alone."""
    other = np.arange(len(labels))
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        other[rows] = np.roll(rows, 1)
    return torch.from_numpy(other)


def _far(x: Tensor, other: Tensor) -> float:
    """The mean distance of pixels."""
    return float((x - other).abs().mean())
