"""A run folder: configuration, metrics, sample grids, checkpoints and the model; the same command again resumes.

Stopped or killed at any moment, a run goes on from its newest checkpoint and ends in the bits of an uninterrupted one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base import checkpoint, files
from lookalike.base.arrays import Floats, Note, Report, Warn
from lookalike.base.errors import DamagedError, DivergedError, UsageError, memory_guard, show
from lookalike.base.names import GANS
from lookalike.base.ranks import ALONE, Ranks
from lookalike.base.threads import computing_with
from lookalike.data import Images, oddities
from lookalike.data.images import Selection
from lookalike.data.sources import refuse_inside
from lookalike.detect.baselines import BASELINES, CLASSIFIERS, networks
from lookalike.detect.detector import Detector, Threshold
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.detect.openset import OpenSet
from lookalike.features.cache import clock
from lookalike.game.gan import GAN
from lookalike.game.method import Method
from lookalike.game.train import Progress
from lookalike.methods import stored
from lookalike.runs import log, own_flags, record, subclasses
from lookalike.runs import plan as plans
from lookalike.runs.blocks import blocks
from lookalike.runs.choices import times
from lookalike.runs.crossed import crossed
from lookalike.runs.expected import affordable, expected
from lookalike.runs.folder import CHECKPOINTS, CLASSES, SAMPLES, training_seconds
from lookalike.runs.plan import Plan
from lookalike.runs.presets import GROWTH
from lookalike.runs.settings import TrainSettings
from lookalike.runs.trackers import TrackerName, require
from lookalike.runs.tracking import tracked
from lookalike.runs.training import exact, trained_gan

PLACES = (CHECKPOINTS, SAMPLES)


def run(
    data: str | Path | Images,
    settings: TrainSettings,
    out: Path,
    *,
    command: tuple[str, ...] = (),
    trackers: tuple[TrackerName, ...] = (),
    held: bool = False,
    wait: Callable[[str], None] | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note | None = None,
    ranks: Ranks = ALONE,
) -> Model:
    """Trains, calibrates and stores a model in `out`. A run that was begun there is resumed, or found finished.

    Of several processes that torchrun started, rank 0 calls it. The others call `follow`.

    Parameters
    ----------
    data : str, Path or Images
        See `lookalike.data.read`.
    settings : TrainSettings
        What to do.
    out : Path
        The run folder: new, or begun with the same settings and data.
    command : tuple of str
        The command line, for the record.
    trackers : tuple of str
        Tools that get the figures and grids as well; see `lookalike.runs.trackers`.
    held : bool
        The caller holds the folder already.
    wait : callable, optional
        It gets a line where another process holds the folder, and the run then waits for the folder.
    report, warn : callable
        They get the progress, and what the user should know.
    note : callable, optional
        It gets from what sizes to what size images shrink, and how long a GAN will train.
    ranks : Ranks
        The processes that train each GAN together; this one leads.

    Raises
    ------
    UsageError
        If `out` holds another run, or something else, or lies inside the data; if `ranks` cannot train this method; if
        a tool is not installed.
    LockedError
        If another process holds `out`, and it is not waited for.
    DivergedError
        If training leaves the finite numbers; the last good checkpoint stays.
    ResourceError
        If memory runs out; the last checkpoint stays.
    LostError
        If another of the `ranks` is lost; the last checkpoint stays.
    Stopped
        After a signal, with a checkpoint saved.
    """
    out = files.at_home(out)
    with computing_with(settings.threads), memory_guard():
        require(trackers)
        report("reading", 0, 1)
        refuse_inside(out, data)
        settings = record.as_begun(out, settings)
        plan, timed = planned(data, settings, out, ranks, report)
        folder = files.make_folder(out)
        record.begun(folder)  # a folder of someone else's is not even locked
        with nullcontext() if held else files.lock(folder, *PLACES, wait=wait):
            record.begin(folder, plan, command, warn)
            with tracked(folder, trackers, report, warn) as told:
                return _run(folder, plan, settings, timed, told, warn, note)


def planned(
    data: str | Path | Images, settings: TrainSettings, out: Path, ranks: Ranks, report: Report
) -> tuple[Plan, str | None]:
    """The plan of the run in `out`, and how many images fit into the `minutes`, as a sentence. Raises as `run`."""
    if ranks.size > 1 and settings.method not in GANS:
        raise UsageError(
            f"--method {settings.method}: torchrun is for GANs, and {settings.method} trains none; start 'lookalike "
            "train' without it, or take a GAN"
        )
    plan = plans.make(data, settings, ranks, report)
    return _timed(out, plan, settings)


def _run(
    folder: Path,
    plan: Plan,
    settings: TrainSettings,
    timed: str | None,
    report: Report,
    warn: Warn,
    note: Note | None,
) -> Model:
    """The model of a plan, in a folder that is held and begun."""
    there = _there(folder, settings, warn)
    plan.ranks.told(lambda: json.dumps({"done": there is not None, "data": plan.data_digest()}).encode())
    if there is not None:
        return there
    if note is not None:
        for line in _notes(plan, settings):
            note(line)
    idle = own_flags.unused(settings, plan.recipe.method, len(plan.known), joins=plan.rows.joins)
    for line in (*_remarks(plan), *idle):
        warn(line)
    if note is not None and (time_needed := timed or _time(folder, plan)):
        note(time_needed)
    if settings.crosses:
        detector, scores = _crossed(folder, plan, report)
    else:
        detector = _taught(folder, plan, report, warn)
        scores = _calibration_scores(plan, detector, report)
    model = _model(plan, detector, scores)
    model.save(folder)
    return model


def _there(folder: Path, settings: TrainSettings, warn: Warn) -> Model | None:
    """The model of a run that is finished."""
    if (folder / checkpoint.CARD).exists():
        try:
            return Model.load(folder, device=settings.device)
        except DamagedError as error:
            warn(f"the model is made again: {str(error).partition(';')[0]}")
    return None


def _remarks(plan: Plan) -> Iterator[str]:
    """What reading left out or changed, and what few held-out images cost."""
    yield from oddities.remarks(plan.images)
    if n := _under_two_classes(plan):
        yield f"images that stand under two classes, one of them known: {n:,}; check DATA lists them"
    if n := len(plan.rows.spare):
        limit = plan.recipe.baseline.most_images
        most = limit and limit(plan.images.shape, len(plan.known))
        yield (
            f"{plan.recipe.settings.method} learns from {most} images of a class at most: {n} known images are left out"
        )
    if plan.rows.shared and not plan.recipe.settings.crosses:
        yield (
            f"{len(plan.rows.calibration)} held-out images both join the known classes and set the threshold: false "
            "alarms may be a little more frequent than promised; add images, or hold out more (--calibration)"
        )


def _under_two_classes(plan: Plan) -> int:
    """How many different images have copies in several classes, of which one is known."""
    classes: dict[str, set[int]] = {}
    for key, label in zip(plan.images.keys, plan.images.labels.tolist(), strict=True):
        classes.setdefault(key, set()).add(label)
    known = set(plan.labels_of(plan.known))
    return sum(len(labels) > 1 and bool(labels & known) for labels in classes.values())


def _notes(plan: Plan, given: TrainSettings) -> Iterator[str]:
    """At what size images are read that shrink, and what follows from it."""
    yield from oddities.reading(plan.images)
    if plan.recipe.method is not None and oddities.grey(plan.images):
        yield "the images are grey, though stored in colour: with --grey a GAN trains faster, and makes no colours"
    n, batch = plan.ranks.size, plan.recipe.batch
    if n > 1:
        yield f"{n} processes train together: each has {batch // n} of the {batch} images of a step"
    longer = given.images is None and given.minutes is None
    if times(given, plan.images.shape[1:]) > 1 and (given.width is None or longer):
        yield GROWTH


def _timed(out: Path, plan: Plan, given: TrainSettings) -> tuple[Plan, str | None]:
    """The plan. With `minutes` it shows as many images as the run in `out`, or as fit, and a sentence says how many."""
    method = plan.recipe.method
    if given.minutes is None or method is None:
        return plan, None
    images, said = record.images_of(out), None
    if images is None:
        with exact():
            images, said = affordable(method, plan)
    images = int(plan.ranks.told(lambda: str(images).encode()))  # each process timed its own part
    return plans.showing(plan, given, images), said


def _time(folder: Path, plan: Plan) -> str | None:
    """How long a GAN will train."""
    with exact():
        return expected(folder, plan)


def _taught(folder: Path, plan: Plan, report: Report, warn: Warn) -> Detector:
    """One detector of all known classes, or one of each, joined by held-out images."""
    if plan.recipe.settings.method in CLASSIFIERS or len(plan.known) == 1:
        return _single(folder, plan, report, warn)
    if plan.recipe.method is not None and plan.recipe.method.per_class:
        return _shared(folder, plan, plan.recipe.method, report, warn)
    return _joined(folder, plan, report, warn)


def _single(folder: Path, plan: Plan, report: Report, warn: Warn) -> Detector:
    """One detector: of one known class, or a classifier of several."""
    return (
        _fitted(folder, plan, report)
        if plan.recipe.method is None
        else _learnt(folder, plan, plan.recipe.method, report, warn)
    )


def _joined(folder: Path, plan: Plan, report: Report, warn: Warn) -> Detector:
    """A detector of each known class, trained in a folder of its own, and what joins them."""
    members, spent = {}, 0.0
    for name in plan.known:
        own = files.make_folder(files.make_folder(folder / CLASSES) / files.safe_name(name))
        files.clear(own, *PLACES)
        with _said_of(name):
            members[name] = _single(own, plan.only(name), _prefixed(report, name), _warned(warn, name))
        spent += training_seconds(own) or 0.0
    report("joining the classes", 0, len(plan.rows.deciding))
    began = clock()
    joined = _open_set(members, plan)
    log.begin(folder)
    log.add(folder, Progress(0, len(plan.rows.train), {}), spent + clock() - began)
    return joined


def _shared(folder: Path, plan: Plan, method: Method, report: Report, warn: Warn) -> Detector:
    """One GAN of all classes. A conditional one gives a detector of each class, and held-out images join them."""
    trained = _learnt(folder, plan, method, report, warn)
    if not plan.rows.joins:
        return trained
    gan = trained.gan
    members = {name: _detector(gan, plan, k) for k, name in enumerate(plan.known)}
    report("joining the classes", 0, len(plan.rows.deciding))
    return _open_set(members, plan)


def _open_set(members: Mapping[str, Detector], plan: Plan) -> OpenSet:
    rows, s = plan.rows.deciding, plan.recipe.settings
    pixels, labels = Selection(plan.images.pixels, rows), plan.numbered(rows)
    return OpenSet.fit(members, pixels, labels, scaling=s.scaling, decides=s.decides)


def _prefixed(report: Report, name: str) -> Report:
    """`report` that names the class of each stage."""
    return lambda stage, done, of: report(f"{show(name)}: {stage}", done, of)


def _warned(warn: Warn, name: str) -> Warn:
    """`warn` that names the class in each line."""
    return lambda line: warn(f"class {show(name)}: {line}")


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """The error of a training that diverges names the class."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(f"class {show(name)}: {error}") from error


