"""How a study is run: where its trials are, how many run side by side, and who hears of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from lookalike.base import cluster, workers
from lookalike.base.arrays import Note, Report, Warn
from lookalike.base.errors import show
from lookalike.base.words import duration, minutes
from lookalike.base.workers import InOrder, Tasks
from lookalike.data import beyond
from lookalike.features import cache
from lookalike.studies.cluster import spread
from lookalike.studies.schedule import Schedule
from lookalike.studies.trial import Cell, Trial, name_of

RESERVE = 15.0  # seconds of a given time in which the program starts, workers stop and the result is written
T = TypeVar("T", bound=Trial)


@dataclass(frozen=True)
class Study:
    """The values that every bench and every table takes.

    Parameters
    ----------
    runs : Path
        The folder of all trials; studies share it.
    preset : str
        `small` or `paper`.
    seeds : int
        Seeds 0 to `seeds` - 1.
    methods : tuple of str
        Some methods, as the study names them; empty: the study's own choice.
    workers : int
        Trials side by side, one thread each; on a cluster, at most.
    cluster : str
        The address of a Ray cluster that does the trials, or `auto` for that of this machine; empty: this machine does.
    minutes : float or None
        The time from `began` on in which all is done that fits; None: all is done.
    slices : bool
        Trials are done in their order, and one that does not fit into the time stops at a checkpoint, from which the
        next study goes on. Otherwise only trials begin that fit.
    device : str
        Where networks run.
    command : str
        The command that stands beside each figure.
    report, warn, note : callable
        Callables that get the progress, what the user should know, and the sizes between which images shrink.
    """

    runs: Path
    _: KW_ONLY
    preset: str = "small"
    seeds: int = 3
    methods: tuple[str, ...] = ()
    workers: int = 1
    cluster: str = ""
    minutes: float | None = None
    slices: bool = False
    device: str = "cpu"
    began: float = field(default_factory=time.monotonic)
    command: str = ""
    report: Report = lambda stage, done, of: None
    warn: Warn = lambda message: None
    note: Note = lambda message: None

    @property
    def until(self) -> float:
        """When no trial goes on any more, as `time.monotonic` counts."""
        return math.inf if self.minutes is None else self.began + 60 * self.minutes - RESERVE

    @property
    def too_late(self) -> str:
        """Why a trial has neither failed nor figures."""
        return f"not done within {minutes(self.minutes or 0)}"

    def perform(self, trials: Sequence[T]) -> dict[T, str]:
        """As `attempt`, and warns of each that failed."""
        failed = self.attempt(trials)
        self._warn_of_failures(failed)
        return failed

    def attempt(self, trials: Sequence[T]) -> dict[T, str]:
        """Does what is missing side by side; returns each that failed with its sentence.

        Raises
        ------
        KeyboardInterrupt, Stopped
            In the cases of `workers.side_by_side`.
        UsageError, LostError
            In the cases of `lookalike.studies.cluster.spread`.
        """
        name_of.cache_clear()  # images may have changed since
        here = {trial.but(device=self.device): trial for trial in merged(trials, self.runs)}
        missing = [trial for trial in here if not trial.is_done(self.runs)]
        self._report("training and measuring", 0, len(missing))
        if self.minutes is None or self.slices:
            failed = self._side_by_side(InOrder(missing))
            self._warn_of_rest([trial for trial in missing if trial not in failed and not trial.is_done(self.runs)])
        else:
            failed = self._within(missing, [trial for trial in here if trial.is_done(self.runs)])
        self._warn_of_versions([trial.made_by(self.runs) for trial in here if trial.is_done(self.runs)])
        return {here[trial]: said for trial, said in failed.items()}

    def _warn_of_rest(self, rest: Sequence[T]) -> None:
        """How many trials are left, and how far those are that began."""
        if rest:
            begun = [f"{trial}: {said}" for trial in rest if (said := trial.shown(self.runs))]
            left = "; ".join([f"{len(rest)} trial{'s' if len(rest) > 1 else ''} left", *begun])
            self.warn(f"{self.too_late}: {left}; the same command goes on")

    def _within(self, missing: Sequence[T], done: Sequence[T]) -> dict[T, str]:
        """Does what fits into the time, and says what is left."""
        room = min(self.workers, cluster.room(self.cluster, self.device)) if self.cluster else self.workers
        schedule = Schedule(missing, done, self.runs, until=self.until, workers=room, tell=self.warn)
        failed = self._side_by_side(schedule)
        if left := schedule.left():
            self.warn(f"{self.too_late}: {left}; the same command with more --minutes goes on")
        return failed

    def _side_by_side(self, tasks: Tasks[T]) -> dict[T, str]:
        return workers.side_by_side(
            _perform,
            tasks,
            self.runs,
            workers=self.workers,
            command=self.command,
            report=self._report,
            until=self.until,
            spread=partial(spread, address=self.cluster, device=self.device) if self.cluster else None,
        )

    def _report(self, stage: str, done: int, of: int) -> None:
        """Reports, with the time that is left of a given one."""
        over = "" if self.minutes is None else f", {duration(max(0.0, self.until - time.monotonic()))} left"
        self.report(stage + over, done, of)

    def lacking(
        self, cells: Sequence[Cell[T]], is_there: Callable[[Cell[T]], bool] | None = None, where: str = ""
    ) -> dict[str, str]:
        """Methods that lack a cell, and how many in words, which is also a warning.

        A mean over fewer cells, perhaps the easy ones, compares with no other. So these methods are in no mean and in
        no advice.
        """
        gone = lacking(cells, is_there or (lambda cell: cell.is_done(self.runs)))
        for method, said in gone.items():
            self.warn(f"{method}{where} is compared with nothing: {said}; the same command tries them again")
        return gone

    def _warn_of_failures(self, failed: Mapping[T, str]) -> None:
        """A line for each reason."""
        for sentence in dict.fromkeys(failed.values()):
            mine = [trial for trial, said in failed.items() if said == sentence]
            methods = ", ".join(dict.fromkeys(trial.method for trial in mine))
            self.warn(f"{mine[0] if len(mine) == 1 else f'{len(mine)} trials failed ({methods})'}: {sentence}")

    def _warn_of_versions(self, makers: Sequence[str | None]) -> None:
        """A line where trials are those of another version of this package, whose figures may differ."""
        strange = [maker for maker in makers if maker not in (None, version("lookalike"))]
        if strange:
            self.warn(
                f"{len(strange)} of {len(makers)} trials in {show(self.runs)} were done by lookalike "
                f"{show(strange[0])} and not again by {version('lookalike')}; remove them, or give another --runs, to "
                "measure all with one version"
            )


def lacking(cells: Sequence[Cell[T]], is_there: Callable[[Cell[T]], bool]) -> dict[str, str]:
    """Methods that lack a cell, and how many in words."""
    there: dict[str, list[bool]] = {}
    for cell in cells:
        there.setdefault(cell.method, []).append(is_there(cell))
    missing = {method: (measured.count(False), len(measured)) for method, measured in there.items()}
    return {
        method: f"{n} of {of} cells {'is' if n == 1 else 'are'} missing" for method, (n, of) in missing.items() if n
    }


def merged(trials: Sequence[T], runs: Path) -> list[T]:
    """One trial for each folder, which does what any of its trials does; in the order of first appearance."""
    found: dict[Path, T] = {}
    for trial in trials:
        folder = trial.folder(runs)
        found[folder] = found[folder].joined(trial) if folder in found else trial
    return list(found.values())


def _perform(trial: Trial, runs: Path, command: str) -> None:
    """The task of one worker: a trial, which finds the images that others read, and what networks saw in them."""
    with beyond.shared(), cache.kept():
        trial.perform(runs, command)
