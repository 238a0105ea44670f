"""From settings and data to a plan: which images train, which set the threshold, and the method, fully decided."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from lookalike.base.arrays import Index, Report
from lookalike.base.checkpoint import CLASS_LIMIT, NAME_LIMIT, NAMES_LIMIT, TENSOR_LIMIT
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.base.names import BACKBONES, ON_FEATURES
from lookalike.base.ranks import ALONE, Ranks
from lookalike.base.words import percent
from lookalike.data import Images, split
from lookalike.data.images import Selection
from lookalike.data.oddities import GREYED
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.baselines.auto import AutoBaseline
from lookalike.detect.baselines.cross import FEWEST, FEWEST_GROUPS
from lookalike.detect.baselines.features import FeatureBaseline
from lookalike.detect.baselines.networks import need_images
from lookalike.detect.detector import Threshold, images_needed
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import ANY, UNKNOWN, check_device
from lookalike.features.backbones import named
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.source import Source, Stored
from lookalike.game.splitting import Splitting
from lookalike.game.train import check_batch
from lookalike.methods import METHODS
from lookalike.runs.choices import filled
from lookalike.runs.own_flags import chosen_method
from lookalike.runs.reading import need_known, read_used
from lookalike.runs.recipe import Recipe
from lookalike.runs.rows import Rows
from lookalike.runs.settings import TrainSettings
from lookalike.runs.used import digest_of


@dataclass(frozen=True)
class Plan:
    """A training, fully decided before it starts.

    Parameters
    ----------
    data : str
        Where the images come from: the last part of the path, or a data set's name.
    images : Images
        All images, at the size that the networks take.
    rows : Rows
        Which of them do what.
    recipe : Recipe
        Settings and method.
    known, others : tuple of str
        Names of the known classes, and of those whose images are extra fakes.
    truth, true_classes
        (N,) the labels of all images before known classes were pooled, and their names.
    ranks : Ranks
        The processes that train each GAN together.
    """

    data: str
    images: Images
    rows: Rows
    recipe: Recipe
    known: tuple[str, ...]
    others: tuple[str, ...]
    truth: Index
    true_classes: tuple[str, ...]
    ranks: Ranks = ALONE

    @property
    def shown(self) -> int:
        """Real images shown to each GAN."""
        return self.recipe.shown(len(self.known))

    def source(self) -> Source:
        """The training images, from which the game draws."""
        rows, settings = self.rows, self.recipe.settings
        known, others, more = (self._tensor(part) for part in (rows.train, rows.extra_fakes, rows.unlabelled))
        method = self.recipe.method
        assert known is not None, "`make` refuses a run without training images"
        labels = torch.from_numpy(self.numbered(rows.train))
        source = Source(known, labels, others, settings.seed, torch.device(settings.device), more, ranks=self.ranks)
        return source.in_turn() if method is not None and method.labels.balances else source

    def _tensor(self, rows: Index) -> torch.Tensor | Stored | None:
        if isinstance(self.images.pixels, np.memmap):
            return Stored(Selection(self.images.pixels, rows)) if len(rows) else None
        return torch.from_numpy(self.images.pixels[rows]) if len(rows) else None

    def keys(self) -> dict[str, list[str]]:
        """Content keys of the images of each part, for the run's record."""
        return {name: [self.images.keys[i] for i in rows] for name, rows in self.rows.parts().items()}

    def only(self, name: str) -> Plan:
        """The plan of one of several known classes; its GAN may learn images of the others as extra fakes."""
        needed = self.recipe.needs_others
        others = (*(other for other in self.known if other != name), *self.others) if needed else self.others
        mine = self.rows.train[np.isin(self.images.labels[self.rows.train], self.labels_of((name,)))]
        own = {"known": (name,), "extra_fakes": others if needed else (), "images": self.shown}
        return replace(
            self,
            recipe=replace(self.recipe, settings=self.recipe.settings.model_copy(update=own)),
            rows=self.rows.only(mine, others_are_fakes=needed),
            known=(name,),
            others=others,
        )

    def gans(self) -> tuple[Plan, ...]:
        """The plan of each GAN that trains: one of each known class, or one of all; none for a baseline."""
        method = self.recipe.method
        if method is None:
            return ()
        return (self,) if len(self.known) == 1 or method.per_class else tuple(map(self.only, self.known))

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

    def groups(self) -> dict[str, list[str]] | None:
        """Names of the groups in each part, for the run's record; None where images have no groups."""
        groups = self.images.groups
        return None if groups is None else {name: groups.names(rows) for name, rows in self.rows.parts().items()}

    def data_digest(self) -> str:
        """One hash over all images that are used. A resumed run must have the same."""
        return digest_of(self.keys())


