"""A run folder: configuration, metrics, sample grids, checkpoints and the model; the same command again resumes.

Stopped or killed at any moment, a run goes on from its newest checkpoint and ends in the bits of an uninterrupted one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lookalike.base import checkpoint, files, interrupts
from lookalike.base.arrays import Floats, Note, Report, Warn
from lookalike.base.errors import DivergedError, memory_guard, show
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
from lookalike.game.share import share_at
from lookalike.game.source import Source
from lookalike.game.splitting import SPLIT
from lookalike.game.train import Progress
from lookalike.methods import stored
from lookalike.runs import own_flags, record, subclasses
from lookalike.runs import plan as plans
from lookalike.runs.blocks import blocks
from lookalike.runs.choices import times
from lookalike.runs.crossed import crossed
from lookalike.runs.expected import affordable, expected
from lookalike.runs.folder import CHECKPOINTS, CLASSES, METRICS, SAMPLES, read_metrics, training_seconds
from lookalike.runs.memory import trained
from lookalike.runs.plan import Plan
from lookalike.runs.presets import GROWTH
from lookalike.runs.remedies import remedies
from lookalike.runs.samples import draw_samples
from lookalike.runs.settings import TrainSettings
from lookalike.runs.variety import Variety
from lookalike.runs.watch import findings

PLACES = (CHECKPOINTS, SAMPLES)


def run(
    data: str | Path | Images,
    settings: TrainSettings,
    out: Path,
    *,
    command: tuple[str, ...] = (),
    held: bool = False,
    wait: Callable[[str], None] | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note | None = None,
) -> Model:
    """Trains, calibrates and stores a model in `out`. A run that was begun there is resumed, or found finished.

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
    held : bool
        The caller holds the folder already.
    wait : callable, optional
        It gets a line where another process holds the folder, and the run then waits for the folder.
    report, warn : callable
        They get the progress, and what the user should know.
    note : callable, optional
        It gets from what sizes to what size images shrink, and how long a GAN will train.

    Raises
    ------
    UsageError
        If `out` holds another run, or something else, or lies inside the data.
    LockedError
        If another process holds `out`, and it is not waited for.
    DivergedError
        If training leaves the finite numbers; the last good checkpoint stays.
    ResourceError
        If memory runs out; the last checkpoint stays.
    Stopped
        After a signal, with a checkpoint saved.
    """
    torch.set_num_threads(settings.threads)
    with memory_guard():
        report("reading", 0, 1)
        refuse_inside(out, data)
        settings = record.as_begun(out, settings)
        plan, timed = _timed(out, plans.make(data, settings), settings)
    folder = files.make_folder(out)
    record.begun(folder)  # a folder of someone else's is not even locked
    with nullcontext() if held else files.lock(folder, *PLACES, wait=wait), memory_guard():
        record.begin(folder, plan, command, warn)
        if (folder / checkpoint.CARD).exists():
            return Model.load(folder, device=settings.device)
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


def _remarks(plan: Plan) -> Iterator[str]:
    """What reading left out or changed, and what few held-out images cost."""
    yield from oddities.remarks(plan.images)
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


def _notes(plan: Plan, given: TrainSettings) -> Iterator[str]:
    """At what size images are read that shrink, and what follows from it."""
    yield from oddities.reading(plan.images)
    longer = given.images is None and given.minutes is None
    if times(given, plan.images.shape[1:]) > 1 and (given.width is None or longer):
        yield GROWTH


def _timed(out: Path, plan: Plan, given: TrainSettings) -> tuple[Plan, str | None]:
    """The plan. With `minutes` it shows as many images as the run in `out`, or as fit, and a sentence says how many."""
    method = plan.recipe.method
    if given.minutes is None or method is None:
        return plan, None
    if (there := record.images_of(out)) is not None:
        return plans.showing(plan, given, there), None
    with _exact():
        images, said = affordable(method, plan)
    return plans.showing(plan, given, images), said


def _time(folder: Path, plan: Plan) -> str | None:
    """How long a GAN will train."""
    with _exact():
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
        else _trained(folder, plan, plan.recipe.method, report, warn)
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
    _drop_metrics_after(folder / METRICS, -1)
    _log(folder / METRICS, Progress(0, len(plan.rows.train), {}), spent + clock() - began)
    return joined


def _shared(folder: Path, plan: Plan, method: Method, report: Report, warn: Warn) -> Detector:
    """One GAN of all classes. A conditional one gives a detector of each class, and held-out images join them."""
    trained = _trained(folder, plan, method, report, warn)
    if not plan.rows.joins:
        return trained
    gan = trained.gan
    members = {name: _detector(gan, plan, k) for k, name in enumerate(plan.known)}
    report("joining the classes", 0, len(plan.rows.deciding))
    return _open_set(members, plan)


def _open_set(members: Mapping[str, Detector], plan: Plan) -> OpenSet:
    rows, s = plan.rows.deciding, plan.recipe.settings
    pixels, labels = plan.images.pixels[rows], plan.numbered(rows)
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
    _drop_metrics_after(folder / METRICS, -1)
    _log(folder / METRICS, Progress(0, len(plan.rows.train), {}), clock() - began)
    return detector


def _trained(folder: Path, plan: Plan, method: Method, report: Report, warn: Warn) -> GANDetector:
    """The trained GAN, ready to score. Its training goes on from a checkpoint where one is there."""
    s, source = plan.recipe.settings, plan.source()
    total, batch = s.images or 0, plan.recipe.batch
    gan = GAN(method, plan.images.shape, seed=s.seed, device=s.device, classes=len(plan.known), ema=s.ema or 0.0)
    start, before = _resumed(folder, gan, warn)
    _drop_metrics_after(folder / METRICS, start * batch)
    began = time.monotonic()

    def save(progress: int) -> None:
        facts = {"step": progress, "images": progress * batch, "seconds": before + time.monotonic() - began}
        files.make_folder(folder / CHECKPOINTS)
        checkpoint.save_checkpoint(folder / CHECKPOINTS, progress * batch, gan.state(training=True), facts)

    precision = {"float32": torch.float32, "bfloat16": torch.bfloat16}[s.precision]
    steps = -(-total // batch)
    begins, ends = method.begins(steps), method.ends(steps)
    variety, said = Variety(plan, method), set[tuple[str, str]]()
    done = start
    with interrupts.deferred() as request, _exact():
        if start == 0:
            draw_samples(folder, gan, 0, s.seed)
        try:
            for progress in trained(gan, source, images=total, batch=batch, start=start, precision=precision):
                done, last = progress.step, progress.step == steps
                drawn = last or _due(progress.images, batch, s.sample_every)
                more = variety.figures(gan) if drawn and progress.step > begins else {}
                if drawn or _due(progress.images, batch, s.log_every) or SPLIT in progress.metrics:
                    _log(folder / METRICS, progress, before + time.monotonic() - began, more)
                if drawn:
                    draw_samples(folder, gan, progress.images, s.seed)
                if drawn and not last and progress.step > (begins + ends) / 2:
                    at = f"after {progress.images} of {total} images: "
                    _warn_of_findings(folder, plan, warn, said, at, grids=2)
                if last or request.number or _due(progress.images, batch, s.save_every):
                    save(progress.step)
                if request.number:
                    raise interrupts.Stopped(
                        request.number,
                        f"stopped after {progress.images} of {total} images; the same command goes on from there",
                    )
                report("training", progress.images, total)
        except DivergedError as error:
            names = ", ".join(_first_names(plan, method, source, done, steps))
            raise DivergedError(
                f"{error}; among the images of that step: {names}; earlier checkpoints stay; try a lower --lr in a "
                "new folder"
            ) from error
    _warn_of_findings(folder, plan, warn, said)
    if method.splitting:
        subclasses.write(folder, gan, plan)
    return _detector(gan, plan, 0 if method.conditional else None)


def _warn_of_findings(
    folder: Path, plan: Plan, warn: Warn, said: set[tuple[str, str]], at: str = "", *, grids: int = 1
) -> None:
    """Warns of what the last `grids` grids say of G and D, once of each kind and class; `said` grows by them."""
    for finding in findings(read_metrics(folder / METRICS), grids):
        new = {name: value for name, value in finding.figures.items() if (finding.kind, name) not in said}
        said.update((finding.kind, name) for name in new)
        if new:
            warn(f"{at}{replace(finding, figures=new)}; {remedies(plan, finding.kind)}")


def _detector(gan: GAN, plan: Plan, label: int | None) -> GANDetector:
    """The trained GAN as a detector of the known class, or of class `label`."""
    mine = plan.rows.train if label is None else plan.rows.train[plan.numbered(plan.rows.train) == label]
    return GANDetector.fit(gan, plan.recipe.search(), label, plan.images.pixels[mine])


def _crossed(folder: Path, plan: Plan, report: Report) -> tuple[Detector, Floats]:
    """As `crossed`, with the time that it took in the log."""
    began = clock()
    detector, scores = crossed(plan, report)
    _drop_metrics_after(folder / METRICS, -1)
    _log(folder / METRICS, Progress(0, len(plan.rows.train), {}), clock() - began)
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
        **({"aspect": plan.images.aspect} if plan.images.aspect != "squash" else {}),
        **({"pooled": sorted(plan.pooled)} if plan.recipe.settings.pooled else {}),
    }
    classes = {"known": plan.known, "extra_fakes": plan.others}
    return Model(detector, threshold, plan.images.shape, classes, method, training)


def _groups(parts: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many groups train, are held out, and test; those that train and set the threshold only train."""
    train = {*parts["train"], *parts["extra_fakes"]}
    return {"train": len(train), "held_out": len({*parts["calibration"]} - train), "test": len(parts["test"])}


