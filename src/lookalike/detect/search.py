"""Batched latent search: for each image the z whose generated image comes closest (vtgan-2021, eqs. 2 to 5).

A fixed number of slots is searched side by side. A slot that has converged takes the next image, so a batch never
waits for its slowest member, and every image is searched exactly as if it were alone: it starts from a z seeded by its
own pixels, has its own Adam state and step count, and always sits in a batch of the same size. Its result therefore
depends neither on what else is searched nor on the order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lookalike.base.errors import UsageError, show
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.needs import Need
from lookalike.game.scored import Found

_WHOLE = {
    "steps": (1, 10**9),
    "restarts": (1, 1000),
    "patience": (1, 10**9),
    "batch": (1, 4096),
    "seed": (0, 2**63 - 1),
}
_REAL = {"lam": (0.0, 1.0), "lr": (1e-12, 10.0), "tolerance": (0.0, 1.0)}


@dataclass(frozen=True)
class Search:
    """How to search, each an open choice of the papers but `lam`.

    Parameters
    ----------
    lam : float
        Weight of the feature loss (0.2 in both papers).
    reduce : {"sum", "mean"}
        Over an image's pixels and over its features: the papers' sum, or the mean, which balances the two.
    layer : str or None
        Stage of D that f(x) reads; None is the network's own (after the first pooling).
    steps : int
        Most Adam steps per start.
    lr : float
        Adam's step size on z.
    prior : bool
        Keep z where its prior has its mass: free to leave it, G imitates images that it would never make.
    restarts : int
        Starts per image; the best one counts.
    tolerance, patience : float, int
        An image has converged when its best loss fell by less than `tolerance` (relative) over `patience` steps.
    batch : int
        Slots searched side by side, rounded up to a multiple of 32 unless it is 1.
    seed : int
        Together with the image's pixels, the seed of its starts.

    Raises
    ------
    UsageError
        For a value of another type or out of range.
    """

    lam: float = 0.2
    reduce: Literal["sum", "mean"] = "sum"
    layer: str | None = None
    steps: int = 50
    lr: float = 0.02
    prior: bool = True
    restarts: int = 1
    tolerance: float = 0.001
    patience: int = 20
    batch: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _WHOLE.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise UsageError(f"search: {name} is {show(value)}; a whole number from {low} to {high} is accepted")
        for name, (least, most) in _REAL.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise UsageError(f"search: {name} is {show(value)}; a number from {least:g} to {most:g} is accepted")
        if self.reduce not in ("sum", "mean"):
            raise UsageError(f"search: reduce is {show(self.reduce)}; sum and mean are accepted")
        if not isinstance(self.prior, bool):
            raise UsageError(f"search: prior is {show(self.prior)}; True and False are accepted")
        if not isinstance(self.layer, str | None):
            raise UsageError(f"search: layer is {show(self.layer)}; the name of a layer of D, or None, is accepted")


class Inverter:
    """A frozen GAN, ready to search.

    Parameters
    ----------
    gan : GAN
        Its averaged generator is used where there is one; inference statistics; no gradients for weights.
    settings : Search
        How to search; raises UsageError for an unknown layer.
    label : int or None
        The class that G is asked for, and that D is told; None where they know no classes. Of a class with sub-classes
        each image is searched in the one that D finds likeliest.
    """

    def __init__(self, gan: GAN, settings: Search, label: int | None = None) -> None:
        self.settings = settings
        # whole vectors: the last rows of an odd batch get other bits
        self.slots = settings.batch if settings.batch == 1 else -(-settings.batch // 32) * 32
        self.latent, self.device, self.shape = gan.method.latent, gan.device, gan.shape
        self.leaves = () if label is None else gan.tree.of(label)
        self.G, self.D = gan.frozen(label)
        if len(self.leaves) > 1:
            self.G = gan.conditional_generator()
        self.label, self.stages = label, self.D.stages_to(settings.layer or gan.method.net.feature_layer)

    def search(self, x: Tensor) -> Found:
        """Searches images (N, *shape), float32 in [-1, 1] as D saw them in training."""
        if tuple(x.shape[1:]) != self.shape:
            raise UsageError(f"this model takes images of shape {self.shape}, not {tuple(x.shape[1:])}")
        seeds = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in x]
        y = torch.cat([self.likeliest(block) for block in x.split(self.slots)]) if len(self.leaves) > 1 else None
        z, steps = _Slots(self, x, seeds, y).run()
        rows = [slice(i, i + self.slots) for i in range(0, len(x), self.slots)]
        parts = [self.measure(x[some], z[some], None if y is None else y[some]) for some in rows]
        nearest, V, R, L_D, realness, classes = (torch.cat(column) for column in zip(*parts, strict=True))
        return Found(z, nearest, V, R, L_D, realness, classes, steps)

    def start(self, seed: str, restart: int) -> Tensor:
        """(Z,) the start of an image's search."""
        return self.latent.draw(1, generator(self.settings.seed, "z", seed, restart))[0]

    @torch.no_grad()
    def likeliest(self, x: Tensor) -> Tensor:
        """(N,) the sub-class of each image of up to one batch: which D names, or finds it most real as."""
        full = padded(x, self.slots).to(self.device)
        if self.D.head.classifies and Need.LABELS not in self.D.head.needs:
            classes = self.D(Batch(full, None, None, None)).classes
            assert classes is not None, "the head names classes"
            found = classes[:, list(self.leaves)]
        else:
            told = [torch.full((len(full),), leaf, device=full.device) for leaf in self.leaves]
            found = torch.stack([self.D(Batch(full, y, None, None)).realness for y in told], 1)
        return torch.tensor(self.leaves)[found.argmax(1).cpu()[: len(x)]]

    def labels(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """(N,) y, or the label once per image of x."""
        return y if y is not None or self.label is None else torch.full((len(x),), self.label, device=x.device)

    def made(self, z: Tensor, y: Tensor | None) -> Tensor:
        """G's images (N, *shape) of z (N, Z), of sub-classes y (N,) where there are any."""
        images: Tensor = self.G(z) if y is None else self.G(z, y)
        return images

    def f(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """f(x) of images (N, *shape), eq. 4; of sub-classes y (N,)."""
        features: Tensor = self.stages(self.D.shown(x, self.labels(x, y)))
        return features

    def losses(self, x: Tensor, fx: Tensor, made: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """R and L_D of each image (N,), eqs. 3 and 4, between x and a generated one."""
        over = torch.sum if self.settings.reduce == "sum" else torch.mean
        return over((x - made).abs().flatten(1), 1), over((fx - self.f(made, y)).abs().flatten(1), 1)

    def variation(self, R: Tensor, L_D: Tensor) -> Tensor:
        """Eq. 2."""
        return (1 - self.settings.lam) * R + self.settings.lam * L_D

    @torch.no_grad()
    def measure(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """G(z), V, R, L_D, and D's realness and classes of x for up to one batch, padded to a whole one."""
        n, full = len(x), self.slots
        x, z = padded(x, full).to(self.device), padded(z, full).to(self.device)
        y = None if y is None else padded(y, full).to(self.device)
        nearest = self.made(z, y)
        R, L_D = self.losses(x, self.f(x, y), nearest, y)
        says = self.D(Batch(x, self.labels(x, y), z, None))
        classes = x.new_empty(full, 0) if says.classes is None else says.classes.softmax(1)
        parts = (nearest, self.variation(R, L_D), R, L_D, says.realness, classes)
        return tuple(part[:n].cpu() for part in parts)


class _Slots:
    """The state of `batch` searches side by side; a finished one is replaced by the next (image, restart)."""

    def __init__(self, inverter: Inverter, x: Tensor, seeds: list[str], y: Tensor | None = None) -> None:
        self.inverter, self.settings, self.x, self.seeds = inverter, inverter.settings, x, seeds
        self.jobs = iter([(i, r) for i in range(len(x)) for r in range(self.settings.restarts)])
        size, z_dim, device = inverter.slots, inverter.latent.z_dim, inverter.device
        self.image = torch.full((size,), -1)  # -1: idle
        self.target = torch.zeros(size, *x.shape[1:], device=device)
        self.group, self.group_features = -1, torch.empty(0)
        self.of = y  # each image's sub-class, and each slot's
        self.y = None if y is None else torch.full((size,), inverter.leaves[0], device=device)
        with torch.no_grad():
            self.features = inverter.f(self.target, self.y)
        self.z, self.m, self.v, self.best_z = (torch.zeros(size, z_dim, device=device) for _ in range(4))
        self.t, self.since = (torch.zeros(size, device=device) for _ in range(2))
        self.best, self.reference = (torch.full((size,), torch.inf, device=device) for _ in range(2))
        self.best_t = torch.zeros(size, device=device)
        self.found_z, self.found_steps = torch.zeros(len(x), z_dim), torch.zeros(len(x), dtype=torch.int64)
        self.found = torch.full((len(x),), torch.inf)

    def run(self) -> tuple[Tensor, Tensor]:
        """Best z (N, Z) and its step count (N,) of every image."""
        self.fill(range(self.inverter.slots))
        while bool((self.image >= 0).any()):
            self.step()
            done = (self.since >= self.settings.patience) | (self.t >= self.settings.steps)
            finished = torch.nonzero(done.cpu() & (self.image >= 0)).flatten().tolist()
            if finished:
                self.keep(finished)
                self.fill(finished)
        return self.found_z, self.found_steps

    def step(self) -> None:
        """One Adam step of every slot on eq. 5, and its book-keeping."""
        z = self.z.requires_grad_()
        made = self.inverter.made(z, self.y)
        V = self.inverter.variation(*self.inverter.losses(self.target, self.features, made, self.y))
        (gradient,) = torch.autograd.grad(V.sum(), z)
        V, self.z = V.detach(), z.detach()
        with torch.no_grad():
            better = self.best > V
            fell = self.reference * (1 - self.settings.tolerance) > V
            self.since = torch.where(fell, 0.0, self.since + 1)
            self.reference = torch.where(fell, V, self.reference)
            self.best = torch.where(better, V, self.best)
            self.best_t = torch.where(better, self.t, self.best_t)
            self.best_z = torch.where(better[:, None], self.z, self.best_z)
            self.t = self.t + 1
            self.m = torch.lerp(gradient, self.m, 0.9)
            self.v = torch.lerp(gradient.square(), self.v, 0.999)
            m_hat, v_hat = self.m / (1 - 0.9**self.t)[:, None], self.v / (1 - 0.999**self.t)[:, None]
            z = self.z - self.settings.lr * m_hat / (v_hat.sqrt() + 1e-8)
            self.z = self.inverter.latent.within(z) if self.settings.prior else z

    def keep(self, slots: list[int]) -> None:
        """Hands over finished searches; of several starts the lowest V stays."""
        for slot in slots:
            image, best = int(self.image[slot]), self.best[slot].cpu()
            if best < self.found[image]:
                self.found[image] = best
                self.found_z[image] = self.best_z[slot].cpu()
                self.found_steps[image] = int(self.best_t[slot])

    def fill(self, slots: list[int] | range) -> None:
        """Gives each free slot the next job, or leaves it idle."""
        taken = []
        for slot in slots:
            image, restart = next(self.jobs, (-1, 0))
            self.image[slot] = image
            if image >= 0:
                self.target[slot], self.features[slot] = self.x[image], self.features_of(image)
                self.z[slot] = self.inverter.start(self.seeds[image], restart)
                if self.y is not None and self.of is not None:
                    self.y[slot] = self.of[image]
                taken.append(slot)
        for state in (self.m, self.v, self.t, self.since):
            state[taken] = 0.0
        for state in (self.best, self.reference):
            state[taken] = torch.inf

    def features_of(self, image: int) -> Tensor:
        """f(x) of one image, computed by whole batches in the order of the images."""
        slots = self.inverter.slots
        group, row = divmod(image, slots)
        if group != self.group:
            rows, device = slice(group * slots, (group + 1) * slots), self.inverter.device
            block = padded(self.x[rows], slots).to(device)
            y = None if self.of is None else padded(self.of[rows], slots).to(device)
            with torch.no_grad():
                self.group, self.group_features = group, self.inverter.f(block, y)
        return self.group_features[row]


def padded(x: Tensor, n: int) -> Tensor:
    """x (k, ...) followed by zeros up to n rows."""
    return torch.cat([x, x.new_zeros(n - len(x), *x.shape[1:])]) if len(x) < n else x