def make(
    data: str | Path | Images,
    settings: TrainSettings,
    ranks: Ranks = ALONE,
    report: Report = lambda _stage, _done, _of: None,
) -> Plan:
    """Reads the data, splits it, and decides what the settings leave open; with `minutes`, all but the images shown.

    `ranks` are the processes that train each GAN together. `report` gets the progress where reading takes long.

    Raises
    ------
    DataError
        For data that cannot be read, or classes that are missing or too small.
    UsageError
        For settings that do not fit the data or each other.
    """
    check_device(settings.device)
    if settings.method in ON_FEATURES:
        named(settings.backbone)  # one that cannot be used is refused before the images are read
    images = data if isinstance(data, Images) else read_used(data, settings, report)
    if settings.group is not None and images.groups is None:  # images in memory
        images = images.grouped(settings.group)
    if settings.sides not in (None, images.shape[1:]):
        raise UsageError(f"--size {settings.size}: the images have the shape {images.shape} already; leave it out")
    if isinstance(data, Images):
        settings = _as_read(settings, images)
    need_known(settings, images.classes)
    known, others = images.names_of(settings.known), images.names_of(settings.extra_fakes)
    given, settings = settings, filled(settings, images.shape, len(known))
    truth, true_classes, named_by_user = images.labels, images.classes, {*known, *others}
    if settings.pooled:
        images, known = images.pooled(known, ANY), (ANY,)
    method = _method(settings, given)
    nameless = images.names_of(settings.unlabelled)
    _check_others(settings, len(known), uses=method is not None and method.needs_others)
    _check_names(known, others, nameless)
    _check_lengths({*named_by_user, *known, *nameless})
    thresholds = settings.crosses or settings.held_out > 0
    joins = len(known) > 1 and thresholds and not _classifies(settings, method)
    rows = _rows(images, settings, known, others, nameless, joins=joins)
    name = "arrays" if isinstance(data, Images) else Path(data).resolve().name
    plan = Plan(name, images, rows, Recipe(settings, method), known, others, truth, true_classes, ranks)
    _check_images(plan, rows.deciding if joins else rows.calibration)
    _check_calibration(plan)
    _check_groups(plan)
    _check_expected(plan)
    _check_classes(plan)
    if method is not None:
        check_method(plan, method)
    return plan


def showing(plan: Plan, given: TrainSettings, images: int) -> Plan:
    """The plan of the settings `given` of a GAN, with so many images shown. Raises UsageError as `make`."""
    given = given.model_copy(update={"images": images})
    settings = filled(given, plan.images.shape, len(plan.known))
    method = chosen_method(given, settings)
    again = replace(plan, recipe=Recipe(settings, method))
    if method.splitting is not None:
        _check_splits(again, method.splitting)
    return again


def _as_read(settings: TrainSettings, images: Images) -> TrainSettings:
    """The settings with how images in memory were read. Raises UsageError for those that they cannot take any more."""
    if settings.aspect != images.aspect:
        raise UsageError(
            f"--aspect {settings.aspect}: the images were read with {images.aspect}; read them with aspect="
            f"{settings.aspect!r}, or leave it out"
        )
    own = images.levels.value_range if images.levels.stored else None
    if settings.low_high not in (None, own):
        raise UsageError(
            f"--value-range {settings.value_range}: the images are in memory already; read them with value_range="
            f"({settings.value_range}), or leave it out"
        )
    if settings.grey and images.shape[0] == 3:
        raise UsageError("--grey: the images are in memory already, in colour; read them with channels=1")
    ends = None if own is None else "{:.17g},{:.17g}".format(*own)
    return settings.model_copy(update={"value_range": ends, "grey": settings.grey or GREYED in images.odd})


def _classifies(settings: TrainSettings, method: Method | None) -> bool:
    """Whether one detector says itself of which class an image is, so that none need be joined."""
    return settings.method in CLASSIFIERS or (method is not None and method.per_class and not method.conditional)