def _resumed(folder: Path, gan: GAN, warn: Warn) -> tuple[int, float]:
    """Steps done and seconds spent before, with the newest checkpoint loaded."""
    found = checkpoint.newest_checkpoint(folder / CHECKPOINTS, warn)
    if found is None:
        return 0, 0.0
    tensors, facts = found
    gan.load(tensors, training=True)
    checkpoint.drop_older(folder / CHECKPOINTS, int(facts["images"]))  # a kill may have come between
    return int(facts["step"]), float(facts["seconds"])


def _drop_metrics_after(path: Path, images: int) -> None:
    """Drops lines beyond the checkpoint, and a line that a kill cut short. The training writes them again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("ascii", "replace").splitlines():
        try:
            beyond = json.loads(line)["images"] > images
        except (ValueError, TypeError, LookupError):
            break
        if beyond:
            break
        kept.append(line + "\n")
    files.write_text(path, "".join(kept))


def _log(path: Path, progress: Progress, seconds: float, more: Mapping[str, float] | None = None) -> None:
    row = {"step": progress.step, "images": progress.images, "seconds": round(seconds, 3)} | progress.metrics
    row |= more or {}
    files.append_line(path, json.dumps(row))


def _due(images: int, batch: int, every: int | None) -> bool:
    """Whether a multiple of `every` lies in the step that ended at `images`."""
    return every is not None and images // every > (images - batch) // every


def _first_names(plan: Plan, method: Method, source: Source, step: int, steps: int) -> list[str]:
    """The first real images that each D has at a step, those of twins first."""
    begins, batch = method.begins(steps), plan.recipe.batch
    step, early = (step, True) if step < begins else (step - begins, False)
    players = [(source.at(t.name, index=0), t.method(method)) for t in method.twins if (t.before > 0) == early]
    names = []
    for player, game in [*players, *([] if early else [(source, method)])]:
        n = round(share_at(game.groups[0][1], step * batch // len(plan.rows.train)) * batch)
        index = step * game.d_steps
        rows = player.at("D", index=index).at(0, index=index).rows(len(plan.rows.train), n)[:3]
        names += [show(plan.images.names[plan.rows.train[row]], 60) for row in rows.tolist()]
    return names


@contextmanager
def _exact() -> Iterator[None]:
    """Allows only operations whose results repeat to the bit."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA needs for it
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
