"""How a study is run: where its trials are, how many run side by side, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from lookalike.base import workers
from lookalike.base.arrays import Note, Report, Warn
from lookalike.base.errors import show
from lookalike.studies.trial import Cell, Trial, name_of

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
        Trials side by side, one thread each.
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
    command: str = ""
    report: Report = lambda stage, done, of: None
    warn: Warn = lambda message: None
    note: Note = lambda message: None

    def perform(self, trials: Sequence[T]) -> dict[T, str]:
        """Does what is missing side by side; warns of each that failed, and returns it with its sentence.

        Raises
        ------
        KeyboardInterrupt, Stopped, ResourceError
            In the cases of `workers.side_by_side`.
        """
        name_of.cache_clear()  # images may have changed since
        every = merged(trials, self.runs)
        missing = [trial for trial in every if not trial.is_done(self.runs)]
        self.report("training and measuring", 0, len(missing))
        failed = workers.side_by_side(
            _perform, missing, self.runs, workers=self.workers, command=self.command, report=self.report
        )
        self._warn_of_failures(failed)
        self._warn_of_versions([trial.made_by(self.runs) for trial in every if trial.is_done(self.runs)])
        return failed

    def lacking(
        self, cells: Sequence[Cell[T]], is_there: Callable[[Cell[T]], bool] | None = None, where: str = ""
    ) -> dict[str, str]:
        """Methods that lack a cell, and how many in words, which is also a warning.

        A mean over fewer cells, perhaps the easy ones, compares with no other. So these methods are in no mean and in
        no advice.
        """
        there: dict[str, list[bool]] = {}
        for cell in cells:
            there.setdefault(cell.method, []).append(is_there(cell) if is_there else cell.is_done(self.runs))
        missing = {method: (measured.count(False), len(measured)) for method, measured in there.items()}
        gone = {
            method: f"{n} of {of} cells {'is' if n == 1 else 'are'} missing" for method, (n, of) in missing.items() if n
        }
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


def merged(trials: Sequence[T], runs: Path) -> list[T]:
    """One trial for each folder, which does what any of its trials does; in the order of first appearance."""
    found: dict[Path, T] = {}
    for trial in trials:
        folder = trial.folder(runs)
        found[folder] = found[folder].joined(trial) if folder in found else trial
    return list(found.values())


def _perform(trial: Trial, runs: Path, command: str) -> None:
    """The task of one worker: a trial."""
    trial.perform(runs, command)
