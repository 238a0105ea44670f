"""A run folder: the names of its files, and all of it as one typed record.

What is there is checked, and what is missing stays empty.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from lookalike.base.errors import LookalikeError, ModelError, UsageError, show
from lookalike.base.files import PROBE, open_regular, read_bytes, read_json, safe_name
from lookalike.base.renamed import current
from lookalike.base.strict import parse_json
from lookalike.detect.auc import Interval, Rate

Array = npt.NDArray[Any]
ARRAYS_LIMIT = 1 << 30  # bytes of one evaluation, unpacked
LINE_LIMIT = 1 << 16  # bytes of one line of metrics
METRICS_LIMIT = 1 << 26  # bytes of all lines; those of a usual training take 100,000
CONFIG, SPLIT, METRICS, BAD_FILES = "config.json", "split.json", "metrics.jsonl", "bad_files.jsonl"
GROUPS = "groups.json"  # where images have groups
FACTS, PICTURE, LIST = "subclasses.json", "subclasses.png", "subclasses.csv"
PICTURED = 100  # sub-classes in the picture at most
CHECKPOINTS, SAMPLES = "checkpoints", "samples"  # folders of a training
CLASSES, EVALUATIONS = "classes", "evaluations"  # folders of the trainings of several known classes, of figures
GALLERIES = ("finds", "misses", "alarms")  # of an evaluation; earlier versions wrote no finds
OTHER_FOLDER = "train in another folder (-o)"  # what mends a lost configuration
BEGUN = (".lock", PROBE, CONFIG, SPLIT, BAD_FILES, GROUPS)  # what the beginning of a run may leave


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


Record = TypeVar("Record", bound=_Record)


class Classes(_Record):
    """The known classes of a run, and the classes of its extra fakes."""

    known: tuple[str, ...]
    extra_fakes: tuple[str, ...] = ()


class Data(_Record):
    """Where the images came from, the shape of one, and the number in each part."""

    source: str
    shape: tuple[int, ...]
    train: int
    calibration: int
    extra_fakes: int = 0
    skipped: int = 0


class Config(_Record):
    """`config.json`: everything that made the run."""

    schema_version: Literal[1] = Field(alias="schema")
    command: str = ""
    settings: dict[str, Any] = {}
    method: dict[str, Any] = {}
    open_choices: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    classes: Classes
    data: Data


class Verdicts(_Record):
    """How well several known classes were classified: counts by true class and answer, the last column unknown."""

    accuracy: Rate  # of all known images
    accuracy_passed: Rate  # of those that were not flagged
    confusion: tuple[tuple[NonNegativeInt, ...], ...]  # rows: known classes, all unknown
    confusion_unknown: tuple[tuple[NonNegativeInt, ...], ...] = ()  # rows: unknown classes


class Pixels(_Record):
    """How well heat maps find the marked pixels; see `lookalike.detect.pixels`."""

    auroc: float
    aupro: float
    images: int
    regions: int


class Figures(_Record):
    """`evaluations/NAME.json`: how well a run separates known from unknown images."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    method: str
    n_known: int
    n_unknown: int
    excluded: int = 0
    auc: Interval
    threshold: float | None = None  # none: too few calibration images
    allowed: float
    crossed: bool = False  # the images that train set the threshold, each by what the others teach
    false_alarms: Rate
    misses: Rate
    seconds: dict[str, float | None] = {}
    parts_auc: dict[str, float | None] = {}
    converged: float | None = None  # share of images; none: no latent search
    classes: Verdicts | None = None  # none: one known class
    pixels: Pixels | None = None  # none: no masks were given

    @model_validator(mode="after")
    def _tables_fit(self) -> Self:
        """Raises ValueError where rows or columns are not those of the classes."""
        if self.classes is not None:
            of, tables = len(self.known) + 1, (self.classes.confusion, self.classes.confusion_unknown)
            rows = [len(table) for table in tables]
            if rows not in ([of, 0], [of, len(self.unknown)]) or {len(row) for table in tables for row in table} != {
                of
            }:
                raise ValueError("the confusion does not fit the classes")
        return self


class SubClass(_Record):
    """One sub-class: the most frequent true class of its training images, and the share of that class."""

    name: str
    images: NonNegativeInt
    most: str
    share: float = Field(ge=0, le=1)


class SubClasses(_Record):
    """`subclasses.json`: the sub-classes, and how they agree with the true classes (mutual information, Rand index)."""

    leaves: tuple[SubClass, ...]
    nmi: float
    ari: float

    @property
    def pictured(self) -> int:
        """How many of them are in the picture."""
        return min(len(self.leaves), PICTURED)


