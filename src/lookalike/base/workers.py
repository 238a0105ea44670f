"""Tasks side by side, a fresh process of one thread for each. After a stop or a kill, the same call does the rest."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as first_of
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from lookalike.base import interrupts
from lookalike.base.arrays import Report
from lookalike.base.errors import LookalikeError, memory_guard
from lookalike.base.forks import Fresh

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
GRACE = 6.0  # seconds that stopped workers have to finish a step and save it
ASK = 0.2  # seconds between two checks of the parent for a signal
DONE, LINE, FAULT, LOST = "done", "line", "fault", "lost"  # kinds of messages from a worker; of one that is dead
TRIES = 3  # of a task whose process is killed
AGAIN = "the same command goes on from there"
T = TypeVar("T")
Do = Callable[[T, Path, str], None]  # (task, folder of all trainings, command)
Progress = Callable[[str], None]
Results = Generator[tuple[T, str], None, None]  # each task as it ends, with its error message, or with an empty one
Spread = Callable[[Do[T], "Tasks[T]", Path, int, str, Progress, float], Results[T]]  # as `_spread`
_parent: list[Connection] = []  # the pipe to the parent, within a worker


class Tasks(Protocol[T]):
    """What is to be done, given out task by task."""

    def __len__(self) -> int:
        """How many tasks there are in all."""

    def take(self) -> T | None:
        """The next task for a free worker; None where there is none for now."""

    def ended(self, task: T, said: str) -> None:
        """A task has ended, with its error message, or with an empty one."""


class InOrder(Generic[T]):
    """Tasks in the order of a sequence."""

    def __init__(self, tasks: Sequence[T]) -> None:
        self.waiting, self.all = deque(tasks), len(tasks)

    def __len__(self) -> int:
        return self.all

    def take(self) -> T | None:
        """See `Tasks`."""
        return self.waiting.popleft() if self.waiting else None

    def ended(self, task: T, said: str) -> None:
        """See `Tasks`."""


def side_by_side(
    do: Do[T],
    tasks: Tasks[T],
    runs: Path,
    *,
    workers: int,
    command: str,
    report: Report,
    until: float = math.inf,
    spread: Spread[T] | None = None,
) -> dict[T, str]:
    """Do all tasks, `workers` at a time, one thread each. Returns the message of each task that failed.

    They are done in processes of this machine, or where `spread` does them.

    `do` is a function of a module. A task can be pickled and printed. When `time.monotonic()` is `until`, tasks that
    are not done end as after Ctrl-C, and have not failed. A task whose process the system kills is tried again when the
    others have begun, and has failed when that happened three times.

    Raises
    ------
    KeyboardInterrupt, Stopped
        After Ctrl-C, SIGTERM or SIGHUP, when the workers have saved checkpoints. The same call goes on from there. It
        takes at most ten seconds, also after further signals. A worker whose step takes longer is killed, and its task
        goes on from the checkpoint before.
    """
    failed: dict[T, str] = {}
    done = 0

    def progress(line: str) -> None:
        report(line, done, len(tasks))

    with closing((spread or _spread)(do, tasks, runs, workers, command, progress, until)) as results:
        for task, said in results:
            done += 1
            tasks.ended(task, said)
            if said:
                failed[task] = said
            report(str(task), done, len(tasks))
    return failed


def tell(line: str) -> None:
    """Send a line of progress from a task to the parent, which reports it."""
    for parent in _parent:
        parent.send((LINE, line))


@dataclass
class _Crew(Generic[T]):
    """The processes that work, and the tasks of those that were killed, with the number of their tries."""

    do: Do[T]
    runs: Path
    command: str
    size: int
    busy: list[_Worker[T]] = field(default_factory=list)
    again: deque[tuple[T, int]] = field(default_factory=deque)

    def begin(self, tasks: Tasks[T]) -> bool:
        """Starts the next task, if there is one and room for it; says whether there was both."""
        if len(self.busy) == self.size:
            return False
        task, tries = tasks.take(), 1
        if task is None and self.again:
            task, tries = self.again.popleft()
        if task is not None:
            self.busy.append(_Worker(task, tries, (self.do, task, self.runs, self.command)))
        return task is not None

    def results(self, seconds: float, progress: Progress) -> Iterator[tuple[T, str]]:
        """The tasks that end within `seconds`, with their messages. Raises an unexpected error of a worker."""
        pipes = {one.pipe: one for one in self.busy}
        for pipe in first_of(list(pipes), seconds):
            one = pipes[pipe]
            kind, value = one.message()
            if kind == LINE:
                progress(value)
                continue
            self.busy.remove(one)
            one.close()
            if kind == FAULT:
                raise value
            if kind == LOST and one.tries < TRIES:
                self.again.append((one.task, one.tries + 1))
                progress(f"{one.task}: its process {_ending(one.process.exitcode)}; it is tried again")
            else:
                yield one.task, _lost(one.process.exitcode) if kind == LOST else value


class _Worker(Generic[T]):
    """A process that does one task. SIGTERM stops it, as does the end of its parent."""

    def __init__(self, task: T, tries: int, what: tuple[Do[T], T, Path, str]) -> None:
        self.task, self.tries = task, tries
        pipes: tuple[Any, Any] = multiprocessing.Pipe()
        self.pipe, theirs = pipes
        # the environment of now: that of the server which forks is of its start
        self.process = Fresh(target=_serve, args=(theirs, dict(os.environ)))
        self.process.start()
        theirs.close()
        with suppress(BrokenPipeError):  # it is dead; `message` will say so
            self.pipe.send(what)

    def message(self) -> tuple[str, Any]:
        """Its next message, (kind, value)."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            return LOST, None
        return kind, value

    def close(self) -> None:
        """Waits for its end, which is near."""
        self.pipe.close()
        self.process.join()


