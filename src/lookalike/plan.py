"""From settings and data to a plan: which images train, which set the threshold, and the method, fully decided."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lookalike.baselines import CLASSIFIERS
from lookalike.baselines.networks import need_images
from lookalike.checkpoint import TENSOR_LIMIT
from lookalike.data import Images, aspect_size, read, split
from lookalike.data.sources import open_source
from lookalike.errors import DataError, UsageError, listed, show
from lookalike.gan import GAN
from lookalike.latents import Normal, Uniform
from lookalike.losses import Hinge, Minimax
from lookalike.method import Adam, Method, Twin
from lookalike.methods import METHODS, NETS
from lookalike.methods.vtgan import Noised, Weakened
from lookalike.model import UNKNOWN, check_device
from lookalike.nets import Net
from lookalike.settings import PRESETS, DataSettings, TrainSettings
from lookalike.streams import Source
from lookalike.train import check_batch
from lookalike.use.invert import Inverter, Search
from lookalike.use.score import Threshold, images_needed

Index = npt.NDArray[np.int64]
OF_BASELINES = {  # settings that a baseline looks at
    *("known", "method", "preset", "seed", "size", "grey", "test", "calibration", "false_alarms", "device", "threads"),
    *DataSettings.model_fields,
}
OF_SOME_METHODS = ("against", "noise", "salt_pepper", "weak_z", "decoys")
FULL = 10  # known classes whose detectors each get all of --images
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
    deciding : Index
        Of several known classes, the held-out rows that join their detectors; the threshold sees others, unless there
        are too few (`shares_held`).
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
    deciding: Index

    @property
    def batch(self) -> int:
        """Real images per step, as given or the preset's."""
        return self.settings.batch or PRESETS[self.settings.preset]["batch"]

    @property
    def shown(self) -> int:
        """Real images that a GAN is shown: more than `FULL` classes share them, so that the cost grows no further."""
        return max(1, (self.settings.images or 0) * FULL // max(FULL, len(self.known)))

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
        held = np.union1d(self.calibration, self.deciding)
        parts = {"train": self.train, "calibration": held, "against": self.against, "test": self.test}
        return {name: [self.images.keys[i] for i in rows] for name, rows in parts.items()}

    def only(self, name: str) -> Plan:
        """The part of one of several known classes: its detector, which may learn against the other known ones."""
        mine, others = self.labels_of((name,)), tuple(other for other in self.known if other != name)
        needed = self.method is not None and self.method.needs_others
        settings = self.settings.model_copy(
            update={"known": (name,), "against": (*others, *self.others) if needed else (), "images": self.shown}
        )
        labels = self.images.labels
        return replace(
            self,
            settings=settings,
            train=self.train[np.isin(labels[self.train], mine)],
            against=np.union1d(self.train[~np.isin(labels[self.train], mine)], self.against)
            if needed
            else self.against,
            known=(name,),
            others=(*others, *self.others) if needed else self.others,
        )

    @property
    def shares_held(self) -> bool:
        """Whether the same held-out images join the classes and set the threshold."""
        return bool(np.isin(self.deciding, self.calibration).any())

    def labels_of(self, names: tuple[str, ...]) -> list[int]:
        """The data's numbers of these classes."""
        return [self.images.classes.index(name) for name in names]

    def numbered(self, rows: Index) -> Index:
        """(N,) number of each row's class among the known ones."""
        mine = self.labels_of(self.known)
        return np.array([mine.index(label) for label in self.images.labels[rows].tolist()], np.int64)

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
    images = data if isinstance(data, Images) else read_used(data, settings)
    if settings.sides not in (None, images.shape[1:]):
        raise UsageError(f"--size {settings.size}: the images have the shape {images.shape} already; leave it out")
    settings = _with_preset(settings, images.shape)
    method = _method(settings) if settings.method in METHODS else None
    known, others = images.names_of(settings.known), images.names_of(settings.against)
    _check_others(settings, len(known), uses=method is not None and method.needs_others)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is both known and against; name it once")
    parts = split(images, test=settings.test, calibration=settings.calibration, seed=settings.seed)
    is_known = np.isin(images.labels, [images.classes.index(name) for name in known])
    is_other = np.isin(images.labels, [images.classes.index(name) for name in others])
    held = parts.calibration[is_known[parts.calibration]]
    joins = len(known) > 1 and settings.method not in CLASSIFIERS
    deciding = _deciding(images, held, settings.false_alarms) if joins else held[:0]
    plan = Plan(
        settings=settings,
        data="arrays" if isinstance(data, Images) else Path(data).resolve().name,
        images=images,
        train=parts.train[is_known[parts.train]],
        calibration=held if len(deciding) == len(held) else np.setdiff1d(held, deciding),
        against=parts.train[is_other[parts.train]],
        known=known,
        others=others,
        test=parts.test,
        method=method,
        deciding=deciding,
    )
    if len(plan.train) < 2 or (others and len(plan.against) < 2):
        role, names = ("known", known) if len(plan.train) < 2 else ("against", others)
        raise DataError(f"{role} {listed(names)}: fewer than 2 images are left to train on; add images")
    if settings.method in CLASSIFIERS:
        need_images(images.shape, settings.method)
    if len(known) > 1:
        _check_each(plan, deciding if joins else held)
    elif settings.method in CLASSIFIERS:
        raise UsageError(f"{settings.method} tells known classes apart; name two or more (--known), or use rotation")
    # what cannot end well is refused before it begins
    Threshold(np.zeros(len(plan.calibration)), settings.false_alarms)
    if plan.method is not None:
        check_batch(plan.method, plan.batch)
        gan = GAN(plan.method, images.shape, ema=settings.ema or 0.0)
        Inverter(gan, plan.search())
        _check_number(plan, len(gan.state(training=False)))
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


def read_used(data: str | Path, s: TrainSettings) -> Images:
    """The images of known classes and of those against them, at the size that they train at; DataError as `read`."""
    source = open_source(data, value_range=s.low_high, allow_empty_class=s.allow_empty_class)
    size, used = s.sides, (*s.known, *s.against)
    if not source.vectors and size is None:
        size = aspect_size(data, PRESETS[s.preset]["side"], NETS[s.net or "anogan"]().multiple, used)
    return read(data, size=size, channels=1 if s.grey else None, classes=used, **s.reading())


def _deciding(images: Images, held: Index, allowed: float) -> Index:
    """Every second distinct image of each class; all, where the others could not promise so few false alarms."""
    keys, labels, chosen = np.array(images.keys)[held], images.labels[held], dict[str, bool]()
    for label in sorted(np.unique(labels).tolist(), key=images.classes.__getitem__):
        mine = sorted(set(keys[labels == label].tolist()) - set(chosen))  # by content, whatever their order
        chosen |= {key: i % 2 == 0 for i, key in enumerate(mine)}
    deciding = held[[chosen[key] for key in keys.tolist()]] if len(held) else held
    return deciding if len(held) - len(deciding) >= images_needed(allowed) else held


def _check_each(plan: Plan, held: Index) -> None:
    """Raises DataError for a known class that is too small, or whose name is a verdict."""
    if UNKNOWN in plan.known:
        raise DataError(f"a known class is called {UNKNOWN}, as what is none of the known ones will be; rename it")
    for name in plan.known:
        mine = plan.labels_of((name,))
        trained, kept = (np.isin(plan.images.labels[rows], mine).sum() for rows in (plan.train, held))
        if trained < 2 or kept < 1:
            raise DataError(
                f"images of known class {show(name)}: {trained} to train on, {kept} held out; of each of several known "
                "classes 2 and 1 are needed; add images or leave it out"
            )


def _check_number(plan: Plan, tensors: int) -> None:
    """Raises UsageError for more known classes than one model file holds GANs of so many tensors."""
    if len(plan.known) * tensors >= TENSOR_LIMIT:
        most = (TENSOR_LIMIT - 1) // tensors
        raise UsageError(
            f"{len(plan.known)} known classes are more than a model of {plan.settings.method} holds, {most} at most; "
            "name fewer, or take a baseline such as knn"
        )


def _check_others(settings: TrainSettings, known: int, *, uses: bool) -> None:
    if uses and not settings.against and known < 2:
        raise UsageError(
            f"{settings.method} learns from another class's images; name one (--against) or several known classes, "
            "or use vtgan, which needs none"
        )
    if settings.against and not uses:
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
