"""The latent search: for each image the z whose generated image is closest (vtgan-2021, eqs. 2 to 5).

A fixed number of slots is searched side by side. A slot that has converged takes the next image, so no slot waits for
the slowest one. Each image has its own Adam state and step count, and its first z is seeded by its own pixels. The
batch always has the same size, or a smaller one for few images where a trial shows that it gives the same bits. So the
result of an image depends neither on the other images nor on their order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from lookalike.base.errors import UsageError, show
from lookalike.base.seeds import generator
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.needs import Need
from lookalike.game.scored import Found

FEW = 32  # images of a block, and slots where there are few images; it fills the vectors of the CPU

# ranges of whole and of real numbers: settings of a model file are untrusted too
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
    """Settings of the latent search. The papers print `lam` alone; the other values are ours.

    Parameters
    ----------
    lam : float
        lambda of eqs. 2 and 5, the weight of the feature loss; 0.2 in both papers.
    reduce : {"sum", "mean"}
        How eqs. 3 and 4 combine the pixels and the features of an image: the sum, as printed, or the mean, which
        balances the two.
    layer : str or None
        Stage of D that is f of eq. 4. None is the default of the network, after its first pooling in anogan.
    steps : int
        Largest number of Adam steps per start.
    lr : float
        Adam's step size on z.
    prior : bool
        Keeps z where the prior has its mass. Outside, G can imitate images that it never makes.
    restarts : int
        Number of starts per image; the best one counts.
    tolerance, patience : float, int
        An image has converged if its best loss fell by less than `tolerance`, relative, over `patience` steps.
    batch : int
        Number of slots, rounded up to a multiple of 32 unless it is 1. Few images take 32.
    seed : int
        Seed of the first z of an image, together with its pixels.

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
            # type, not isinstance: True is an int
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
    """A GAN with fixed weights, and the latent search in it.

    Parameters
    ----------
    gan : GAN
        A trained GAN. The search uses copies in eval mode, of its averaged generator if there is one.
    settings : Search
        Settings of the search.
    label : int or None
        The class, an input of G and D where they are conditional; otherwise None. For a class with sub-classes, each
        image is searched in the sub-class that D finds likeliest.

    Raises
    ------
    UsageError
        If D has no layer of the name in `settings`.
    """

    def __init__(self, gan: GAN, settings: Search, label: int | None = None) -> None:
        self.settings = settings
        # the last rows of batches that are no multiple get other bits
        self.slots = settings.batch if settings.batch == 1 else -(-settings.batch // FEW) * FEW
        self.block = min(FEW, self.slots)  # images that D answers at once
        self.latent, self.device, self.shape = gan.method.latent, gan.device, gan.shape
        self.leaves = () if label is None else gan.tree.of(label)
        self.G, self.D = gan.frozen(label)  # eval mode: the score of an image depends on it alone
        # with sub-classes, G needs the class of each image as an input
        if len(self.leaves) > 1:
            self.G = gan.conditional_generator()
        self.label, self.stages = label, self.D.stages_to(settings.layer or gan.method.net.feature_layer)

    def search(self, x: Tensor, start: Tensor | None = None) -> Found:
        """The results for images (N, *shape), float32 in [-1, 1].

        Parameters
        ----------
        x : Tensor
            The images.
        start : Tensor or None
            (N, Z) the first z of each image's first start; None: drawn from the prior, as in all further starts.

        Raises
        ------
        UsageError
            For another shape.
        """
        if tuple(x.shape[1:]) != self.shape:
            raise UsageError(f"this model takes images of shape {self.shape}, not {tuple(x.shape[1:])}")
        # the bytes of an image are its seed: the same image starts at the same z in every call
        seeds = [hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in x]
        y = torch.cat([self.likeliest(block) for block in x.split(self.block)]) if len(self.leaves) > 1 else None
        z, steps, converged = Slots(self, x, seeds, y, start).run()
        # V is measured once more at the best z, in blocks in the order of the images
        rows = [slice(i, i + self.block) for i in range(0, len(x), self.block)]
        parts = [self.measure(x[some], z[some], None if y is None else y[some]) for some in rows]
        nearest, V, R, L_D, realness, classes = (torch.cat(column) for column in zip(*parts, strict=True))
        return Found(z, nearest, V, R, L_D, realness, classes, steps, converged)

    def slots_for(self, searches: int) -> int:
        """How many slots take so many searches: as many as one block has, if they are enough and change no bit."""
        return self.block if searches <= self.block and self.small_is_alike else self.slots

    @cached_property
    def small_is_alike(self) -> bool:
        """Whether a step in one block has the bits of a step in all slots; a trial on random images and z shows it.

        That depends on the networks, the processor and its libraries.
        """
        random = generator(0, "trial")
        x = (2 * torch.rand(self.slots, *self.shape, generator=random) - 1).to(self.device)
        z = self.latent.draw(self.slots, random).to(self.device)
        y = torch.full((self.slots,), self.leaves[0], device=self.device) if len(self.leaves) > 1 else None
        with torch.no_grad():
            fx = self.f(x, y)
        sizes = (self.slots, self.block)
        whole, small = (self.slope(z[:n], x[:n], fx[:n], None if y is None else y[:n]) for n in sizes)
        return all(torch.equal(one[: self.block], two) for one, two in zip(whole, small, strict=True))

    def slope(self, z: Tensor, x: Tensor, fx: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """V (N,) of eq. 5 at z (N, Z), and its gradient (N, Z), for images x with f(x) = `fx`."""
        z = z.detach().requires_grad_()
        V = self.variation(*self.losses(x, fx, self.made(z, y), y))
        # images are independent, so the gradient of the sum holds the gradient of each
        (gradient,) = torch.autograd.grad(V.sum(), z)
        return V.detach(), gradient

    def start(self, seed: str, restart: int) -> Tensor:
        """(Z,) float32, the first z of an image, drawn from the prior."""
        return self.latent.draw(1, generator(self.settings.seed, "z", seed, restart))[0]

    @torch.no_grad()
    def likeliest(self, x: Tensor) -> Tensor:
        """(N,) int64, the likeliest sub-class of each image of up to one block.

        It has the largest class logit, or, if D does not classify, the largest realness given the class.
        """
        full = padded(x, self.block).to(self.device)
        if self.D.head.classifies and Need.LABELS not in self.D.head.needs:
            classes = self.D(Batch(full, None, None, None)).classes
            assert classes is not None, "the head classifies"
            found = classes[:, list(self.leaves)]  # only among the sub-classes of this class
        else:
            # one pass per sub-class, because D takes a single class per image
            given = [torch.full((len(full),), leaf, device=full.device) for leaf in self.leaves]
            found = torch.stack([self.D(Batch(full, y, None, None)).realness for y in given], 1)
        return torch.tensor(self.leaves)[found.argmax(1).cpu()[: len(x)]]

    def labels(self, x: Tensor, y: Tensor | None = None) -> Tensor | None:
        """(N,) classes as input of D: y, or the label for each image of x, or None."""
        return y if y is not None or self.label is None else torch.full((len(x),), self.label, device=x.device)

    def made(self, z: Tensor, y: Tensor | None) -> Tensor:
        """G's images (N, *shape) for z (N, Z), and for sub-classes y (N,) where there are any."""
        images: Tensor = self.G(z) if y is None else self.G(z, y)
        return images

    def f(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """f(x) of eq. 4, for images (N, *shape) and sub-classes y (N,): the output of a stage of D."""
        features: Tensor = self.stages(self.D.shown(x, self.labels(x, y)))
        return features

    def losses(self, x: Tensor, fx: Tensor, made: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """L_R and L_D (eqs. 3 and 4), each (N,), between images x with f(x) = `fx` and generated images `made`."""
        # over the entries of one image, never over the batch: images do not affect each other
        over = torch.sum if self.settings.reduce == "sum" else torch.mean
        # eq. 3 on pixels, eq. 4 on features
        return over((x - made).abs().flatten(1), 1), over((fx - self.f(made, y)).abs().flatten(1), 1)

    def variation(self, R: Tensor, L_D: Tensor) -> Tensor:
        """V (N,) of eq. 2, from R = L_R (N,) and L_D (N,)."""
        return (1 - self.settings.lam) * R + self.settings.lam * L_D  # eq. 2, and eq. 5 during the search

    @torch.no_grad()
    def measure(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """G(z), V, R, L_D, and D's realness and class probabilities of x, for up to one block."""
        n, full = len(x), self.block  # padded to a whole block: other sizes give other bits
        x, z = padded(x, full).to(self.device), padded(z, full).to(self.device)
        y = None if y is None else padded(y, full).to(self.device)
        nearest = self.made(z, y)
        R, L_D = self.losses(x, self.f(x, y), nearest, y)
        # realness and classes of x itself, which V does not contain
        says = self.D(Batch(x, self.labels(x, y), z, None))
        classes = x.new_empty(full, 0) if says.classes is None else says.classes.softmax(1)
        parts = (nearest, self.variation(R, L_D), R, L_D, says.realness, classes)
        return tuple(part[:n].cpu() for part in parts)


class Slots:
    """The state of the slots. A finished search is replaced by the next pair (image, restart)."""

    def __init__(
        self, inverter: Inverter, x: Tensor, seeds: list[str], y: Tensor | None = None, start: Tensor | None = None
    ) -> None:
        self.inverter, self.settings, self.x, self.seeds = inverter, inverter.settings, x, seeds
        self.first = start  # (N, Z), or None: the first z are drawn
        self.jobs = iter([(i, r) for i in range(len(x)) for r in range(self.settings.restarts)])
        size, z_dim, device = (
            inverter.slots_for(len(x) * self.settings.restarts),
            inverter.latent.z_dim,
            inverter.device,
        )
        self.image = torch.full((size,), -1)  # -1: idle
        self.target = torch.zeros(size, *x.shape[1:], device=device)
        self.group, self.group_features = -1, torch.empty(0)  # the last block of `features_of`
        self.of = y  # the sub-class of each image; self.y has that of each slot
        self.y = None if y is None else torch.full((size,), inverter.leaves[0], device=device)
        # f of zeros gives the shape; real targets replace them in `fill`
        with torch.no_grad():
            self.features = inverter.f(self.target, self.y)
        self.z, self.m, self.v, self.best_z = (torch.zeros(size, z_dim, device=device) for _ in range(4))
        # t: steps of Adam; since: steps without a fall of `tolerance`; reference: the loss at the last such fall
        self.t, self.since = (torch.zeros(size, device=device) for _ in range(2))
        self.best, self.reference = (torch.full((size,), torch.inf, device=device) for _ in range(2))
        self.best_t = torch.zeros(size, device=device)
        self.found_z, self.found_steps = torch.zeros(len(x), z_dim), torch.zeros(len(x), dtype=torch.int64)
        self.found_converged = torch.zeros(len(x), dtype=torch.bool)
        self.found = torch.full((len(x),), torch.inf)  # lowest V of each image over its starts

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        """The best z (N, Z) of every image, the number of its step (N,), and whether its start converged (N,) bool."""
        self.fill(range(len(self.image)))
        while bool((self.image >= 0).any()):
            self.step()  # of idle slots too: the batch keeps its size, and so the bits of the others
            done = (self.since >= self.settings.patience) | (self.t >= self.settings.steps)
            finished = torch.nonzero(done.cpu() & (self.image >= 0)).flatten().tolist()
            if finished:
                self.keep(finished)
                self.fill(finished)
        return self.found_z, self.found_steps, self.found_converged

    def step(self) -> None:
        """One Adam step of every slot on eq. 5, with the best z so far."""
        V, gradient = self.inverter.slope(self.z, self.target, self.features, self.y)
        with torch.no_grad():
            better = self.best > V  # V is that of z before this step
            # relative, because sums over pixels grow with the image
            fell = self.reference * (1 - self.settings.tolerance) > V
            self.since = torch.where(fell, 0.0, self.since + 1)
            self.reference = torch.where(fell, V, self.reference)
            self.best = torch.where(better, V, self.best)
            self.best_t = torch.where(better, self.t, self.best_t)
            self.best_z = torch.where(better[:, None], self.z, self.best_z)
            self.t = self.t + 1
            # Adam (Kingma and Ba 2015, Algorithm 1) by hand, because each slot has its own step count t
            self.m = torch.lerp(gradient, self.m, 0.9)
            self.v = torch.lerp(gradient.square(), self.v, 0.999)
            m_hat, v_hat = self.m / (1 - 0.9**self.t)[:, None], self.v / (1 - 0.999**self.t)[:, None]
            # 1e-8 is Adam's epsilon
            z = self.z - self.settings.lr * m_hat / (v_hat.sqrt() + 1e-8)
            self.z = self.inverter.latent.within(z) if self.settings.prior else z

    def keep(self, slots: list[int]) -> None:
        """Stores the results of finished slots. Of several starts the one with the lowest V stays."""
        for slot in slots:
            image, best = int(self.image[slot]), self.best[slot].cpu()
            if best < self.found[image]:
                self.found[image] = best
                self.found_z[image] = self.best_z[slot].cpu()
                self.found_steps[image] = int(self.best_t[slot])
                self.found_converged[image] = bool(self.since[slot] >= self.settings.patience)

    def fill(self, slots: list[int] | range) -> None:
        """Starts the next search in each free slot, or leaves it idle."""
        taken = []
        for slot in slots:
            image, restart = next(self.jobs, (-1, 0))
            self.image[slot] = image
            if image >= 0:
                self.target[slot], self.features[slot] = self.x[image], self.features_of(image)
                given = None if self.first is None or restart else self.first[image]
                self.z[slot] = self.inverter.start(self.seeds[image], restart) if given is None else given
                if self.y is not None and self.of is not None:
                    self.y[slot] = self.of[image]
                taken.append(slot)
        # the state of the last image must not reach the next one
        for state in (self.m, self.v, self.t, self.since):
            state[taken] = 0.0
        for state in (self.best, self.reference):
            state[taken] = torch.inf

    def features_of(self, image: int) -> Tensor:
        """f(x) of one image. It is computed in whole blocks in the order of the images, so that its bits are fixed."""
        size = self.inverter.block
        # jobs come in the order of the images, so one block at a time is enough memory
        group, row = divmod(image, size)
        if group != self.group:
            rows, device = slice(group * size, (group + 1) * size), self.inverter.device
            block = padded(self.x[rows], size).to(device)
            y = None if self.of is None else padded(self.of[rows], size).to(device)
            with torch.no_grad():
                self.group, self.group_features = group, self.inverter.f(block, y)
        return self.group_features[row]


def padded(x: Tensor, n: int) -> Tensor:
    """x (k, ...), followed by rows of zeros up to n."""
    return torch.cat([x, x.new_zeros(n - len(x), *x.shape[1:])]) if len(x) < n else x
