"""Trials on the machines of a Ray cluster.

Machines that see the command's folder of trials work in it, so that trials of a lost one go on from their checkpoints.
To and from others the folders of trials travel as bytes.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from typing import Any, Generic, TypeVar

from lookalike.base import cache, cluster, files, interrupts, parts, workers
from lookalike.base.errors import LookalikeError, LostError, UsageError, show
from lookalike.base.workers import ASK, DONE, FAULT, GRACE, Do, Progress, Results, Tasks
from lookalike.studies.trial import Trial

LIMIT = 1 << 32  # bytes of a file of a trial
NAME = "trial"  # of the folder that holds a trial on another machine
SIGN = "cluster"  # of the file by which machines know that they see the command's folder
MISSING = re.compile(r"No module named '([\w.]+)'")
T = TypeVar("T", bound=Trial)


def spread(
    do: Do[T], tasks: Tasks[T], runs: Path, workers: int, command: str, progress: Progress, until: float, *,
    address: str, device: str,
) -> Results[T]:  # fmt: skip
    """Does tasks on a cluster, `workers` at a time at most; see `lookalike.base.workers.side_by_side`.

    Raises
    ------
    UsageError
        Without the extra `cluster`, where no cluster can be joined, or for a device that it does not have.
    LostError
        When the head of the cluster is lost. What has ended is kept.
    """
    with cluster.joined(address) as ray, _signed(runs) as sign, interrupts.deferred(every=True) as request:
        crew, ended = _Crew(ray, do, runs, sign, command, workers, device), list[tuple[T, str]]()
        begun = told = True
        try:
            while (begun or told or ended or crew.out) and time.monotonic() < until:
                if request.number:
                    raise interrupts.stopped(request.number)
                crew.look()
                begun = crew.begin(tasks)
                yield from ended
                told = bool(ended)
                ended = list(crew.results(0 if begun else ASK))
        finally:
            crew.end()


@dataclass
class _Crew(Generic[T]):
    """The trials that are out on the cluster."""

    ray: Any
    do: Do[T]
    runs: Path
    sign: Path
    command: str
    most: int
    device: str
    out: dict[Any, T] = field(default_factory=dict)
    lost: bool = False

    def __post_init__(self) -> None:
        self.head = cluster.Head(self.ray)
        self.size = min(self.most, cluster.room_of(self.ray, self.device))
        self.remote = self.ray.remote(_on_node)

    def look(self) -> None:
        """Whether the head is there, and how much room the cluster has now. Raises LostError."""
        try:
            if self.head.look():
                self.size = min(self.most, cluster.room_of(self.ray, self.device))
        except LostError:
            self.lost = True
            raise

    def begin(self, tasks: Tasks[T]) -> bool:
        """Sends the next task, if there is one and room for it; says whether there was both."""
        task = tasks.take() if len(self.out) < self.size else None
        if task is None:
            return False
        asked = cluster.asked(self.ray, task.place["threads"], self.device)
        where = task.folder(self.runs)
        name, held = _within(self.runs, where), packed(where)
        given = _Given(task, name, held, self.sign, self.command, str(Path.cwd()), version("lookalike"))
        self.out[self.remote.options(**asked).remote(self.do, given)] = task
        return True

    def results(self, seconds: float, wanted: int = 1) -> Iterator[tuple[T, str]]:
        """The tasks of which `wanted` end within `seconds`, with their messages; their folders are written here."""
        if not self.out:
            return
        for ref in self.ray.wait(list(self.out), num_returns=wanted, timeout=seconds)[0]:
            task = self.out.pop(ref)
            yield task, self._said(ref, task)

    def end(self) -> None:
        """Stops what is out. Each saves a checkpoint first, which comes here, if its step does not take too long."""
        if self.lost or not self.out:
            return
        for ref in self.out:
            self.ray.cancel(ref)
        list(self.results(GRACE, len(self.out)))

    def _said(self, ref: Any, task: T) -> str:
        """The message of a task, empty where all went well. Raises an unexpected error of the task."""
        try:
            back: _Back = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            return _why(error)
        if back.kind == FAULT:
            raise back.value
        where = task.folder(self.runs)
        if back.folder != _within(self.runs, where):
            return f"{show(back.node)} has other files at {show(task.data)}; give each machine the same ones"
        try:
            if back.files and not task.is_done(self.runs):
                _write(files.make_folder(where), back.files)
        except LookalikeError as error:
            return str(error)
        return f"{back.value} (on {show(back.node)})" if back.value else ""


@dataclass(frozen=True)
class _Given:
    """What a machine gets: the trial, its folder's name and what it holds, a sign beside it, the command, and where."""

    trial: Trial
    folder: str
    files: Mapping[str, bytes]
    sign: Path
    command: str
    place: str
    version: str