def _ending(code: int | None) -> str:
    """How a process ended, by its exit code as Python counts."""
    return f"ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with exit code {code}"


def _lost(code: int | None) -> str:
    """What is said of a task whose processes all ended so."""
    memory = ", as systems do when memory runs out; try fewer --workers" if code == -signal.SIGKILL else ""
    return f"its process {_ending(code)} {TRIES} times{memory}; {AGAIN}"


def _spread(
    do: Do[T], tasks: Tasks[T], runs: Path, workers: int, command: str, progress: Progress, until: float
) -> Results[T]:
    """Each task as it ends, with its error message, or with an empty one."""
    crew, ended = _Crew(do, runs, command, workers), list[tuple[T, str]]()
    begun = told = True
    with interrupts.deferred(every=True) as request:
        try:
            while (begun or told or ended or crew.busy or crew.again) and time.monotonic() < until:
                if request.number:
                    raise interrupts.stopped(request.number)
                begun = crew.begin(tasks)
                yield from ended  # after a new task has started, so that no worker waits for the caller
                told = bool(ended)  # the caller may know of more to do now
                ended = list(crew.results(0 if begun else ASK, progress))
        finally:
            _end(crew.busy)


def _end(crew: Sequence[_Worker[T]]) -> None:
    """End all workers. Each saves a checkpoint first, if its step does not take too long."""
    for one in crew:
        one.process.terminate()
        one.pipe.close()
    deadline = time.monotonic() + GRACE
    for one in crew:
        one.process.join(max(0.0, deadline - time.monotonic()))
        one.process.kill()
    for one in crew:
        one.process.join()


def _serve(parent: Connection, environment: dict[str, str]) -> None:
    """The main function of a worker. SIGTERM ends it at once before its task, and while it imports modules."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.environ.clear()
    os.environ.update(environment)
    one_thread()
    _parent.append(parent)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, interrupts.Stopped):  # the parent has closed the pipe
        do, task, runs, command = parent.recv()
        interrupts.stop_on_signals()
        said = guarded(do, task, runs, command)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        parent.send(said)
    os._exit(0)  # all is on disk, and unloading torch can take seconds


def guarded(do: Do[T], task: T, runs: Path, command: str) -> tuple[str, Any]:
    """Do a task. Returns DONE with the message of a failure of this task alone, or FAULT with our own error."""
    try:
        with memory_guard():
            do(task, runs, command)
    except (LookalikeError, interrupts.Stopped) as error:
        return DONE, str(error)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note(traceback.format_exc())
        return FAULT, error
    return DONE, ""


def one_thread() -> None:
    """Limit this process to one thread, for libraries loaded before and after."""
    os.environ |= dict.fromkeys(THREADS, "1")  # for libraries that are loaded later
    threadpool_limits(1)  # for libraries that are loaded already


def _end_with_parent() -> None:
    """End this worker when the parent is killed, so that it does not keep the locks of the runs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
