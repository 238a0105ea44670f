"""How G's images vary beside real ones, and how often each class is recognised among them.

An image stands for its means in 8 x 8 cells. That is cheap, gives the same bits again, and noise in single pixels does
not count as variety. The z stay the same, and the training is not touched.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import cdist, pdist
from scipy.special import bdtr
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lookalike.base.arrays import Floats, Labels
from lookalike.base.seeds import generator
from lookalike.data import scaled
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.runs.plan import Plan
from lookalike.runs.samples import ROWS
from lookalike.runs.watch import DROPPED, RECOGNISED, VARIETY

EACH = 32  # generated images of a class; of an unconditional G as many in all
REAL = 1000  # training images of all classes that G's are compared with, at most
SIDE = 8  # cells on a side
BLOCK = 64  # images that a network or a mean takes at one time
RARE, CHANCE = 1 / 3, 0.01  # a class of this share of its frequency is taken for a dropped one with at most this chance


class Variety:
    """The real images that a training's G is compared with, and the z of G's images.

    Where G is conditional on one of several classes, each of the first `ROWS` classes is compared with itself. Any
    other G is compared as a whole. Its images are also classified where it learns several classes, `ROWS` at most.

    Parameters
    ----------
    plan : Plan
        Gives the training images and the seed.
    method : Method
        The game of G.
    """

    def __init__(self, plan: Plan, method: Method) -> None:
        seed = plan.recipe.settings.seed
        self.conditional = method.conditional
        self.by_class = method.conditional and len(plan.known) > 1
        names, labels = _classes(plan, by_class=self.by_class)
        self.names = names[:ROWS] if self.by_class or len(names) <= ROWS else []
        self.z = method.latent.draw(EACH * min(len(names), ROWS), generator(seed, "variety"))
        order = torch.randperm(len(labels), generator=generator(seed, "variety", "real")).numpy()
        each = REAL // max(1, len(self.names))
        chosen = [order[labels[order] == k][:each] for k in range(len(self.names))]
        self.labels = np.repeat(np.arange(len(chosen)), [len(rows) for rows in chosen])
        self.real = _described(plan, np.concatenate([order[:0], *chosen]))
        if self.by_class:
            sides = {f"{VARIETY}/{name}": self.real[self.labels == k] for k, name in enumerate(self.names)}
        else:
            sides = {VARIETY: _described(plan, order[: len(self.z)])}
        self.usual = {column: _apart(side) for column, side in sides.items()}
        self.often = self._often(np.bincount(labels, minlength=len(names)) / len(labels))

    def _often(self, shares: Floats) -> dict[int, float]:
        """How often each class is recognised among real images, each left out; not where chance would drop it."""
        if len(self.names) < 2:
            return {}
        apart = cdist(self.real, self.real)
        np.fill_diagonal(apart, np.inf)
        found = self.labels[apart.argmin(1)]
        k = np.arange(len(self.names))
        confusion = np.array([(found[self.labels == true, None] == k).mean(0) for true in k])
        often = confusion.diagonal() if self.by_class else shares @ confusion
        n = EACH if self.by_class else len(self.z)
        most = np.ceil(DROPPED * n * often) - 1  # images of a dropped class
        tells = bdtr(most, n, RARE * often) < CHANCE
        return {int(one): float(often[one]) for one in k[(most >= 0) & tells]}

    def figures(self, gan: GAN) -> dict[str, float]:
        """The columns for the metrics: of real images each is about 1."""
        made = self._made(gan)
        parts = np.split(made, len(self.names)) if self.by_class else [made]
        figures = {
            column: _apart(part) / usual
            for (column, usual), part in zip(self.usual.items(), parts, strict=True)
            if usual > 0
        }
        if self.often:
            found = self.labels[cdist(made, self.real).argmin(1)]
            seen = np.split(found, len(self.names)) if self.by_class else [found] * len(self.names)
            shares = {k: float((seen[k] == k).mean()) / often for k, often in self.often.items()}
            figures |= {f"{RECOGNISED}/{self.names[k]}": share for k, share in shares.items()}
        return {column: round(value, 4) for column, value in figures.items()}

    def _made(self, gan: GAN) -> Floats:
        """(N, F) descriptions of G's images."""
        if not self.conditional:
            ys: list[Tensor | None] = [None] * -(-len(self.z) // BLOCK)
        else:
            roots = range(len(self.names)) if self.by_class else [0]
            ys = list(torch.cat([_of(gan, root, len(self.z) // len(roots)) for root in roots]).split(BLOCK))
        blocks = zip(self.z.split(BLOCK), ys, strict=True)
        return np.concatenate([_cells(gan.generate(z, y).cpu()) for z, y in blocks])


def _classes(plan: Plan, *, by_class: bool) -> tuple[list[str], Labels]:
    """The classes, and (N,) their number for each training image; known classes that were pooled count apart."""
    if by_class:
        return list(plan.known), plan.numbered(plan.rows.train)
    there, labels = np.unique(plan.truth[plan.rows.train], return_inverse=True)
    return [plan.true_classes[k] for k in there.tolist()], labels


def _of(gan: GAN, root: int, n: int) -> Tensor:
    """(n,) classes of G that stand for a known class: its sub-classes in turn, where it was split."""
    leaves = torch.tensor(gan.tree.of(root))
    return leaves[torch.arange(n) % len(leaves)]


def _described(plan: Plan, rows: Labels) -> Floats:
    """(N, F) descriptions of training images; `rows` are numbers among them."""
    mine = plan.rows.train[rows]
    blocks = [mine[i : i + BLOCK] for i in range(0, max(1, len(mine)), BLOCK)]
    return np.concatenate([_cells(torch.from_numpy(scaled(plan.images.pixels[block]))) for block in blocks])


def _cells(x: Tensor) -> Floats:
    """(N, F) float64: the means of images (N, C, H, W) in at most 8 x 8 cells; vectors (N, F) as they are."""
    if x.ndim == 4:
        x = adaptive_avg_pool2d(x, (min(SIDE, x.shape[2]), min(SIDE, x.shape[3]))).flatten(1)
    return x.double().numpy()


def _apart(described: Floats) -> float:
    """The mean distance of two images; 0 for fewer than two."""
    return float(pdist(described).mean()) if len(described) > 1 else 0.0