def _fitted(folder: Path, plan: Plan, report: Report) -> Detector:
    """The baseline that the settings name."""
    report("training", 0, len(plan.rows.train))
    began = clock()
    name = plan.recipe.settings.method
    detector: Detector
    large = name in BASELINES and BASELINES[name].side is not None  # too large to copy
    pixels: Any = Selection(plan.images.pixels, plan.rows.train) if large else plan.images.pixels[plan.rows.train]
    with networks.telling(lambda done, of: report("training", done, of)):
        if name in CLASSIFIERS:
            detector = CLASSIFIERS[name].fit(pixels, plan.numbered(plan.rows.train), plan.recipe.settings.seed)
        else:
            detector = plan.recipe.baseline.fit(pixels, plan.recipe.settings.seed)
    log.begin(folder)
    log.add(folder, Progress(0, len(plan.rows.train), {}), clock() - began)
    return detector


def _learnt(folder: Path, plan: Plan, method: Method, report: Report, warn: Warn) -> GANDetector:
    """The trained GAN, ready to score, with its sub-classes in the folder."""
    gan = trained_gan(folder, plan, method, report, warn)
    if method.splitting:
        subclasses.write(folder, gan, plan)
    return _detector(gan, plan, 0 if method.conditional else None)


def _detector(gan: GAN, plan: Plan, label: int | None) -> GANDetector:
    """The trained GAN as a detector of the known class, or of class `label`."""
    mine = plan.rows.train if label is None else plan.rows.train[plan.numbered(plan.rows.train) == label]
    return GANDetector.fit(gan, plan.recipe.search(), label, Selection(plan.images.pixels, mine))