def _rows(
    images: Images,
    settings: TrainSettings,
    known: tuple[str, ...],
    others: tuple[str, ...],
    nameless: tuple[str, ...],
    *,
    joins: bool,
) -> Rows:
    """Which rows do what; with `joins` some of those held out decide between the detectors of the known classes."""
    parts = split(images, test=settings.tested, calibration=settings.held_out, seed=settings.seed)
    is_known, is_other = (
        np.isin(images.labels, [images.classes.index(name) for name in names]) for names in (known, others)
    )
    train, held_out = (part[is_known[part]] for part in (parts.train, parts.calibration))
    if settings.crosses:
        train = _distinct(images, train)  # an image is not left out while a copy of it stays
    every, train = train, _drawn(images, train, settings, len(known))
    if settings.crosses:
        held_out = train
    if not joins:
        deciding = held_out[:0]
    else:
        deciding = held_out if settings.crosses else _deciding(images, held_out, settings.false_alarms)
    return Rows(
        train=train,
        calibration=held_out if len(deciding) == len(held_out) else np.setdiff1d(held_out, deciding),
        extra_fakes=parts.train[is_other[parts.train]],
        test=parts.test,
        deciding=deciding,
        unlabelled=_of(images, nameless, np.union1d(parts.train, parts.calibration)),
        spare=np.setdiff1d(every, train),
    )


def _check_names(known: tuple[str, ...], others: tuple[str, ...], nameless: tuple[str, ...]) -> None:
    """Raises UsageError for a class that is given two parts."""
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is both known and an extra fake; name it once")
    if both := {*known, *others} & set(nameless):
        raise UsageError(f"class {show(min(both))} is known or an extra fake, and --unlabelled; name it once")


def _check_lengths(names: set[str]) -> None:
    """Raises DataError for names of classes that a model's file cannot hold, which would be said after training."""
    for name in names:
        if len(name) > NAME_LIMIT:
            raise DataError(
                f"class {show(name, 60)}: the name has {len(name):,} letters, and a model holds {NAME_LIMIT}; rename it"
            )
    size = sum(len(json.dumps(name)) for name in names)
    if len(names) > CLASS_LIMIT or size > NAMES_LIMIT:
        raise DataError(
            f"{len(names):,} classes with {size:,} letters in their names are too many; a model holds {CLASS_LIMIT:,} "
            f"classes, and {NAMES_LIMIT:,} letters; name fewer"
        )


def _check_images(plan: Plan, held_out: Index) -> None:
    """Raises DataError for too few images or ones that the method cannot take, UsageError for too few classes."""
    rows, method, several = plan.rows, plan.recipe.settings.method, len(plan.known) > 1
    if len(rows.train) < 2 or (plan.others and len(rows.extra_fakes) < 2):
        role, names = ("known", plan.known) if len(rows.train) < 2 else ("extra fakes", plan.others)
        raise DataError(f"{role} {listed(names)}: {_too_few(plan, names)}; add images")
    if method in CLASSIFIERS or (method in BASELINES and not BASELINES[method].vectors):
        need_images(plan.images.shape, method)
    if method in CLASSIFIERS and not several:
        raise UsageError(f"{method} classifies known classes; name two or more (--known), or take rotation")
    if several:
        _check_each(plan, held_out)


def _too_few(plan: Plan, names: tuple[str, ...]) -> str:
    """Why fewer than two images of these classes are left, in words."""
    mine = np.flatnonzero(np.isin(plan.images.labels, plan.labels_of(names)))
    if len(mine) > 1 and len({plan.images.keys[row] for row in mine.tolist()}) == 1:
        return f"the {len(mine):,} images are copies of one, so that none can be held out"
    return "fewer than 2 images are left to train on"


