"""From settings and data to a plan: which images train, which set the threshold, and the method, fully decided."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lookalike.data import Images, aspect_size, read, split
from lookalike.data.sources import open_source
from lookalike.errors import DataError, UsageError, show
from lookalike.gan import GAN
from lookalike.latents import Normal, Uniform
from lookalike.losses import Hinge, Minimax
from lookalike.method import Adam, Method, Twin
from lookalike.methods import METHODS, NETS
from lookalike.methods.vtgan import Noised, Weakened
from lookalike.model import check_device
from lookalike.nets import Net
from lookalike.settings import PRESETS, DataSettings, TrainSettings
from lookalike.streams import Source
from lookalike.train import check_batch
from lookalike.use.invert import Inverter, Search
from lookalike.use.score import Threshold

Index = npt.NDArray[np.int64]
OF_BASELINES = {  # settings that a baseline looks at
    *("known", "method", "preset", "seed", "size", "grey", "test", "calibration", "false_alarms", "device", "threads"),
    *DataSettings.model_fields,
}
OF_SOME_METHODS = ("against", "noise", "salt_pepper", "weak_z", "decoys")
LOSSES = {"minimax": Minimax(), "saturating": Minimax(saturating=True), "hinge": Hinge()}


@dataclass(frozen=True)
class Plan:
    """A training, fully decided before it starts.

    Parameters
    ----------
    settings : TrainSettings
        As given, with the preset's values filled in.
    data : str
        Where the images come from: the last part of the path, or a data set's name.
    images : Images
        All images, at the size that the network sees.
    train, calibration, against, test : Index
        Rows that train as known, that set the threshold, that are shown as other classes, and that are never used.
    known, others : tuple of str
        Class names.
    method : Method or None
        None: a baseline.
    """

    settings: TrainSettings
    data: str
    images: Images
    train: Index
    calibration: Index
    against: Index
    test: Index
    known: tuple[str, ...]
    others: tuple[str, ...]
    method: Method | None

    @property
    def batch(self) -> int:
        """Real images per step, as given or the preset's."""
        return self.settings.batch or PRESETS[self.settings.preset]["batch"]

    def source(self) -> Source:
        """The training images as the game draws them."""
        pixels = self.images.pixels
        others = torch.from_numpy(pixels[self.against]) if len(self.against) else None
        labels = np.searchsorted(np.unique(self.images.labels[self.train]), self.images.labels[self.train])
        device = torch.device(self.settings.device)
        return Source(
            torch.from_numpy(pixels[self.train]), torch.from_numpy(labels), others, self.settings.seed, device
        )

    def search(self) -> Search:
        """The latent search that scores will use."""
        s = self.settings
        return Search(
            lam=s.lam,
            reduce=s.reduce,
            layer=s.layer,
            steps=s.search_steps or PRESETS[s.preset]["search_steps"],
            lr=s.search_lr or PRESETS[s.preset]["search_lr"],
            prior=s.prior,
            restarts=s.restarts,
            tolerance=s.tolerance,
            patience=s.patience,
            batch=s.search_batch,
            seed=s.seed,
        )

    def keys(self) -> dict[str, list[str]]:
        """Content keys of the images of each part, for the run's record."""
        parts = {"train": self.train, "calibration": self.calibration, "against": self.against, "test": self.test}
        return {name: [self.images.keys[i] for i in rows] for name, rows in parts.items()}

    def data_digest(self) -> str:
        """One hash over all images that are used: a resumed run must see the same."""
        used = {name: keys for name, keys in self.keys().items() if name != "test"}
        return hashlib.sha256(repr(used).encode()).hexdigest()


def make(data: str | Path | Images, settings: TrainSettings) -> Plan:
    """Reads the data, splits it, and decides what the settings leave open.

    Raises
    ------
    DataError
        For data that cannot be read, or classes that are missing or too small.
    UsageError
        For settings that do not fit the data or each other.
    """
    check_device(settings.device)
    images = data if isinstance(data, Images) else _read(data, settings)
    if settings.sides not in (None, images.shape[1:]):
        raise UsageError(f"--size {settings.size}: the images have the shape {images.shape} already; leave it out")
    settings = _with_preset(settings, images.shape)
    method = _method(settings) if settings.method in METHODS else None
    _check_others(settings, needed=method is not None and method.needs_others)
    known, others = images.names_of(settings.known), images.names_of(settings.against)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is both known and against; name it once")
    parts = split(images, test=settings.test, calibration=settings.calibration, seed=settings.seed)
    is_known = np.isin(images.labels, [images.classes.index(name) for name in known])
    is_other = np.isin(images.labels, [images.classes.index(name) for name in others])
    plan = Plan(
        settings=settings,
        data="arrays" if isinstance(data, Images) else Path(data).resolve().name,
        images=images,
        train=parts.train[is_known[parts.train]],
        calibration=parts.calibration[is_known[parts.calibration]],
        against=parts.train[is_other[parts.train]],
        known=known,
        others=others,
        test=parts.test,
        method=method,
    )
    if len(plan.train) < 2 or (others and len(plan.against) < 2):
        role, names = ("known", known) if len(plan.train) < 2 else ("against", others)
        raise DataError(f"{role} {show(', '.join(names))}: fewer than 2 images are left to train on; add images")
    # what cannot end well is refused before it begins
    Threshold(np.zeros(len(plan.calibration)), settings.false_alarms)
    if plan.method is not None:
        check_batch(plan.method, plan.batch)
        Inverter(GAN(plan.method, images.shape), plan.search())
    return plan


