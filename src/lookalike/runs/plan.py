"""From settings and data to a plan: which images train, which set the threshold, and the method, fully decided."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lookalike.base.arrays import Index
from lookalike.base.checkpoint import TENSOR_LIMIT
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data import Images, aspect_size, read, split
from lookalike.data.sources import open_source
from lookalike.detect.baselines import CLASSIFIERS
from lookalike.detect.baselines.networks import need_images
from lookalike.detect.detector import Threshold, images_needed
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import ANY, UNKNOWN, check_device
from lookalike.detect.search import Search
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.nets import Net
from lookalike.game.source import Source
from lookalike.game.splitting import Splitting
from lookalike.game.train import check_batch
from lookalike.methods import METHODS, NETS
from lookalike.runs.choices import FULL, filled, method_of, preset_of, refuse_idle
from lookalike.runs.settings import TrainSettings


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
        All images, at the size that the networks take.
    train, calibration, extra_fakes, test : Index
        Rows that train as known, that set the threshold, that train as extra fakes, and that only measure.
    known, others : tuple of str
        Class names.
    method : Method or None
        None: a baseline.
    deciding : Index
        With several known classes, the held-out rows that join their detectors. Other rows set the threshold, unless
        there are too few (`shares_held`).
    unlabelled : Index
        Rows that are of known classes, without a label that says of which.
    truth, true_classes
        (N,) the labels of all images before known classes were pooled, and their names.
    """

    settings: TrainSettings
    data: str
    images: Images
    train: Index
    calibration: Index
    extra_fakes: Index
    test: Index
    known: tuple[str, ...]
    others: tuple[str, ...]
    method: Method | None
    deciding: Index
    truth: Index
    true_classes: tuple[str, ...]
    unlabelled: Index

    @property
    def joins(self) -> bool:
        """Whether held-out images join detectors of several known classes."""
        return bool(len(self.deciding))

    @property
    def batch(self) -> int:
        """Real images per step, as given or the preset's."""
        return self.settings.batch or preset_of(self.settings)["batch"]

    @property
    def shown(self) -> int:
        """Real images shown to a GAN. More than `FULL` classes share them, so that the cost grows no further."""
        if self.method is not None and self.method.per_class:
            return self.settings.images or 0
        return max(1, (self.settings.images or 0) * FULL // max(FULL, len(self.known)))

    def source(self) -> Source:
        """The training images, from which the game draws."""
        pixels = self.images.pixels
        others = torch.from_numpy(pixels[self.extra_fakes]) if len(self.extra_fakes) else None
        labels = self.numbered(self.train)
        device = torch.device(self.settings.device)
        more = torch.from_numpy(pixels[self.unlabelled]) if len(self.unlabelled) else None
        return Source(
            torch.from_numpy(pixels[self.train]), torch.from_numpy(labels), others, self.settings.seed, device, more
        )

    def search(self) -> Search:
        """The latent search of the scores."""
        s = self.settings
        return Search(
            lam=s.lam,
            reduce=s.reduce,
            layer=s.layer,
            steps=s.search_steps or preset_of(s)["search_steps"],
            lr=s.search_lr or preset_of(s)["search_lr"],
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
        trained = np.concatenate([self.train, self.unlabelled])
        parts = {"train": trained, "calibration": held, "extra_fakes": self.extra_fakes, "test": self.test}
        return {name: [self.images.keys[i] for i in rows] for name, rows in parts.items()}

    def only(self, name: str) -> Plan:
        """The plan of one of several known classes; its GAN may learn images of the others as extra fakes."""
        mine, others = self.labels_of((name,)), tuple(other for other in self.known if other != name)
        needed = self.method is not None and self.method.needs_others
        settings = self.settings.model_copy(
            update={"known": (name,), "extra_fakes": (*others, *self.others) if needed else (), "images": self.shown}
        )
        labels = self.images.labels
        return replace(
            self,
            settings=settings,
            train=self.train[np.isin(labels[self.train], mine)],
            extra_fakes=np.union1d(self.train[~np.isin(labels[self.train], mine)], self.extra_fakes)
            if needed
            else self.extra_fakes,
            known=(name,),
            others=(*others, *self.others) if needed else self.others,
        )

    @property
    def shares_held(self) -> bool:
        """Whether the same held-out images join the detectors and set the threshold."""
        return bool(np.isin(self.deciding, self.calibration).any())

    def labels_of(self, names: tuple[str, ...]) -> list[int]:
        """The data's numbers of these classes."""
        return [self.images.classes.index(name) for name in names]

    def numbered(self, rows: Index) -> Index:
        """(N,) number of each row's class among the known ones."""
        mine = self.labels_of(self.known)
        return np.array([mine.index(label) for label in self.images.labels[rows].tolist()], np.int64)

    @property
    def pooled(self) -> set[str]:
        """The classes that were taken as one."""
        mine = np.isin(self.images.labels, self.labels_of(self.known))
        return {self.true_classes[label] for label in np.unique(self.truth[mine]).tolist()}

    def data_digest(self) -> str:
        """One hash over all images that are used. A resumed run must have the same."""
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
    known, others = images.names_of(settings.known), images.names_of(settings.extra_fakes)
    given, settings = settings, filled(settings, images.shape, len(known))
    truth, true_classes = images.labels, images.classes
    if settings.pooled:
        images, known = images.pooled(known, ANY), (ANY,)
    method = _method(settings, given)
    _check_others(settings, len(known), uses=method is not None and method.needs_others)
    nameless = images.names_of(settings.unlabelled)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is both known and an extra fake; name it once")
    if both := {*known, *others} & set(nameless):
        raise UsageError(f"class {show(min(both))} is known or an extra fake, and --unlabelled; name it once")
    parts = split(images, test=settings.test, calibration=settings.calibration, seed=settings.seed)
    is_known = np.isin(images.labels, [images.classes.index(name) for name in known])
    is_other = np.isin(images.labels, [images.classes.index(name) for name in others])
    held = parts.calibration[is_known[parts.calibration]]
    # a detector that says itself of which class an image is needs no joining
    classifies = settings.method in CLASSIFIERS or (method is not None and method.per_class and not method.conditional)
    joins = len(known) > 1 and settings.calibration > 0 and not classifies
    deciding = _deciding(images, held, settings.false_alarms) if joins else held[:0]
    plan = Plan(
        settings=settings,
        data="arrays" if isinstance(data, Images) else Path(data).resolve().name,
        images=images,
        train=parts.train[is_known[parts.train]],
        calibration=held if len(deciding) == len(held) else np.setdiff1d(held, deciding),
        extra_fakes=parts.train[is_other[parts.train]],
        known=known,
        others=others,
        test=parts.test,
        method=method,
        deciding=deciding,
        unlabelled=_of(images, nameless, np.union1d(parts.train, parts.calibration)),
        truth=truth,
        true_classes=true_classes,
    )
    if len(plan.train) < 2 or (others and len(plan.extra_fakes) < 2):
        role, names = ("known", known) if len(plan.train) < 2 else ("extra fakes", others)
        raise DataError(f"{role} {listed(names)}: fewer than 2 images are left to train on; add images")
    if settings.method in CLASSIFIERS:
        need_images(images.shape, settings.method)
    if len(known) > 1:
        _check_each(plan, deciding if joins else held)
    elif settings.method in CLASSIFIERS:
        raise UsageError(f"{settings.method} classifies known classes; name two or more (--known), or take rotation")
    # what cannot end well is refused before it begins
    if settings.calibration > 0:
        Threshold(np.zeros(len(plan.calibration)), settings.false_alarms)
    elif method is None or (len(known) > 1 and not method.per_class):
        raise UsageError(
            f"--calibration 0: {settings.method} needs held-out images; hold some out, or take a GAN that only makes "
            "images of its classes, such as acgan"
        )
    if plan.method is not None:
        check_batch(plan.method, plan.batch)
        if plan.method.splitting is not None:
            _check_splits(plan, plan.method.splitting)
        gan = GAN(plan.method, images.shape, classes=len(known), ema=settings.ema or 0.0)
        GANDetector(gan, plan.search(), 0 if plan.method.conditional else None)
        _check_number(plan, len(gan.state(training=False)))
    return plan


def _method(settings: TrainSettings, given: TrainSettings) -> Method | None:
    """The method with its settings, None for a baseline. Raises UsageError for a setting that the method has not."""
    if settings.method not in METHODS:
        return None
    method = method_of(settings)
    refuse_idle(given, method)
    return method


def _check_splits(plan: Plan, splitting: Splitting) -> None:
    """Raises UsageError for splits after the end of the training, and where no class is large enough to split."""
    points, last = splitting.at, math.ceil(plan.shown / plan.batch) - 1  # the step that begins last
    steps = [math.ceil(point / plan.batch) for point in points]
    if steps[-1] > last:
        raise UsageError(
            f"classes would be split after {points[-1]:,} images, and the last of this training's steps begins at "
            f"{last * plan.batch:,}; show more images (--images), or split earlier (--split-at)"
        )
    if len(set(steps)) < len(steps):
        raise UsageError(
            f"--split-at {', '.join(map(str, points))}: two of these lie within a step of {plan.batch} images; "
            "split less often, or take a smaller --batch"
        )
    labels = plan.numbered(plan.train)
    largest = np.bincount(labels).max() / len(labels)
    if largest <= splitting.above:
        raise UsageError(
            f"no class would be split: the largest has {100 * largest:.1f} % of the training images, and classes above "
            f"{100 * splitting.above:.1f} % are split; give a smaller share (--split-above)"
        )


def _of(images: Images, names: tuple[str, ...], rows: Index) -> Index:
    """The rows that are of these classes. Raises DataError where fewer than two are."""
    numbers = [images.classes.index(name) for name in names]
    found = rows[np.isin(images.labels[rows], numbers)]
    if len(found) < 2 * bool(names):
        raise DataError(f"unlabelled {listed(names)}: fewer than 2 images are left to train on; add images")
    return found


def read_used(data: str | Path, s: TrainSettings) -> Images:
    """The images of the classes that train, at the size of the training; raises DataError as `read` does."""
    source = open_source(data, value_range=s.low_high, allow_empty_class=s.allow_empty_class)
    size, used = s.sides, (*s.known, *s.extra_fakes, *s.unlabelled)
    if not source.vectors and size is None:
        size = aspect_size(data, preset_of(s)["side"], _net(s).multiple, used)
    return read(data, size=size, channels=1 if s.grey else None, classes=used, **s.reading())


def _net(s: TrainSettings) -> Net:
    """The network, which says the sizes that it can make."""
    own = METHODS[s.method].net if s.method in METHODS else NETS["anogan"]()
    return own if s.net in (None, own.name) else NETS[s.net or ""]()


def _deciding(images: Images, held: Index, allowed: float) -> Index:
    """Every second distinct image of each class, or all where the rest could not promise so few false alarms."""
    keys, labels, chosen = np.array(images.keys)[held], images.labels[held], dict[str, bool]()
    for label in sorted(np.unique(labels).tolist(), key=images.classes.__getitem__):
        mine = sorted(set(keys[labels == label].tolist()) - set(chosen))  # by content, whatever their order
        chosen |= {key: i % 2 == 0 for i, key in enumerate(mine)}
    deciding = held[[chosen[key] for key in keys.tolist()]] if len(held) else held
    return deciding if len(held) - len(deciding) >= images_needed(allowed) else held


def _check_each(plan: Plan, held: Index) -> None:
    """Raises DataError for a known class that is too small, or whose name is the answer `UNKNOWN`."""
    if UNKNOWN in plan.known:
        raise DataError(
            f"a known class is called {UNKNOWN}, which is the answer for images of no known class; rename it"
        )
    for name in plan.known:
        mine = plan.labels_of((name,))
        trained, kept = (np.isin(plan.images.labels[rows], mine).sum() for rows in (plan.train, held))
        if trained < 2 or (kept < 1 and plan.settings.calibration > 0):
            raise DataError(
                f"images of known class {show(name)}: {trained} to train on, {kept} held out; each of several known "
                "classes needs 2 and 1; add images or leave the class out"
            )


def _check_number(plan: Plan, tensors: int) -> None:
    """Raises UsageError where one model file cannot hold a GAN of so many tensors for each known class."""
    gans = 1 if plan.method is not None and plan.method.per_class else len(plan.known)
    if gans * tensors >= TENSOR_LIMIT:
        most = (TENSOR_LIMIT - 1) // tensors
        raise UsageError(
            f"{len(plan.known)} known classes are too many: a model of {plan.settings.method} holds {most} at most; "
            "name fewer, or take a baseline such as knn"
        )


def _check_others(settings: TrainSettings, known: int, *, uses: bool) -> None:
    if uses and not settings.extra_fakes and known < 2:
        raise UsageError(
            f"{settings.method} learns images of another class as fake; name one (--extra-fakes) or several known "
            "classes, or take vtgan, which needs none"
        )
    if settings.extra_fakes and not uses:
        raise UsageError(f"{settings.method} does not use --extra-fakes; leave the flag out, or take --method mcgan")
