"""One training with its figures: a method on data with a seed, in a folder of its own that its values name."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from lookalike.base import files, workers
from lookalike.base.errors import ModelError, show
from lookalike.data.groups import stamp
from lookalike.data.listing import hidden
from lookalike.data.named import NAMED

FIGURES = "figures.json"
AGAIN = "remove it, and run the same command again"  # what mends figures


@dataclass(frozen=True)
class Trial(ABC):
    """One training, and what is measured of it.

    Parameters
    ----------
    data : str
        Folder, file or data set's name.
    method : str
        The method that is trained.
    seed : int
        The seed of the split and of the training.
    preset : str
        The preset, as `lookalike train` takes it.
    settings : tuple of (str, value)
        Other settings of the training.
    device : str
        Where the networks run. It has no part in the folder's name: a training may go on elsewhere.
    """

    data: str
    method: str
    seed: int
    _: KW_ONLY
    preset: str = "small"
    settings: tuple[tuple[str, Any], ...] = ()
    device: str = "cpu"

    places: ClassVar[tuple[str, ...]] = ()  # folders in its own that a killed process may leave half-written files in

    def __str__(self) -> str:
        return f"{self.method} on {show(Path(self.data).name)}, seed {self.seed}"

    @property
    def place(self) -> dict[str, Any]:
        """Settings of where it trains: on one thread, or on a GPU, which rounds what layers multiply."""
        return {"threads": 1, "device": self.device} | ({"precision": "tf32"} if self.device.startswith("cuda") else {})

    def but(self, **changes: Any) -> Self:
        """This trial with other values."""
        return replace(self, **changes)

    def joined(self, _other: Self) -> Self:
        """The trial that does what both do; `_other` has the same folder."""
        return self

    def changed(self) -> str:
        """The other settings as part of a folder's name."""
        return ",".join(f"{name}={stamp(value) if name == 'group' else value}" for name, value in self.settings)

    def perform(self, runs: Path, command: str = "") -> None:
        """Does what is missing, and goes on where it was stopped; waits where another process does it."""
        folder = files.make_folder(self.folder(runs))
        with files.lock(folder, *self.places, wait=workers.tell):
            if not self.is_done(runs):
                self.work(folder, command)

    @abstractmethod
    def folder(self, runs: Path) -> Path:
        """The folder of the training and of what is measured, below `runs`."""

    @abstractmethod
    def is_done(self, runs: Path) -> bool:
        """Whether all that `perform` writes is there."""

    @abstractmethod
    def work(self, folder: Path, command: str) -> None:
        """Trains and measures in its folder, which this process has locked."""

    def shown(self, runs: Path) -> str:
        """How far a training is that is not done, in words; empty where it does not say."""
        return ""

    def cost(self, runs: Path) -> float:
        """Seconds of training and measuring, of a trial that is done; 0 where it does not say."""
        return 0.0

    def promise(self, runs: Path) -> float:
        """How good its method looks by this trial alone, as an AUC; only to decide what is done first."""
        return 0.5

    @abstractmethod
    def made_by(self, runs: Path) -> str | None:
        """The version of this package that did it; None where it does not say."""


@dataclass(frozen=True)
class FiguresTrial(Trial):
    """A trial whose figures are one JSON file."""

    def file(self, runs: Path) -> Path:
        """The file of the figures."""
        return self.folder(runs) / self.file_name

    @property
    def file_name(self) -> str:
        """The name of that file."""
        return FIGURES

    def figures(self, runs: Path) -> dict[str, Any]:
        """The figures that `perform` stored."""
        return dict(files.read_json(self.file(runs), mend=AGAIN))

    def is_done(self, runs: Path) -> bool:
        """Whether the file of figures is there."""
        return self.file(runs).exists()

    def work(self, folder: Path, command: str) -> None:
        """Measures, and stores the figures with the version that made them."""
        found = self.measure(folder, command)
        files.write_json(folder / self.file_name, {"version": version("lookalike"), **found})

    def made_by(self, runs: Path) -> str | None:
        """The version in the file; files of earlier versions may lack it."""
        return self.figures(runs).get("version")

    @abstractmethod
    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains in its folder, and returns the figures."""


T = TypeVar("T", bound=Trial)


@dataclass(frozen=True)
class Cell(Generic[T]):
    """One method on one row with one seed: the trials that its figures are computed from."""

    row: str
    method: str  # as the study names it
    seed: int
    trials: tuple[T, ...]

    @property
    def key(self) -> tuple[str, str, int]:
        """The key under which figures are stored."""
        return self.row, self.method, self.seed

    def is_done(self, runs: Path) -> bool:
        """Whether all its trials are done."""
        return all(trial.is_done(runs) for trial in self.trials)


@lru_cache
def name_of(data: str) -> str:
    """A data set's name; of a path its last part and a hash of where it lies and of its files' names and bytes.

    So neither another folder of the same name nor images that changed meet old figures. Times and hidden files do not
    count: a folder that was only looked at keeps its figures.
    """
    if data in NAMED:
        return data
    path = Path(data).resolve()
    seen = sha256(os.fsencode(path))
    for file in sorted(path.rglob("*"), key=os.fsencode) if path.is_dir() else [path]:
        if any(hidden(part) for part in file.relative_to(path).parts) or not file.is_file():
            continue
        with suppress(ModelError):  # reading will say so
            seen.update(os.fsencode(file) + files.digest(file).encode())
    return f"{path.name}-{seen.hexdigest()[:8]}"