@dataclass(frozen=True)
class Gallery:
    """Some images of one kind, k of them: `query` and `nearest` are uint8 (k, C, H, W), None for vectors."""

    query: Array | None
    nearest: Array | None  # none: the method gives none
    score: npt.NDArray[np.float64]
    name: tuple[str, ...]
    maps: Array | None = None  # float32 (k, H, W); none: the method compares no places


@dataclass(frozen=True)
class Scores:
    """`evaluations/NAME.npz`: the scores of each group, and the most misleading images of each kind."""

    known: npt.NDArray[np.float64]
    unknown: npt.NDArray[np.float64]
    calibration: npt.NDArray[np.float64]
    galleries: Mapping[str, Gallery]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a run; `scores` is None where only its figures were kept."""

    figures: Figures
    scores: Scores | None


@dataclass(frozen=True)
class Metrics:
    """`metrics.jsonl` by column: each name's images shown and values; `unread` counts damaged lines."""

    columns: Mapping[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    unread: int = 0


@dataclass(frozen=True)
class Training:
    """What a training wrote; `samples` maps images shown to the picture of each network (its own: "")."""

    metrics: Metrics
    samples: Mapping[int, Mapping[str, Path]]


@dataclass(frozen=True)
class Run:
    """One run folder; `members` are the trainings of several known classes that have begun."""

    name: str
    config: Config
    evaluations: tuple[Evaluation, ...]
    training: Training
    members: Mapping[str, Training] = field(default_factory=dict)
    subclasses: SubClasses | None = None
    leaves: Path | None = None  # their picture

    @property
    def method(self) -> str:
        """The name of the method, "" where the record has none."""
        return str(self.config.method.get("name", self.config.settings.get("method", "")))

    @property
    def seed(self) -> Any:
        """The seed of the training, None where the record has none."""
        return self.config.settings.get("seed")


def read_run(folder: Path) -> Run:
    """Reads the run in `folder`.

    Raises
    ------
    UsageError
        `folder` is not a run folder.
    ModelError
        One of its files is damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise UsageError(
            f"{show(folder)} is not a run folder: it has no {CONFIG}; give a folder that `lookalike train` wrote"
        )
    config = _typed(Config, path, read_config(folder), OTHER_FOLDER)
    members = {name: _training(folder / CLASSES / safe_name(name)) for name in config.classes.known}
    return Run(
        name=folder.resolve().name,
        config=config,
        evaluations=tuple(_evaluation(path) for path in sorted((folder / EVALUATIONS).glob("*.json"))),
        training=_training(folder),
        members={name: one for name, one in members.items() if one != Training(Metrics(), {})},
        subclasses=_subclasses(folder / FACTS),
        leaves=folder / PICTURE if (folder / PICTURE).exists() else None,
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a run as its file has it, under today's names; empty where that is no JSON object."""
    there = read_json(folder / CONFIG, mend=OTHER_FOLDER)
    parts = there.items() if isinstance(there, dict) else ()
    return {name: current(part) if isinstance(part, dict) else part for name, part in parts}


def training_seconds(folder: Path) -> float | None:
    """How long the training took, with all parts of a resumed run; None where no metrics are there."""
    try:
        return float(_last_line(folder / METRICS)["seconds"])
    except (ValueError, LookupError, TypeError):
        return None


def images_shown(folder: Path) -> int:
    """How many images a GAN was shown until the last line of its metrics; 0 where no metrics are there."""
    try:
        return int(_last_line(folder / METRICS)["images"])
    except (ValueError, LookupError, TypeError):
        return 0


def shown(folder: Path) -> str:
    """How many images a training that is not done was shown at its newest checkpoint, in words; empty without one."""
    found = [path.stem for path in (folder / CHECKPOINTS).glob("*.safetensors") if path.stem.isdecimal()]
    return f"{max(map(int, found)):,} images shown" if found else ""


def _last_line(path: Path) -> Any:
    """The value in the last line of a file of metrics, of which only the end is read."""
    with open_regular(path) as lines:
        lines.seek(max(0, lines.seek(0, os.SEEK_END) - LINE_LIMIT))
        return parse_json(lines.read(LINE_LIMIT).splitlines()[-1])


def made_by_version(folder: Path) -> str | None:
    """The version of this package that began the run; None where no record is there."""
    try:
        return str(read_config(folder)["versions"]["lookalike"])
    except (LookalikeError, OSError, LookupError, TypeError):
        return None


def _subclasses(path: Path) -> SubClasses | None:
    """The sub-classes in a file, None where it is not there."""
    remove = "remove it, and the report lacks the sub-classes"
    return _typed(SubClasses, path, read_json(path, mend=remove), remove) if path.exists() else None


def _typed(kind: type[Record], path: Path, there: object, mend: str = "run the command that wrote it again") -> Record:
    """What a file holds, as a record."""
    try:
        return kind.model_validate(there)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(
            f"{show(path)} cannot be read: {show(where)}: {show(first['msg'])};"
            f" {mend}, or use the version of lookalike that wrote it"
        ) from error


def _evaluation(path: Path) -> Evaluation:
    arrays = path.with_suffix(".npz")
    return Evaluation(_typed(Figures, path, read_json(path)), _scores(arrays) if arrays.exists() else None)


def _scores(path: Path) -> Scores:
    try:
        with open_regular(path) as handle:
            unpacked = sum(member.file_size for member in zipfile.ZipFile(handle).infolist())
            if unpacked > ARRAYS_LIMIT:
                raise ValueError(f"it unpacks to {unpacked} bytes, more than {ARRAYS_LIMIT}")
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as arrays:
                return Scores(
                    known=_numbers(arrays, "known_scores"),
                    unknown=_numbers(arrays, "unknown_scores"),
                    calibration=_numbers(arrays, "calibration_scores"),
                    galleries={kind: _gallery(arrays, kind) for kind in GALLERIES if f"{kind}_score" in arrays},
                )
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{show(path)} cannot be read: {show(error)}; run `lookalike evaluate` again") from error


def _numbers(arrays: Mapping[str, Array], key: str) -> npt.NDArray[np.float64]:
    values = np.asarray(arrays[key], np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"{key} must be one row of finite numbers")
    return values


def _gallery(arrays: Mapping[str, Array], kind: str) -> Gallery:
    score, name = _numbers(arrays, f"{kind}_score"), tuple(str(name) for name in arrays[f"{kind}_name"])
    query, nearest = _images(arrays, f"{kind}_query"), _images(arrays, f"{kind}_nearest")
    lengths = {len(score), len(name)} | ({len(query)} if query is not None else set())
    maps = arrays.get(f"{kind}_map")
    fits = maps is None or (query is not None and maps.shape == (len(query), *query.shape[2:]))
    if len(lengths) != 1 or not fits or (nearest is not None and (query is None or nearest.shape != query.shape)):
        raise ValueError(f"the arrays of {kind} differ in length or shape")
    if maps is not None and (maps.dtype != np.float32 or not np.isfinite(maps).all()):
        raise ValueError(f"the heat maps of {kind} must be finite float32 numbers")
    return Gallery(query, nearest, score, name, maps)


def _images(arrays: Mapping[str, Array], key: str) -> Array | None:
    """Grey or RGB uint8 images; None for vectors, and for other numbers of channels."""
    images = arrays.get(key)
    if images is None or images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        return None
    return None if 0 in images.shape[2:] else images


def _training(folder: Path) -> Training:
    return Training(read_metrics(folder / METRICS), samples_in(folder / SAMPLES))


def read_metrics(path: Path) -> Metrics:
    """The metrics in a file; empty where it is not there."""
    columns: dict[str, tuple[list[float], list[float]]] = {}
    unread = 0
    if not path.exists():
        return Metrics()
    for line in read_bytes(path, METRICS_LIMIT).splitlines():
        try:
            values = parse_json(line[:LINE_LIMIT])
            shown = float(values["images"])
        except (ValueError, TypeError, KeyError):
            unread += 1
            continue
        for name in values.keys() - {"step", "images", "seconds"}:
            if isinstance(values[name], int | float):
                x, y = columns.setdefault(name, ([], []))
                x.append(shown)
                y.append(float(values[name]))
    return Metrics(dict(sorted(columns.items())), unread)


def samples_in(folder: Path) -> dict[int, dict[str, Path]]:
    """The grids in a folder: by images shown, then by player, which is empty for the GAN itself."""
    samples: dict[int, dict[str, Path]] = {}
    for path in sorted(folder.glob("*.png")):
        if match := re.fullmatch(r"(?:(.+)-)?([0-9]{1,15})\.png", path.name):
            samples.setdefault(int(match[2]), {})[match[1] or ""] = path
    return dict(sorted(samples.items()))
