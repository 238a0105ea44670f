"""Filling up the classes that are short: real images as they are, and generated ones that are marked as such.

The images come from a run's GAN. What is written holds every image of DATA but official test images, at the size that
the GAN works at, so that real and generated ones do not differ by their size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lookalike.base import files
from lookalike.base.arrays import Pixels, Report, Warn
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data import Images, read, split
from lookalike.data.sources import open_source, refuse_inside
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.runs import run as runs
from lookalike.runs.choices import conditional
from lookalike.runs.plan import read_used
from lookalike.runs.record import parts_of
from lookalike.runs.settings import DataSettings, train_settings
from lookalike.use.balanced import Filled, usable, write
from lookalike.use.filters import POOL, Filter, Filters, agrees, most_real, no_copies
from lookalike.use.generate import Generator, class_folder, generators
from lookalike.use.memorised import Memory

METHOD = "acgan"
UNSEEN = 0.1  # share that does not train: closeness needs it
LEAST = 10  # distinct images that a class is learnt from
TRIES = 50  # images made per image that is kept, at most
FEW = 19  # unseen images: of more, fewer than 1 in 20 new images is closer than all of them by chance
BALANCE = "balance"
Page = Callable[[Model, Sequence[Filled], Filters, str, Sequence[str]], str]


def wanted(to: str, counts: Mapping[str, int]) -> dict[str, int]:
    """How many images each class that is short lacks.

    Parameters
    ----------
    to : str
        "balance": as many as the largest class has; a number: at least so many of each; or CLASS=NUMBER,...
    counts : mapping
        Real images of each class.

    Raises
    ------
    UsageError
        For anything else, and where no class is short.
    DataError
        For a class that is not there.
    """
    targets = _targets(to, counts)
    if strange := [name for name in targets if name not in counts]:
        raise DataError(f"--to: no class {show(strange[0])}; there are {listed(counts)}")
    short = {name: target - counts[name] for name, target in targets.items() if target > counts[name]}
    if not short:
        largest = max(counts.values())
        raise UsageError(f"--to {show(to)}: no class is short of it, the largest has {largest} images; ask for more")
    return short


def _targets(to: str, counts: Mapping[str, int]) -> dict[str, int]:
    if to == BALANCE:
        return dict.fromkeys(counts, max(counts.values()))
    if to.isdecimal():
        return dict.fromkeys(counts, int(to))
    pairs = [part.rpartition("=") for part in to.split(",")]
    if not all(name and number.isdecimal() for name, _, number in pairs):
        raise UsageError(f"--to {show(to)}: {BALANCE}, a number, or CLASS=NUMBER,... is accepted, such as Coat=500")
    return {name: int(number) for name, _, number in pairs}


def check_size(images: Images, short: Mapping[str, int], trained: npt.NDArray[np.int64]) -> None:
    """Raises DataError for a class that is to be filled up with too few distinct images among the rows `trained`."""
    keys, labels = np.array(images.keys)[trained], images.labels[trained]
    found = {name: len(set(keys[labels == images.classes.index(name)].tolist())) for name in short}
    if small := {name: n for name, n in found.items() if n < LEAST}:
        said = ", ".join(f"{show(name)} {n}" for name, n in list(small.items())[:5])
        raise DataError(
            f"distinct images to learn from: {said}; {LEAST} of each class that is to be filled up are needed, about "
            f"{ceil(LEAST / (1 - UNSEEN))} with those that are held out; add images, or name the other classes "
            "(--to CLASS=NUMBER,...)"
        )


def augment(
    data: str,
    out: Path,
    *,
    to: str = BALANCE,
    settings: Mapping[str, Any] | None = None,
    run: Path | None = None,
    page: Page,
    filters: Filters | None = None,
    command: tuple[str, ...] = (),
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> list[Filled]:
    """`lookalike.augment`, whose page is written by `page`, as HTML."""
    given, filters = dict(settings or {}), filters or Filters()
    file = out.suffix == ".npz"
    beside = run or out.with_name((out.stem if file else out.name) + "-run")
    for path in (out, beside):
        refuse_inside(path, data)
    if not file:
        _check_folder(out, data, allow_empty_class=given.get("allow_empty_class", False))
    reading = {name: given[name] for name in DataSettings.model_fields if name in given}
    if run is None:
        images, model = _trained(data, beside, to, given, command, report, warn)
    else:
        model = Model.load(run, device=given.get("device", "cpu"))
        torch.set_num_threads(model.training["threads"])  # as generate does, for the same bits
        how = DataSettings(**reading).reading() | {"value_range": model.training["value_range"]}
        images = read(data, size=model.size, channels=model.channels, **how)
    parts = parts_of(beside)
    short = wanted(to, _counts(images))
    able = generators(model)
    if strange := [name for name in short if name not in able]:
        raise DataError(f"the run makes no images of class {show(strange[0])}; it makes {listed(able)}")
    check_size(images, short, np.flatnonzero([key in parts["train"] for key in images.keys]))
    if len(images.shape) == 3:
        _warn_of_size(data, images.shape[1:], tuple(short), warn)
    seed = given.get("seed", 0)
    filled = fill(model, images, parts, short, seed=seed, filters=filters, report=report, warn=warn)
    write(out, images, filled, page(model, filled, filters, Path(data).name, command), seed=seed)
    return filled


def _check_folder(out: Path, data: str, *, allow_empty_class: bool) -> None:
    """Raises UsageError where a folder of PNGs cannot be made of the data, before anything is trained."""
    files.refuse_full(out)
    source = open_source(data, allow_empty_class=allow_empty_class)
    if source.vectors:
        raise UsageError("vectors are no pictures; give a file .npz (-o)")
    for name in source.classes:
        class_folder(name)


def _warn_of_size(data: str, size: tuple[int, ...], classes: tuple[str, ...], warn: Warn) -> None:
    """Says it where real images are written at another size than they have."""
    height, width = size
    other = next(
        (one for one in open_source(data, allow_empty_class=True).only(classes).sizes() if one != (height, width)), None
    )
    if other:
        warn(
            f"real images are written at the GAN's {height} x {width} pixels, beside generated ones; DATA's have other "
            f"sizes, such as {other[0]} x {other[1]} (--size H,W trains at another)"
        )


def _trained(
    data: str,
    run: Path,
    to: str,
    given: Mapping[str, Any],
    command: tuple[str, ...],
    report: Report,
    warn: Warn,
) -> tuple[Images, Model]:
    """All images, and a GAN of all classes that have two to learn from; what cannot end well is refused first."""
    said = {"method": METHOD, "test": UNSEEN, **given, "calibration": 0.0}
    classes = open_source(data, allow_empty_class=given.get("allow_empty_class", False)).classes
    settings = train_settings(**said, known=classes)
    if not conditional(settings):
        able = ", ".join(name for name, method in METHODS.items() if method.conditional)
        raise UsageError(f"{settings.method} is no GAN of several classes; take one of {able}")
    images = read_used(data, settings)
    trained = split(images, test=settings.test, calibration=0.0, seed=settings.seed).train
    check_size(images, wanted(to, _counts(images)), trained)
    counts = np.bincount(images.labels[trained], minlength=len(classes))
    known = tuple(name for name, count in zip(classes, counts.tolist(), strict=True) if count > 1)
    size = {} if len(images.shape) == 1 else {"size": images.shape[1:]}
    return images, runs.run(
        data, train_settings(**said | size, known=known), run, command=command, report=report, warn=warn
    )


def _counts(images: Images) -> dict[str, int]:
    """Real images of each class."""
    counts = np.bincount(images.labels[usable(images)], minlength=len(images.classes))
    return dict(zip(images.classes, counts.tolist(), strict=True))


def fill(
    model: Model,
    images: Images,
    parts: Mapping[str, frozenset[str]],
    short: Mapping[str, int],
    *,
    seed: int,
    filters: Filters,
    report: Report,
    warn: Warn,
) -> list[Filled]:
    """Makes what each class lacks; `parts` are the content keys of the parts that the model was trained on.

    Raises
    ------
    DataError
        Where the filters leave too few of the images that are made, or copies cannot be told without unseen images.
    """
    able, done, total = generators(model), 0, sum(short.values())
    report("training the classifier", 0, 1)
    agree = agrees(images, parts, seed) if len(model.shape) == 3 or filters.agree else {}
    filled = []
    for name, n in short.items():
        memory = _memory(images, parts, name)
        checks = dict[str, Filter]()
        one = able[name]
        if filters.realness < 1:
            pool = np.concatenate(list(one.images(POOL, seed=seed)))
            checks["D"] = most_real(one.gan, one.label, pool, filters.realness)
        checks |= {"classifier": agree[name]} if filters.agree else {}
        if filters.drop_copies:
            _check_unseen(name, len(memory.unseen), warn)
            checks["copies"] = no_copies(memory)
        report("generating", done, total)
        pixels, numbers, made, rejected = _kept(one, n, checks, seed)
        agreed = _agreed(agree[name], pixels, made, rejected) if agree else None
        close = memory.closeness(pixels)
        filled.append(Filled(name, _counts(images)[name], pixels, numbers, made, rejected, agreed, *close, memory))
        done += n
    return filled


def _check_unseen(name: str, unseen: int, warn: Warn) -> None:
    """Raises DataError where no unseen image says how close is too close; warns where few do."""
    if unseen == 0:
        raise DataError(
            f"{show(name)}: no image is unseen, and copies are told by how close those lie; leave --drop-copies out"
        )
    if unseen < FEW:
        warn(f"{show(name)}: {unseen} unseen images tell copies; {1 / (unseen + 1):.0%} of new images go with them")


def _agreed(keeps: Filter, pixels: Pixels, made: int, rejected: Mapping[str, int]) -> float:
    """Share that the classifier takes for the class of the images that it saw: as a filter, before it filtered."""
    if "classifier" not in rejected:
        return float(keeps(pixels).mean())
    return 1 - rejected["classifier"] / (made - rejected.get("D", 0))


def _kept(
    one: Generator, n: int, checks: Mapping[str, Filter], seed: int
) -> tuple[Pixels, npt.NDArray[np.int64], int, dict[str, int]]:
    """The first n of its images that pass all checks, their numbers, how many were made, what each refused."""
    pixels, numbers, rejected, made, found = [], [], dict.fromkeys(checks, 0), 0, 0
    for block in one.images(TRIES * n, seed=seed):
        refused = np.full(len(block), "", object)  # by which check
        for check, keeps in checks.items():
            left = np.flatnonzero(refused == "")
            refused[left[~keeps(block[left])]] = check
        rows = np.flatnonzero(refused == "")[: n - found]
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
            f"{show(one.name)}: {found} of {made} images passed the filters, {n} are wanted (refused by {by}); "
            "train longer (--images), or leave a filter out"
        )
    return np.concatenate(pixels), np.concatenate(numbers), made, rejected


def _memory(images: Images, parts: Mapping[str, frozenset[str]], name: str) -> Memory:
    """The class's training images, each once, and those that no part of the training has seen."""
    mine = images.of(name)
    first = {key: i for i, key in reversed(list(enumerate(mine.keys)))}
    trained = sorted(i for key, i in first.items() if key in parts["train"])
    unseen = sorted(i for key, i in first.items() if key in parts["test"] | parts["calibration"])
    return Memory(mine.pixels[trained], mine.pixels[unseen])
