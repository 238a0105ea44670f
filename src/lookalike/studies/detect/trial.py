"""Many trainings side by side: each job trains one detector and scores unseen images of the classes that are asked for.

A job has a folder of its own that its values name, so that tables and benchmarks share trainings, and a killed batch of
jobs goes on where it stopped.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from lookalike.base import files
from lookalike.base import workers as pool
from lookalike.base.arrays import Floats, Pixels, Report
from lookalike.base.errors import DataError, ModelError, listed, show
from lookalike.data import Images, read, split
from lookalike.data.named import NAMED
from lookalike.detect.model import Model
from lookalike.runs import record
from lookalike.runs.run import PLACES, made_by, run, seconds
from lookalike.runs.settings import TrainSettings, train_settings

BLOCK = 512  # images scored at once
CALIBRATION = 0.1  # of the training images, for the threshold
UNSEEN, HELD = "unseen", "held"
SAID = {UNSEEN: "unseen", HELD: "held-out"}


@dataclass(frozen=True)
class Job:
    """One training, and whose unseen images it scores.

    Parameters
    ----------
    data : str
        Folder, file or data set's name.
    known, extra_fakes : tuple of str
        As `lookalike train` takes them.
    method, preset, seed
        As `lookalike train` takes them.
    unseen : tuple of str
        Classes whose unseen images are scored: official test images, or else the split's test part.
    settings : tuple of (str, value)
        Other settings of the training.
    held : bool
        Score the classes' held-out images too: those that set the threshold, were their class known.
    """

    data: str
    known: tuple[str, ...]
    method: str
    seed: int
    extra_fakes: tuple[str, ...] = ()
    preset: str = "small"
    unseen: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    held: bool = False

    def __str__(self) -> str:
        return f"{self.method} on {listed(self.known)}, seed {self.seed}"

    def but(self, **changes: Any) -> Job:
        """This job with other values."""
        return replace(self, **changes)

    def parts(self) -> list[tuple[str, str]]:
        """What is scored: (part, class)."""
        return [(part, name) for part in (UNSEEN, HELD)[: 1 + self.held] for name in self.unseen]

    def train_settings(self) -> TrainSettings:
        """What it trains with."""
        return train_settings(
            **{"known": self.known, "extra_fakes": self.extra_fakes, "method": self.method, "seed": self.seed}
            | {"preset": self.preset, "calibration": CALIBRATION, "threads": 1}
            | dict(self.settings)
        )

    def folder(self, runs: Path) -> Path:
        """Where it trains, below `runs`: jobs that differ in `unseen` alone share it."""
        method = "-".join((self.method, *(["extra_fakes", *self.extra_fakes] if self.extra_fakes else [])))
        changed = ",".join(f"{name}={value}" for name, value in self.settings)
        parts = (self.preset, name_of(self.data), ",".join(self.known), "-".join(filter(None, (method, changed))))
        return runs.joinpath(*map(files.safe_name, parts), f"seed-{self.seed}")


@dataclass(frozen=True)
class Unseen:
    """What a job found of one class's unseen images, in the order of the data."""

    score: Floats  # (N,)
    p_value: Floats  # (N,)
    seconds: float  # for all of them
    label: npt.NDArray[np.int64]  # (N,) number of the most likely known class, were the image of one


def side_by_side(jobs: Sequence[Job], runs: Path, *, workers: int, command: str, report: Report) -> dict[Job, str]:
    """Does all jobs, `workers` at a time, one thread each; returns the sentence of each that failed.

    Raises
    ------
    KeyboardInterrupt, Stopped, ResourceError
        As `workers.side_by_side`.
    """
    name_of.cache_clear()  # images may have changed since
    merged = [job for job in _merged(jobs) if not is_done(job, runs)]
    report("training and scoring", 0, len(merged))
    return pool.side_by_side(perform, merged, runs, workers=workers, command=command, report=report)


def perform(job: Job, runs: Path, command: str = "") -> None:
    """Trains what is not trained yet and scores what is not scored yet; waits where another process does."""
    folder = files.make_folder(job.folder(runs))
    record.begun(folder)  # a folder of someone else's is not even locked
    with files.lock(folder, *PLACES, UNSEEN, HELD, wait=pool.tell):
        _perform(job, folder, command)