@dataclass(frozen=True)
class _Back:
    """What a machine returns: kind and value of `workers.guarded`, its name, the folder, and files to write there."""

    kind: str
    value: Any
    node: str
    folder: str
    files: Mapping[str, bytes]


def _on_node(do: Do[Any], given: _Given) -> _Back:
    """Does a trial in the command's folder where it is seen, else in one of its own, and returns what that holds.

    After Ctrl-C it returns what was saved.
    """
    if version("lookalike") != given.version:
        ours = f"its lookalike is {version('lookalike')} and the command's is {given.version}; install the same one"
        return _Back(DONE, ours, platform.node(), given.folder, {})
    with suppress(OSError):  # relative names then mean the same files, where the machine has them
        os.chdir(given.place)
    workers.one_thread()
    mine = _within(Path(), given.trial.folder(Path()))
    if mine != given.folder:
        return _Back(DONE, "", platform.node(), mine, {})
    seen = given.sign.exists()
    with nullcontext(given.sign.parent) if seen else _scratch() as runs:
        if not seen:
            _fill(files.make_folder(runs / mine), given.files)
        try:
            kind, value = workers.guarded(do, given.trial, runs, given.command)
        except KeyboardInterrupt:
            kind, value = DONE, "stopped by Ctrl-C"
        return _Back(kind, value, platform.node(), mine, {} if seen else packed(runs / mine))


def _within(runs: Path, folder: Path) -> str:
    """The name of a trial's folder, the same on each machine."""
    return folder.relative_to(runs).as_posix()


@contextmanager
def _signed(runs: Path) -> Iterator[Path]:
    """A file in the folder of all trials that no other folder has. Those of killed commands go first."""
    place = files.make_folder(runs).resolve()
    parts.clear(place, SIGN)
    part, descriptor = parts.new_file(place / SIGN)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A new folder that goes with the block. Those of killed processes go first."""
    place = files.make_folder(cache.folder() or Path(gettempdir()))
    parts.clear(place, NAME)
    part, descriptor = parts.new_folder(place / NAME)
    try:
        yield part / parts.WHOLE
    finally:
        parts.drop_folder(part, descriptor)


def packed(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their names within it, without its lock and without parts; nothing where it is not."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): files.read_bytes(path, LIMIT)
        for name, path in found.items()
        if name.name != files.LOCK and not any(map(parts.target_of, name.parts))
    }


def _write(folder: Path, came: Mapping[str, bytes]) -> None:
    """Replaces a folder by these files, whole or not at all. Raises LockedError where another process has it."""
    with files.lock(folder), files.atomic_folder(folder, old=lambda _: True) as new:
        _fill(new, came)


def _fill(folder: Path, came: Mapping[str, bytes]) -> None:
    """Writes new files below a folder. Raises UsageError for a name that leads out of it."""
    for name, data in came.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f"a machine sent the file {show(name)}, which leads out of its folder; nothing is written")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        files.write_new(folder / path, data)


def _why(error: Exception) -> str:
    """What is said of a task that Ray gave up. Raises an error of our own."""
    cause, said = getattr(error, "cause", None), MISSING.search(str(error))
    if said:
        return f"a machine of the cluster lacks {said[1]}; install the same lookalike with its extras on each"
    if isinstance(cause, Exception):
        raise cause
    why = f"{type(error).__name__}: {cluster.first_line(error)}"
    return f"its process or machine was lost {cluster.RETRIES + 1} times ({why}); the same command tries again"