def _check_calibration(plan: Plan) -> None:
    """Raises UsageError where too few images are held out for the threshold, or none for a method that needs some."""
    settings, method = plan.recipe.settings, plan.recipe.method
    n, needed = len(plan.rows.calibration), images_needed(settings.false_alarms)
    if settings.crosses and n < max(needed, FEWEST):
        raise DataError(
            f"{n} known images to train on and to set the threshold are too few: {max(needed, FEWEST)} are needed for "
            f"{percent(settings.false_alarms)} false alarms; add images, or allow more (--false-alarms)"
        )
    makes = method is not None and (len(plan.known) == 1 or method.per_class)  # images, without a threshold
    if settings.crosses or settings.held_out > 0:
        try:
            Threshold(np.zeros(n), settings.false_alarms)
        except DataError as error:
            only = "; a GAN that only makes images needs none (--calibration 0)" if makes else ""
            raise DataError(f"{error}{only}") from error
    elif not makes:
        raise UsageError(
            f"--calibration 0: {settings.method} needs held-out images; hold some out, or take a GAN that only makes "
            "images of its classes, such as acgan"
        )


def _check_groups(plan: Plan) -> None:
    """Raises DataError for a known class whose images would be scored by what other groups teach, and has none."""
    if plan.images.groups is None or not plan.recipe.settings.crosses:
        return
    for name in plan.known:
        mine = np.isin(plan.images.labels[plan.rows.train], plan.labels_of((name,)))
        found = plan.images.groups.names(plan.rows.train[mine])
        if len(found) < FEWEST_GROUPS:
            raise DataError(
                f"class {show(name)}: all images to train on are of one group, {show(found[0], 60)}, and the threshold "
                "comes from images that are scored by what other groups teach; add images of other groups, or hold "
                "no test images out (--test 0)"
            )


def _check_expected(plan: Plan) -> None:
    """Raises UsageError for --expect or --backbone where the inputs are vectors."""
    settings = plan.recipe.settings
    if len(plan.images.shape) > 1:
        return
    if settings.expect:
        raise UsageError(f"--expect {settings.expect} is asked of images, and these are vectors; leave it out")
    if settings.backbone != BACKBONES[0]:
        raise UsageError(f"--backbone {show(settings.backbone)} sees images, and these are vectors; leave it out")


def _check_classes(plan: Plan) -> None:
    """Raises UsageError where one file cannot hold a detector on features for each class."""
    baseline = plan.recipe.baseline if plan.recipe.settings.method in BASELINES else None
    if isinstance(baseline, AutoBaseline | FeatureBaseline) and len(plan.images.shape) > 1:
        known = len(plan.known)
        _check_number(plan, known, baseline.tensors(plan.images.shape, several=known > 1))


def check_method(plan: Plan, method: Method) -> None:
    """Raises UsageError for a GAN that cannot be built, split, searched or stored as the plan says."""
    for one in (method, *method.methods_of_twins().values()):
        check_batch(one, plan.recipe.batch, plan.ranks.size)
    if method.splitting is not None and plan.recipe.settings.minutes is None:  # with them, `showing` checks
        _check_splits(plan, method.splitting)
    known, ema = len(plan.known), plan.recipe.settings.ema or 0.0
    with torch.device("meta"):  # sizes alone: no memory is taken
        gan = GAN(method, plan.images.shape, classes=known, ema=ema, device="meta")
    GANDetector(gan, plan.recipe.search(), 0 if method.conditional else None)
    gans = 1 if method.per_class else known
    _check_number(plan, gans, len(gan.tensors(training=False)))


def _method(settings: TrainSettings, given: TrainSettings) -> Method | None:
    """The method with its settings, None for a baseline. Raises UsageError for a setting that the method has not."""
    if settings.method not in METHODS:
        return None
    return chosen_method(given, settings)


def _check_splits(plan: Plan, splitting: Splitting) -> None:
    """Raises UsageError for splits after the end of the training, and where no class is large enough to split."""
    points, last = splitting.at, math.ceil(plan.shown / plan.recipe.batch) - 1  # the step that begins last
    steps = [math.ceil(point / plan.recipe.batch) for point in points]
    if steps[-1] > last:
        raise UsageError(
            f"classes would be split after {points[-1]:,} images, and the last of this training's steps begins at "
            f"{last * plan.recipe.batch:,}; show more images (--images), or split earlier (--split-at)"
        )
    if len(set(steps)) < len(steps):
        raise UsageError(
            f"--split-at {', '.join(map(str, points))}: two of these lie within a step of {plan.recipe.batch} images; "
            "split less often, or take a smaller --batch"
        )
    labels = plan.numbered(plan.rows.train)
    largest = np.bincount(labels).max() / len(labels)
    if largest <= splitting.above:
        raise UsageError(
            f"no class would be split: the largest has {percent(largest)} of the training images, and classes above "
            f"{percent(splitting.above)} are split; give a smaller share (--split-above)"
        )