def _with_preset(settings: TrainSettings, shape: tuple[int, ...]) -> TrainSettings:
    preset = PRESETS[settings.preset]
    images, batch = settings.images or preset["images"], settings.batch or preset["batch"]
    net = settings.net or ("anogan" if len(shape) == 3 else "mlp")
    width = settings.width or (8 * preset["width"] if net == "mlp" else preset["width"])
    every = {"log_every": 100, "sample_every": 8, "save_every": 10}
    steps = {name: getattr(settings, name) or max(batch, images // times) for name, times in every.items()}
    search = {name: getattr(settings, name) or preset[name] for name in ("search_steps", "search_lr")}
    size = ",".join(map(str, shape[1:])) if len(shape) == 3 else None
    lr, d_lr = _rates(settings)
    ema = preset["ema"] if settings.ema is None else settings.ema
    filled = {"images": images, "batch": batch, "net": net, "width": width, "size": size}
    filled |= {"lr": lr, "d_lr": d_lr, "ema": ema}
    return settings.model_copy(update=filled | steps | search)


def _rates(s: TrainSettings) -> tuple[float, float]:
    """Step sizes of G and of D."""
    preset = PRESETS[s.preset]
    lr: float = s.lr or preset["lr"]
    return lr, s.d_lr or preset["d_lr_share"] * lr


def _read(data: str | Path, s: TrainSettings) -> Images:
    source = open_source(data, value_range=s.low_high, allow_empty_class=s.allow_empty_class)
    size = s.sides
    if not source.vectors and size is None:
        size = aspect_size(data, PRESETS[s.preset]["side"], NETS[s.net or "anogan"]().multiple)
    return read(data, size=size, channels=1 if s.grey else None, **s.reading())


def _check_others(settings: TrainSettings, *, needed: bool) -> None:
    if needed and not settings.against:
        raise UsageError(
            f"{settings.method} learns from another class's images; name one (--against), "
            "or use vtgan, which needs none"
        )
    if settings.against and not needed:
        raise UsageError(f"{settings.method} does not use --against; leave it out or use --method mcgan")


def _method(s: TrainSettings) -> Method:
    """The named method with the settings' values on its axes."""
    named = METHODS[s.method]
    shares = [share if stream.made or stream.real else share * s.decoys for stream, share in named.d_sees]
    streams = [Noised(s.noise, s.salt_pepper) if isinstance(stream, Noised) else stream for stream, _ in named.d_sees]
    twins = [replace(t, method=Weakened(s.weak_z)) if isinstance(t.method, Weakened) else t for t in named.twins]
    net: Net = NETS[s.net or "anogan"](width=s.width)
    lr, d_lr = _rates(s)
    return named.but(
        d_sees=tuple(zip(streams, shares, strict=True)),
        twins=tuple(Twin(t.name, t.method) for t in twins),
        net=net,
        latent={"normal": Normal, "uniform": Uniform}[s.latent](s.z),
        losses=(LOSSES[s.loss],),
        optimiser=Adam(lr, s.beta1),
        d_optimiser=Adam(d_lr, s.beta1),
        d_steps=s.d_steps,
    )


def own_settings(method: Method) -> tuple[str, ...]:
    """Those of `OF_SOME_METHODS` that `method` looks at."""
    streams = [stream for stream, _ in method.d_sees]
    noised = any(isinstance(stream, Noised) for stream in streams)
    weak = any(isinstance(twin.method, Weakened) for twin in method.twins)
    decoys = any(not stream.made and not stream.real for stream in streams)
    looks = zip(OF_SOME_METHODS, (method.needs_others, noised, noised, weak, decoys), strict=True)
    return tuple(name for name, look in looks if look)


def unused(settings: TrainSettings, method: Method | None) -> tuple[str, ...]:
    """A line for each setting that was given and that `method` (None: a baseline) does not look at."""
    given = settings.model_fields_set - {"against"}  # which is refused
    idle = given - OF_BASELINES if method is None else given & set(OF_SOME_METHODS) - set(own_settings(method))
    return tuple(f"{settings.method} does not use {flag(name)}" for name in sorted(idle))


def flag(name: str) -> str:
    """A setting's name as the command line has it."""
    return "--" + name.replace("_", "-")


def open_choices(plan: Plan) -> dict[str, Any]:
    """Every choice that the papers leave open, with the value that this run uses (printed in each report)."""
    s, method = plan.settings, plan.method
    threshold = "conformal quantile of held-out known images' scores"
    common = {
        "resize filter": "bilinear, antialiased",
        "training images": f"all but the held-out ones: {len(plan.train)}",
        "threshold": f"{threshold}, {s.false_alarms:g} false alarms expected at most",
    }
    if method is None:
        return common
    weak = [twin.method(method) for twin in method.twins]
    return common | {
        "network": str(method.net),
        "initial weights": method.net.initial_weights,
        "latent vector": str(method.latent),
        "game": str(method.losses[0]),
        "G's optimiser": f"{method.optimiser}, batch {s.batch}, {s.images} images shown",
        "D's optimiser": str(method.d_optimiser or method.optimiser),
        "D updates per G update": s.d_steps,
        "what D sees, and its share": ", ".join(f"{stream}: {share:g}" for stream, share in method.d_sees),
        **{f"weak twin {i + 1}": f"{w.net}; z {w.latent}; trains throughout" for i, w in enumerate(weak)},
        "f(x) of V(x)": s.layer or method.net.feature_layer,
        "V(x)": f"lambda {s.lam:g}, {s.reduce} over pixels and features, the best step counts",
        "search": f"Adam on z, step {s.search_lr:g}, at most {s.search_steps} steps, "
        f"{s.restarts} start(s) from the prior, {'kept within it' if s.prior else 'free to leave it'}, "
        f"converged at < {s.tolerance:g} over {s.patience} steps",
        "batch norm when scoring": "inference statistics",
        "averaged generator": f"decay min({s.ema:g}, (1 + t) / (10 + t)) at step t" if s.ema else "none",
    }