def _crossed(folder: Path, plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """As `crossed`, with the time that it took in the log."""
    began = clock()
    detector, scores = crossed(plan, report)
    log.begin(folder)
    log.add(folder, Progress(0, len(plan.rows.train), {}), clock() - began)
    return detector, scores


def _calibration_scores(plan: Plan, detector: Detector, report: Report) -> Floats:
    """(n,) scores of the held-out images that set the threshold."""
    found = [detector.score(part).score for part in blocks(plan, plan.rows.calibration, "calibrating", report)]
    return np.concatenate([np.empty(0), *found])


def _model(plan: Plan, detector: Detector, scores: Floats) -> Model:
    """The model. Its threshold comes from the scores of calibration images, where there are any."""
    threshold = Threshold(scores, plan.recipe.settings.false_alarms) if len(scores) else None
    method = stored.to_json(plan.recipe.method) if plan.recipe.method else {"name": plan.recipe.settings.method}
    training = {
        "data": plan.data,
        "images": plan.shown if plan.recipe.method else 0,
        "seed": plan.recipe.settings.seed,
        "counts": {name: len(keys) for name, keys in plan.keys().items()},
        "value_range": plan.recipe.settings.low_high,
        "threads": plan.recipe.settings.threads,
        **({"unlabelled": list(plan.recipe.settings.unlabelled)} if plan.recipe.settings.unlabelled else {}),
        **({"crossed": True} if plan.recipe.settings.crosses else {}),
        **({"groups": _groups(parts)} if (parts := plan.groups()) is not None else {}),
        **({"key_size": list(plan.images.key_size)} if plan.images.key_size else {}),
        **({"grey": True} if plan.recipe.settings.grey else {}),
        **({"aspect": plan.images.aspect} if plan.images.aspect != "squash" else {}),
        **({"pooled": sorted(plan.pooled)} if plan.recipe.settings.pooled else {}),
    }
    classes = {"known": plan.known, "extra_fakes": plan.others}
    return Model(detector, threshold, plan.images.shape, classes, method, training)


def _groups(parts: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many groups train, are held out, and test; those that train and set the threshold only train."""
    train = {*parts["train"], *parts["extra_fakes"]}
    return {"train": len(train), "held_out": len({*parts["calibration"]} - train), "test": len(parts["test"])}
