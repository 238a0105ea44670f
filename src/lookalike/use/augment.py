"""Fill classes that have few images: real images stay as they are, and generated images are marked.

A run's GAN generates the images; it learns from every image of DATA that is no test image. The output holds every image
of DATA except official test images. All images have the GAN's size, so that real and generated ones do not differ in
size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats, Note, Pixels, Report, Warn
from lookalike.base.checkpoint import CARD
from lookalike.base.errors import DataError, UsageError, did_you_mean, listed, show
from lookalike.base.threads import computing_with
from lookalike.base.unicode import composed
from lookalike.data import Images, read, split
from lookalike.data.sources import open_source, refuse_inside
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.runs import record
from lookalike.runs import run as runs
from lookalike.runs.choices import conditional
from lookalike.runs.reading import read_used
from lookalike.runs.settings import DataSettings, TrainSettings, train_settings
from lookalike.runs.used import used_images
from lookalike.use import balanced
from lookalike.use.filled import Filled, NotWrittenError, variety
from lookalike.use.filters import POOL, Filter, Filters, agrees, judge, most_real, no_copies
from lookalike.use.generate import Generator, class_folder, generators
from lookalike.use.memorised import Memory, flat
from lookalike.use.quality.own import Own

METHOD = "auto-gan"
LEAST = 10  # distinct images that a class needs for training
TRIES = 50  # images generated per kept image, at most
FEW = 19  # training images; with more, fewer than 1 in 20 new images counts as a copy by chance
BALANCE = "balance"
TARGET = r"(.+?)=(\d+)(?:,|$)"  # CLASS=NUMBER; a name may hold commas
ONE_CLASS = "a GAN of one class has no classifier, which needs two; leave out --agree"
To = str | int | Mapping[str, int]
Page = Callable[[Model, Sequence[Filled], Filters, str, Sequence[str]], str]


def wanted(to: To, counts: Mapping[str, int]) -> dict[str, int]:
    """Return class -> the number of images that it lacks, for the classes that lack any.

    Parameters
    ----------
    to : str, int or mapping
        "balance" means as many as the largest class has. A number means at least that many of each class. The form
        CLASS=NUMBER,..., or a mapping of them, gives a number per class.
    counts : mapping
        Class -> number of real images.

    Raises
    ------
    UsageError
        For any other text, and where no class lacks images.
    DataError
        For a class that does not exist.
    """
    targets = _targets(to, counts)
    if strange := [name for name in targets if name not in counts]:
        raise DataError(
            f"--to: no class {show(strange[0])};{did_you_mean(strange[0], counts)} there are {listed(counts)}"
        )
    short = {name: target - counts[name] for name, target in targets.items() if target > counts[name]}
    if not short:
        largest = max(counts.values())
        raise UsageError(
            f"--to {show(to)}: no class has fewer images than that, the largest has {largest}; give a larger number"
        )
    return short


def _targets(to: To, counts: Mapping[str, int]) -> dict[str, int]:
    if isinstance(to, Mapping):
        return {str(name): int(number) for name, number in to.items()}
    to = str(to)
    if to == BALANCE:
        return dict.fromkeys(counts, max(counts.values()))
    if to.isdecimal():
        return dict.fromkeys(counts, int(to))
    if not re.fullmatch(f"(?:{TARGET})+", to) or to.endswith(","):
        raise UsageError(f"--to {show(to)}: give {BALANCE}, a number, or CLASS=NUMBER,..., such as Coat=500")
    return {composed(name): int(number) for name, number in re.findall(TARGET, to)}


def check_size(images: Images, short: Mapping[str, int], trained: npt.NDArray[np.int64]) -> None:
    """Raise DataError for a class in `short` with too few distinct images among the rows `trained`."""
    keys, labels = np.array(images.keys)[trained], images.labels[trained]
    found = {name: len(set(keys[labels == images.classes.index(name)].tolist())) for name in short}
    if small := {name: n for name, n in found.items() if n < LEAST}:
        few = ", ".join(f"{show(name)} {n}" for name, n in list(small.items())[:5])
        raise DataError(
            f"distinct training images: {few}; each class to fill needs {LEAST}; add images, or fill only the other "
            "classes (--to CLASS=NUMBER,...)"
        )


def augment(
    data: str,
    out: Path,
    *,
    to: To = BALANCE,
    settings: Mapping[str, Any] | None = None,
    run: Path | None = None,
    page: Page,
    filters: Filters | None = None,
    anyway: bool = False,
    command: tuple[str, ...] = (),
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note | None = None,
) -> list[Filled]:
    """Run `lookalike.augment`; `page` returns the report as HTML."""
    given, filters = dict(settings or {}), filters or Filters()
    file = out.suffix.lower() == ".npz"
    beside = run or out.with_name((out.stem if file else out.name) + "-run")
    for path in (out, beside):
        refuse_inside(path, data)
    asked = _asked(to, given, run, filters, anyway=anyway)
    if not file:
        _check_folder(out, data, asked, allow_empty_class=given.get("allow_empty_class", False))
    reading = {name: given[name] for name in DataSettings.model_fields if name in given}
    if run is None:
        again = not file and balanced.finished(out, asked)
        model, beside = _trained(data, beside, to, given, filters, command, report, warn, note, again=again)
    else:
        model = Model.load(run, device=given.get("device", "cpu"))
    own = {"value_range": model.value_range, "aspect": model.aspect}
    how = DataSettings(**reading).reading() | own
    images = read(data, size=model.size, channels=model.channels, key_size=model.key_size, **how)
    parts = used_images(beside)
    short = wanted(to, _counts(images))
    able = generators(model)
    if strange := [name for name in short if name not in able]:
        raise DataError(f"the run generates no images of class {show(strange[0])}; it generates {listed(able)}")
    check_size(images, short, np.flatnonzero([key in parts["train"] for key in images.keys]))
    if len(images.shape) == 3:
        _warn_of_size(data, images.shape[1:], tuple(short), warn)
    seed = given.get("seed", 0)
    with computing_with(model.training["threads"]):  # as `generate` does, for the same bits
        filled = fill(model, images, parts, short, seed=seed, filters=filters, anyway=anyway, report=report, warn=warn)
    balanced.write(out, images, filled, page(model, filled, filters, Path(data).name, command), seed=seed, asked=asked)
    if not all(one.written for one in filled):
        raise NotWrittenError(filled)
    return filled


def _asked(to: To, given: Mapping[str, Any], run: Path | None, filters: Filters, *, anyway: bool) -> str:
    """Return what the command asks for, as a hash; of DATA the run keeps the hash."""
    asked = {"to": to, "settings": given, "run": run and run.resolve(), "filters": asdict(filters), "anyway": anyway}
    return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _check_folder(out: Path, data: str, asked: str, *, allow_empty_class: bool) -> None:
    """Raise UsageError where the data cannot be written as a folder of PNGs, before any training."""
    balanced.refuse(out, asked)
    source = open_source(data, allow_empty_class=allow_empty_class)
    if source.vectors:
        raise UsageError("vectors cannot be written as PNG; give an .npz file (-o)")
    for name in source.classes:
        class_folder(name)


def _warn_of_size(data: str, size: tuple[int, ...], classes: tuple[str, ...], warn: Warn) -> None:
    """Warn where real images are written at another size than their own."""
    height, width = size
    other = next(
        (one for one in open_source(data, allow_empty_class=True).only(classes).sizes() if one != (height, width)), None
    )
    if other:
        warn(
            f"real images are written at the GAN's {height} x {width} pixels, like the generated ones; DATA has images "
            f"of other sizes, such as {other[0]} x {other[1]} (--size H,W trains at another size)"
        )


def _trained(
    data: str,
    beside: Path,
    to: To,
    given: Mapping[str, Any],
    filters: Filters,
    command: tuple[str, ...],
    report: Report,
    warn: Warn,
    note: Note | None,
    *,
    again: bool,
) -> tuple[Model, Path]:
    """Return a GAN of all classes with two training images, and its run folder.

    That is `beside`. A finished GAN of other settings or data stays there, and the folder gets a number; but `again`,
    for an output that is finished, its GAN must be there.
    """
    run, number = beside, 1
    while True:
        try:
            settings = _settings(data, run, to, given, filters, warn)
            return runs.run(data, settings, run, command=command, report=report, warn=warn, note=note), run
        except record.OtherRunError:
            if again or not (run / CARD).exists():
                raise
            number += 1
            run = beside.with_name(f"{beside.name}-{number}")


def _settings(data: str, run: Path, to: To, given: Mapping[str, Any], filters: Filters, warn: Warn) -> TrainSettings:
    """Return the settings of the training; checks first what would fail later."""
    chosen = {"method": METHOD, **given, "calibration": 0.0}
    classes = open_source(data, allow_empty_class=given.get("allow_empty_class", False)).classes
    settings = record.as_begun(run, train_settings(**chosen, known=classes))
    if not conditional(settings):
        able = ", ".join(name for name, method in METHODS.items() if method.conditional)
        raise UsageError(f"{settings.method} is not a GAN of several classes; use one of {able}")
    images = read_used(data, settings)
    trained = split(images, test=settings.tested, calibration=0.0, seed=settings.seed).train
    check_size(images, wanted(to, _counts(images)), trained)
    if images.groups is not None:
        others = np.setdiff1d(np.arange(len(images)), trained)
        warn(images.groups.said(train=trained, test=others))
    counts = np.bincount(images.labels[trained], minlength=len(classes))
    known = tuple(name for name, count in zip(classes, counts.tolist(), strict=True) if count > 1)
    if filters.agree and len(known) < 2:
        raise DataError(ONE_CLASS)
    return train_settings(**chosen, known=known)


def _counts(images: Images) -> dict[str, int]:
    """Return class -> number of real images."""
    counts = np.bincount(images.labels[balanced.usable(images)], minlength=len(images.classes))
    return dict(zip(images.classes, counts.tolist(), strict=True))


def fill(
    model: Model,
    images: Images,
    parts: Mapping[str, frozenset[str]],
    short: Mapping[str, int],
    *,
    seed: int,
    filters: Filters,
    anyway: bool,
    report: Report,
    warn: Warn,
) -> list[Filled]:
    """Generate the images that each class lacks.

    Parameters
    ----------
    model, images : Model and Images
        The model of a GAN, and the real images at its size.
    parts : mapping
        Part -> content keys of its images, as the run recorded them.
    short : mapping
        Class -> number of images to generate.
    seed : int
        Seed of the generated images and of the classifier.
    filters : Filters
        The filters that the user chose.
    anyway : bool
        Whether images are written that are not worth it.
    report, warn : callable
        Called with the progress, and with what the user should know.

    Raises
    ------
    DataError
        Where too few images pass the filters, or images of one class cannot train a classifier.
    """
    able, done, total = generators(model), 0, sum(short.values())
    report("training the classifier", 0, 1)
    classifier = judge(images, parts, seed) if len(model.shape) == 3 or filters.agree else None
    if filters.agree and classifier is None:
        raise DataError(ONE_CLASS)
    filled = []
    for name, n in short.items():
        memory = _memory(images, parts, name)
        checks = dict[str, Filter]()
        one = able[name]
        agree = agrees(classifier, images.classes.index(name)) if classifier else None
        if filters.realness < 1:
            pool = np.concatenate(list(one.images(POOL, seed=seed)))
            checks["D"] = most_real(one.gan, one.label, pool, filters.realness)
        checks |= {"classifier": agree} if filters.agree and agree else {}
        if filters.drop_copies:
            _warn_of_few(name, memory, warn)
            checks["copies"] = no_copies(memory)
        report("generating", done, total)
        pixels, numbers, made, rejected = _kept(one, n, checks, seed)
        figures = (
            _agreed(agree, pixels, made, rejected) if agree else None,
            variety(_features(classifier, pixels), _features(classifier, memory.training)),
        )
        close, real = memory.closeness(pixels), _counts(images)[name]
        filled.append(Filled(name, real, pixels, numbers, made, rejected, *figures, *close, memory, anyway))
        done += n
    return filled


def _features(classifier: Own | None, pixels: Pixels) -> Floats:
    """Return the classifier's features (N, F) of images; without one the images' own numbers, (N, D)."""
    return classifier.features(pixels) if classifier else flat(pixels).double().numpy()


def _warn_of_few(name: str, memory: Memory, warn: Warn) -> None:
    """Warn where few training images say what a copy is."""
    if (n := len(memory.training)) < FEW:
        warn(
            f"{show(name)}: copies are recognised by few training images ({n}); about {100 * memory.by_chance:.0f} % "
            "of new images are dropped with them"
        )


def _agreed(keeps: Filter, pixels: Pixels, made: int, rejected: Mapping[str, int]) -> float:
    """Return the share of the images given to the classifier that it classifies as the class."""
    if "classifier" not in rejected:
        return float(keeps(pixels).mean())
    return 1 - rejected["classifier"] / (made - rejected.get("D", 0))


def _kept(
    one: Generator, n: int, checks: Mapping[str, Filter], seed: int
) -> tuple[Pixels, npt.NDArray[np.int64], int, dict[str, int]]:
    """Return the first n images that pass all checks, their numbers, how many were made, and drops per check."""
    pixels, numbers, rejected, made, found = [], [], dict.fromkeys(checks, 0), 0, 0
    for block in one.images(TRIES * n, seed=seed):
        refused = np.full(len(block), "", object)  # the name of the check that drops the image
        for check, keeps in checks.items():
            left = np.flatnonzero(refused == "")
            refused[left[~keeps(block[left])]] = check
        rows = np.flatnonzero(refused == "")[: n - found]
        # Images after the n-th kept one do not count.
        looked = int(rows[-1]) + 1 if found + len(rows) == n else len(block)
        rejected = {check: count + int((refused[:looked] == check).sum()) for check, count in rejected.items()}
        pixels.append(block[rows])
        numbers.append(made + rows)
        found, made = found + len(rows), made + looked
        if found == n:
            break
    else:
        by = ", ".join(f"{check} {count}" for check, count in rejected.items())
        raise DataError(
            f"{show(one.name)}: {found} of {made} images passed the filters, but {n} are wanted (dropped by {by}); "
            "train longer (--images), or leave out a filter"
        )
    return np.concatenate(pixels), np.concatenate(numbers), made, rejected


def _memory(images: Images, parts: Mapping[str, frozenset[str]], name: str) -> Memory:
    """Return the class's training images, each once."""
    mine = images.of(name)
    first = {key: i for i, key in reversed(list(enumerate(mine.keys)))}
    return Memory(mine.pixels[sorted(i for key, i in first.items() if key in parts["train"])])