def _of(images: Images, names: tuple[str, ...], rows: Index) -> Index:
    """The rows that are of these classes. Raises DataError where fewer than two are."""
    numbers = [images.classes.index(name) for name in names]
    found = rows[np.isin(images.labels[rows], numbers)]
    if len(found) < 2 * bool(names):
        raise DataError(f"unlabelled {listed(names)}: fewer than 2 images are left to train on; add images")
    return found


def _distinct(images: Images, rows: Index) -> Index:
    """The first row of each content."""
    _, first = np.unique(np.array(images.keys)[rows], return_index=True)
    return rows[np.sort(first)]


def _drawn(images: Images, rows: Index, settings: TrainSettings, known: int) -> Index:
    """So many of each of the known classes as the method learns from at most, by seed and content."""
    limit = BASELINES[settings.method].most_images if settings.method in BASELINES and len(images.shape) == 3 else None
    if limit is None:
        return rows
    most, kept = limit(images.shape, known), []
    for label in np.unique(images.labels[rows]):
        mine = rows[images.labels[rows] == label].tolist()
        kept += sorted(mine, key=lambda row: sha256(f"{settings.seed}:{images.keys[row]}".encode()).digest())[:most]
    return np.sort(np.array(kept, np.int64))


def _deciding(images: Images, held: Index, allowed: float) -> Index:
    """Every second distinct image or group of each class, or all where the rest could not promise so few false alarms.

    All are needed too where groups leave a class none.
    """
    names = images.keys if images.groups is None else images.groups.of
    keys, labels, chosen = np.array(names)[held], images.labels[held], dict[str, bool]()
    for label in sorted(np.unique(labels).tolist(), key=images.classes.__getitem__):
        mine = sorted(set(keys[labels == label].tolist()) - set(chosen))  # by content, whatever their order
        chosen |= {key: i % 2 == 0 for i, key in enumerate(mine)}
    deciding = held[[chosen[key] for key in keys.tolist()]] if len(held) else held
    lacking = images.groups is not None and len(np.unique(images.labels[deciding])) < len(np.unique(labels))
    return deciding if not lacking and len(held) - len(deciding) >= images_needed(allowed) else held


def _check_each(plan: Plan, held: Index) -> None:
    """Raises DataError for a known class that is too small, or whose name is the answer `UNKNOWN`."""
    if UNKNOWN in plan.known:
        raise DataError(
            f"a known class is called {UNKNOWN}, which is the answer for images of no known class; rename it"
        )
    for name in plan.known:
        mine = plan.labels_of((name,))
        trained, kept = (np.isin(plan.images.labels[rows], mine).sum() for rows in (plan.rows.train, held))
        if plan.recipe.settings.crosses and trained < FEWEST:
            raise DataError(
                f"images of known class {show(name)}: {trained} to train on; each of several known classes needs "
                f"{FEWEST}; add images or leave the class out"
            )
        held_out = plan.recipe.settings.held_out > 0
        if trained < 2 or (kept < 1 and held_out):
            raise DataError(
                f"images of known class {show(name)}: {trained} to train on{f', {kept} held out' if held_out else ''}; "
                f"each of several known classes needs 2{' and 1' if held_out else ''}; add images or leave the class "
                "out"
            )


def _check_number(plan: Plan, gans: int, tensors: int) -> None:
    """Raises UsageError where one model file cannot hold a GAN of so many tensors for each known class."""
    if gans * tensors >= TENSOR_LIMIT:
        most = (TENSOR_LIMIT - 1) // tensors
        raise UsageError(
            f"{len(plan.known)} known classes are too many: a model of {plan.recipe.settings.method} holds {most} at "
            "most; name fewer, or take a baseline such as knn"
        )


def _check_others(settings: TrainSettings, known: int, *, uses: bool) -> None:
    if uses and not settings.extra_fakes and known < 2:
        raise UsageError(
            f"{settings.method} learns images of another class as fake; name one (--extra-fakes) or several known "
            "classes, or take vtgan, which needs none"
        )
    if settings.extra_fakes and not uses:
        raise UsageError(f"{settings.method} does not use --extra-fakes; leave the flag out, or take --method mcgan")