def _perform(job: Job, folder: Path, command: str) -> None:
    """The same in a folder that is held."""
    settings = job.train_settings()
    model: Model | None = None
    for part, name in job.parts():
        if _score_file(folder, part, name).exists():
            continue
        model = model or run(job.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        images = _read(job.data, model.size, model.channels, tuple(settings.reading().items()))
        chosen = _chosen(images, settings, name, part)
        began = time.monotonic()
        said = [model.score(chosen[i : i + BLOCK]) for i in range(0, len(chosen), BLOCK)]
        out = BytesIO()
        label = [np.zeros(len(s.score), np.int64) if s.classes is None else s.classes.argmax(1) for s in said]
        np.savez(
            out,
            label=np.concatenate(label),
            score=np.concatenate([s.score for s in said]),
            p_value=np.concatenate([s.p_value for s in said]),
            seconds=time.monotonic() - began,
        )
        files.make_folder(folder / part)
        files.write_bytes(_score_file(folder, part, name), out.getvalue())


def found(job: Job, runs: Path, name: str, part: str = UNSEEN) -> Unseen:
    """What `perform` stored of class `name`; ModelError where it is missing or damaged."""
    path = _score_file(job.folder(runs), part, name)
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            label = arrays["label"] if "label" in arrays else np.zeros(len(arrays["score"]), np.int64)
            return Unseen(arrays["score"], arrays["p_value"], float(arrays["seconds"]), label)
    except (OSError, ValueError, LookupError, EOFError, BadZipFile) as error:
        raise ModelError(
            f"{show(path)} holds no scores: {show(error)}; if it is there remove it, and run the same command again"
        ) from error


def is_done(job: Job, runs: Path) -> bool:
    """Whether all that `perform` does is there."""
    return all(_score_file(job.folder(runs), part, name).exists() for part, name in job.parts())


def cost(job: Job, runs: Path) -> float:
    """Seconds of training and of scoring all unseen classes."""
    return (seconds(job.folder(runs)) or 0.0) + sum(found(job, runs, name).seconds for name in job.unseen)


def remarks(jobs: Sequence[Job], runs: Path) -> Iterator[str]:
    """A line where trainings are those of another version of this package, whose figures may differ."""
    yield from of_other_versions(
        [made_by(there) for there in {job.folder(runs) for job in jobs if is_done(job, runs)}], runs
    )


def of_other_versions(makers: Sequence[str | None], runs: Path) -> Iterator[str]:
    """The same of trainings below `runs` by so many versions; None: of a training that does not say."""
    strange = [maker for maker in makers if maker not in (None, version("lookalike"))]
    if strange:
        yield (
            f"{len(strange)} of {len(makers)} trainings in {show(runs)} were done by lookalike {show(strange[0])} and "
            f"not again by {version('lookalike')}; remove them, or give another --runs, to measure all with one version"
        )


def _merged(jobs: Sequence[Job]) -> list[Job]:
    """One job per folder, with all the classes that any asks for; in the order of first appearance."""
    classes: dict[Job, dict[str, None]] = {}
    held: set[Job] = set()
    for job in jobs:
        bare = job.but(unseen=(), held=False)
        classes.setdefault(bare, {}).update(dict.fromkeys(job.unseen))
        held |= {bare} if job.held else set()
    return [bare.but(unseen=tuple(names), held=bare in held) for bare, names in classes.items()]


@lru_cache
def name_of(data: str) -> str:
    """A data set's name; of a path its last part and a hash of where it lies and of its files' sizes and times.

    So neither another folder of the same name nor images that changed meet old scores.
    """
    if data in NAMED:
        return data
    path = Path(data).resolve()
    seen = sha256(os.fsencode(path))
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        try:
            facts = file.stat()
        except OSError:
            continue  # reading will say so
        seen.update(os.fsencode(file) + f" {facts.st_size} {facts.st_mtime_ns}".encode() * file.is_file())
    return f"{path.name}-{seen.hexdigest()[:8]}"


@lru_cache(maxsize=2)
def _read(
    data: str, size: tuple[int, int] | None, channels: int | None, reading: tuple[tuple[str, Any], ...]
) -> Images:
    return read(data, size=size, channels=channels, **dict(reading))


def _chosen(images: Images, settings: TrainSettings, name: str, part: str) -> Pixels:
    """The class's unseen or held-out images: the split does not depend on which classes are known.

    Images that stand under two labels are measured nowhere: another class's training may have seen them.
    """
    images.of(name)  # or says that it is not there
    rows = _measured(images, settings, part)
    rows = rows[images.labels[rows] == images.classes.index(name)]
    if not len(rows):
        raise DataError(f"class {show(name)} has no {SAID[part]} images; add images of it")
    return np.asarray(images.pixels[rows])


def _measured(images: Images, settings: TrainSettings, part: str) -> npt.NDArray[np.int64]:
    """Rows of a part that stand under one label alone."""
    parts = split(images, test=settings.test, calibration=settings.calibration, seed=settings.seed)
    labels: dict[str, set[int]] = {}
    for key, label in zip(images.keys, images.labels.tolist(), strict=True):
        labels.setdefault(key, set()).add(label)
    rows = parts.test if part == UNSEEN else parts.calibration
    return rows[[len(labels[images.keys[i]]) == 1 for i in rows.tolist()]]


def measurable(images: Images, settings: TrainSettings, least: int) -> tuple[str, ...]:
    """Classes with `least` images to train on that leave a held-out and an unseen image under no other label."""
    trained = split(images, test=settings.test, calibration=settings.calibration, seed=settings.seed).train
    rows = {"trained": trained} | {part: _measured(images, settings, part) for part in (UNSEEN, HELD)}
    counts = {part: np.bincount(images.labels[mine], minlength=len(images.classes)) for part, mine in rows.items()}
    enough = (counts["trained"] >= least) & (counts[UNSEEN] > 0) & (counts[HELD] > 0)
    return tuple(name for name, there in zip(images.classes, enough.tolist(), strict=True) if there)


def _score_file(folder: Path, part: str, name: str) -> Path:
    return folder / part / f"{files.safe_name(name)}.npz"
