"""Trials on the machines of a Ray cluster. Their folders travel as bytes, so that machines need no common folder."""

from __future__ import annotations

import logging
import math
import os
import platform
import re
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from typing import Any, Generic, TypeVar

from lookalike.base import cache, files, interrupts, parts, workers
from lookalike.base.errors import LookalikeError, LostError, UsageError, install, show
from lookalike.base.workers import ASK, DONE, FAULT, GRACE, Do, Progress, Results, Tasks
from lookalike.studies.trial import Trial

AUTO = "auto"  # the cluster that this machine is a part of
RETRIES = 3  # of a trial whose process or machine is lost
PATIENCE = 10.0  # seconds that the head may be silent
ANSWER = 2.0  # seconds that it may take to answer
LIMIT = 1 << 32  # bytes of a file of a trial
GPU = "cuda"  # the device of which Ray picks the card
NAME = "trial"  # of the folder that holds a trial on another machine
START = "start it with 'ray start --head' there, or join it with 'ray start --address=HOST:PORT'"
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
    with joined(address) as ray, interrupts.deferred(every=True) as request:
        crew, ended = _Crew(ray, do, runs, command, workers, device), list[tuple[T, str]]()
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


def room(address: str, device: str) -> int:
    """How many trials the cluster can do at once. Raises UsageError as `spread`."""
    with joined(address) as ray:
        return _room(ray, device)


def check(address: str) -> None:
    """Raises UsageError without the extra `cluster`, and where nobody listens at the address."""
    if find_spec("ray") is None:
        raise UsageError(f"--cluster needs the package ray; {install('cluster')}, or leave the flag out")
    if address != AUTO and not _answers(_host_and_port(address)):
        raise UsageError(f"no Ray cluster answers at {show(address)}; {START}")


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Ray, as a part of the cluster, without its own lines. Raises UsageError."""
    check(address)
    with warnings.catch_warnings(), interrupts.handlers_kept():
        warnings.simplefilter("ignore")
        import ray

        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, RuntimeError, ValueError) as error:  # a RayError is a RuntimeError or none of ours
            where = "of this machine" if address == AUTO else f"at {show(address)}"
            raise UsageError(f"the Ray cluster {where} cannot be joined: {_line(error)}; {START}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@dataclass
class _Crew(Generic[T]):
    """The trials that are out on the cluster."""

    ray: Any
    do: Do[T]
    runs: Path
    command: str
    most: int
    device: str
    out: dict[Any, T] = field(default_factory=dict)
    size: int = 0
    looked: float = -math.inf
    heard: float = field(default_factory=time.monotonic)
    lost: bool = False

    def __post_init__(self) -> None:
        self.head = _host_and_port(self.ray.get_runtime_context().gcs_address)
        self.remote = self.ray.remote(_on_node)

    def look(self) -> None:
        """Once a second, whether the head is there, and how much room the cluster has now. Raises LostError.

        Ray itself would wait for a minute, and then end this process.
        """
        now = time.monotonic()
        if now < self.looked + 1:
            return
        self.looked = now
        if _answers(self.head):
            self.heard, self.size = time.monotonic(), min(self.most, _room(self.ray, self.device))
        elif now > self.heard + PATIENCE:
            self.lost = True
            raise LostError(
                f"the head of the cluster at {self.head[0]}:{self.head[1]} is lost; what has ended is kept; start it "
                "again, and run the same command again"
            )

    def begin(self, tasks: Tasks[T]) -> bool:
        """Sends the next task, if there is one and room for it; says whether there was both."""
        task = tasks.take() if len(self.out) < self.size else None
        if task is None:
            return False
        asked = {"num_cpus": task.place["threads"], "num_gpus": int(self.device == GPU), "max_retries": RETRIES}
        given = _Given(task, packed(task.folder(self.runs)), self.command, str(Path.cwd()), version("lookalike"))
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
        where, here = task.folder(self.runs), task.folder(self.runs).relative_to(self.runs).as_posix()
        if back.folder != here:
            return f"{show(back.node)} has other files at {show(task.data)}; give each machine the same ones"
        try:
            if back.files and not task.is_done(self.runs):
                _write(files.make_folder(where), back.files)
        except LookalikeError as error:
            return str(error)
        return f"{back.value} (on {show(back.node)})" if back.value else ""


@dataclass(frozen=True)
class _Given:
    """What a machine gets: the trial, what its folder holds already, the command, and the working folder."""

    trial: Trial
    files: Mapping[str, bytes]
    command: str
    place: str
    version: str


@dataclass(frozen=True)
class _Back:
    """What a machine returns: the kind and the value of `workers.guarded`, its name, the folder and all files in it."""

    kind: str
    value: Any
    node: str
    folder: str
    files: Mapping[str, bytes]


def _on_node(do: Do[Any], given: _Given) -> _Back:
    """Does a trial in a folder of its own, and returns that. After Ctrl-C it returns what was saved."""
    if version("lookalike") != given.version:
        ours = f"its lookalike is {version('lookalike')} and the command's is {given.version}; install the same one"
        return _Back(DONE, ours, platform.node(), given.trial.folder(Path()).as_posix(), {})
    with suppress(OSError):  # relative names then mean the same files, where the machine has them
        os.chdir(given.place)
    workers.one_thread()
    with _scratch() as runs:
        folder = given.trial.folder(runs)
        folder.mkdir(parents=True)
        _fill(folder, given.files)
        try:
            kind, value = workers.guarded(do, given.trial, runs, given.command)
        except KeyboardInterrupt:
            kind, value = DONE, "stopped by Ctrl-C"
        return _Back(kind, value, platform.node(), folder.relative_to(runs).as_posix(), packed(folder))


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


def _host_and_port(address: str) -> tuple[str, int]:
    """The parts of an address. Raises UsageError."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--cluster {show(address)} is no address; give HOST:PORT of the head, or {AUTO}")
    return host, int(port)


def _answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(address, ANSWER):
        return True
    return False


def _room(ray: Any, device: str) -> int:
    """Trials that the cluster can do at once. Raises UsageError where it never can."""
    there = int(ray.cluster_resources().get("GPU" if device == GPU else "CPU", 0))
    if not there:
        raise UsageError(
            f"no machine of the cluster has a {'GPU' if device == GPU else 'CPU'} to give; add one that has"
        )
    return there


def _why(error: Exception) -> str:
    """What is said of a task that Ray gave up. Raises an error of our own."""
    cause, said = getattr(error, "cause", None), MISSING.search(str(error))
    if said:
        return f"a machine of the cluster lacks {said[1]}; install the same lookalike with its extras on each"
    if isinstance(cause, Exception):
        raise cause
    name = type(error).__name__
    return f"its process or machine was lost {RETRIES + 1} times ({name}: {_line(error)}); the same command tries again"


def _line(error: object) -> str:
    """The first line of what Ray says."""
    return show(str(error).strip().partition("\n")[0].rstrip("."))
