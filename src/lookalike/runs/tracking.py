"""Trackers follow a run folder: what a training writes to metrics.jsonl and samples goes to other tools as well.

A file in the folder says which run of a tool it is, and up to how many images the tool has everything. A resumed
training makes the lines after its checkpoint again, to the bit; they are not given twice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import LookalikeError, show
from lookalike.base.interrupts import Stopped
from lookalike.base.strict import parse_json
from lookalike.runs.folder import CLASSES, METRICS, METRICS_LIMIT, SAMPLES, read_config, samples_in
from lookalike.runs.trackers import OPENED, Tracker, TrackerName

TRACKED = "tracked.json"
PAUSE = 2.0  # seconds between two looks at the files


@dataclass(frozen=True)
class _Given:
    """What a tool has of a folder: its run, and figures and grids up to so many images."""

    run: str | None = None
    figures: int = -1
    grids: int = -1


@contextmanager
def tracked(folder: Path, names: tuple[TrackerName, ...], report: Report, warn: Warn) -> Iterator[Report]:
    """Gives a report of progress that also looks, now and then, for what the training in `folder` has written.

    A tool that fails costs the training nothing: it is warned of and left, and the same command again gives it the
    rest, also of a finished run.
    """
    following = _Following(folder, names, warn)

    def told(stage: str, done: int, of: int) -> None:
        report(stage, done, of)
        if names and time.monotonic() - following.looked > PAUSE:
            following.look()

    try:
        yield told
        following.look()
    except (LookalikeError, Stopped):  # what was written before counts
        following.look()
        raise
    finally:
        following.end()


class _Following:
    def __init__(self, folder: Path, names: tuple[TrackerName, ...], warn: Warn) -> None:
        self.folder, self.names, self.warn = folder, list(dict.fromkeys(names)), warn
        self.open: dict[tuple[Path, str], Tracker] = {}
        self.looked = time.monotonic()

    def look(self) -> None:
        """Gives each tool what is new: of the run, and of each class that has a training of its own."""
        for folder in sorted(path.parent for path in [*self.folder.glob(METRICS), *self._of_classes()]):
            for name in tuple(self.names):
                with self._left_alone(name):
                    self._give(folder, name)
        self.looked = time.monotonic()

    def end(self) -> None:
        """Closes the runs of all tools."""
        for (_, name), tracker in self.open.items():
            with self._left_alone(name):
                tracker.end()
        self.open.clear()

    def _of_classes(self) -> Iterator[Path]:
        return (self.folder / CLASSES).glob(f"*/{METRICS}")

    def _give(self, folder: Path, name: TrackerName) -> None:
        given = _given(folder).get(name, _Given())
        lines = {int(row["images"]): row for row in _lines(folder) if row["images"] > given.figures}
        grids = {images: of for images, of in samples_in(folder / SAMPLES).items() if images > given.grids}
        if not lines and not grids:
            return
        tracker = self._tracker(folder, name, given.run)
        for images in sorted({*lines, *grids}):
            if images in lines:
                tracker.numbers(images, lines[images])
            for player, picture in grids.get(images, {}).items():
                tracker.grid(images, f"samples/{player}" if player else "samples", picture)
        now = _Given(tracker.run, max([given.figures, *lines]), max([given.grids, *grids]))
        everything = _given(folder) | {name: now}
        files.write_json(folder / TRACKED, {tool: asdict(has) for tool, has in everything.items()})

    def _tracker(self, folder: Path, name: TrackerName, run: str | None) -> Tracker:
        if (folder, name) not in self.open:
            config = read_config(self.folder)
            settings = {key: value for key, value in config["settings"].items() if value not in (None, [], "")}
            own = folder.resolve().relative_to(self.folder.resolve().parent).as_posix()
            self.open[folder, name] = OPENED[name](folder, own, run, {**settings, "data": config["data"]["source"]})
        return self.open[folder, name]

    @contextmanager
    def _left_alone(self, name: str) -> Iterator[None]:
        """A tool that fails is not asked again; what tools print goes to standard error."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except Exception as error:  # noqa: BLE001  tools raise any kind of error
            self.names = [other for other in self.names if other != name]
            self.warn(
                f"{name} gets nothing more: {show(str(error).strip().partition(chr(10))[0] or type(error).__name__)}; "
                "the training goes on, and the same command again gives it the rest"
            )


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of metrics.jsonl that are whole."""
    path = folder / METRICS
    if path.exists():
        for line in files.read_bytes(path, METRICS_LIMIT).splitlines():
            try:
                row: Any = parse_json(line)
            except ValueError:
                return
            yield row


def _given(folder: Path) -> dict[str, _Given]:
    """What the tools have of a folder; nothing where no record is there that can be read."""
    path = folder / TRACKED
    try:
        there = parse_json(files.read_bytes(path, METRICS_LIMIT))
        return {name: _Given(str(has["run"]), int(has["figures"]), int(has["grids"])) for name, has in there.items()}
    except (LookalikeError, OSError, ValueError, TypeError, LookupError):
        return {}
