"""Tasks side by side, one process and one thread each. After a stop or a kill, the same call does the rest."""

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
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as first_of
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from lookalike.base import interrupts
from lookalike.base.arrays import Report
from lookalike.base.errors import LookalikeError, memory_guard

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
GRACE = 6.0  # seconds that stopped workers have to finish a step and save it
ASK = 0.2  # seconds between two checks of the parent for a signal
DONE, LINE, FAULT = "done", "line", "fault"  # kinds of messages from a worker
KILLED = "it was killed, as systems do when memory runs out; try fewer --workers; the same command goes on from there"
CONTEXT = multiprocessing.get_context("spawn")
T = TypeVar("T")
Do = Callable[[T, Path, str], None]  # (task, folder of all trainings, command)
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
) -> dict[T, str]:
    """Do all tasks, `workers` at a time, one thread each. Returns the message of each task that failed.

    `do` is a function of a module. A task can be pickled and printed. When `time.monotonic()` is `until`, tasks that
    are not done end as after Ctrl-C, and have not failed. A task whose worker the system kills has failed.

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

    with closing(_spread(do, tasks, runs, workers, command, progress, until)) as results:
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


class _Worker:
    """A process that does one task after another, until its pipe is closed or SIGTERM comes."""

    def __init__(self) -> None:
        resource_tracker.ensure_running()  # otherwise start() would do it, and unblock the signals
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs,))
        self.task: list[Any] = []  # one at most
        with interrupts.blocked():  # the worker inherits the block, so that Ctrl-C reaches the parent alone
            self.process.start()
        theirs.close()

    def begin(self, do: Do[T], task: T, runs: Path, command: str) -> None:
        """Starts a task."""
        self.task = [task]
        with suppress(BrokenPipeError):  # it is dead; the next `result` raises
            self.pipe.send((do, task, runs, command))

    def result(self) -> tuple[str, Any]:
        """Its next message, (kind, value). Raises EOFError or OSError if it is dead."""
        kind, value = self.pipe.recv()
        if kind != LINE:
            self.task = []
        return kind, value


def _spread(
    do: Do[T], tasks: Tasks[T], runs: Path, workers: int, command: str, progress: Callable[[str], None], until: float
) -> Generator[tuple[T, str], None, None]:
    """Each task as it ends, with its error message, or with an empty one."""
    crew, ended = list[_Worker](), list[tuple[T, str]]()
    begun = told = True
    with interrupts.deferred(every=True) as request:
        try:
            while (begun or told or ended or any(one.task for one in crew)) and time.monotonic() < until:
                if request.number:
                    raise interrupts.stopped(request.number)
                begun = _begin(do, tasks, runs, crew, workers, command)
                yield from ended  # after a new task has started, so that no worker waits for the caller
                told = bool(ended)  # the caller may know of more to do now
                ended = list(_results(crew, 0 if begun else ASK, progress))
        finally:
            _end(crew)


def _begin(do: Do[T], tasks: Tasks[T], runs: Path, crew: list[_Worker], workers: int, command: str) -> bool:
    """Gives the next task to a worker that is free, or to a new one; says whether there was both."""
    free = [one for one in crew if not one.task]
    task = tasks.take() if free or len(crew) < workers else None
    if task is None:
        return False
    if not free:
        crew.append(_Worker())
    (free or crew)[-1].begin(do, task, runs, command)
    return True


def _results(crew: list[_Worker], seconds: float, progress: Callable[[str], None]) -> Iterator[tuple[Any, str]]:
    """The tasks that end within `seconds`, with their messages; a dead worker leaves the crew.

    Raises an unexpected error of a worker.
    """
    busy = {one.pipe: one for one in crew if one.task}
    for pipe in first_of(list(busy), seconds):
        one = busy[pipe]  # type: ignore[index]
        task = one.task[:]
        try:
            kind, value = one.result()
        except (EOFError, OSError):
            crew.remove(one)
            one.pipe.close()
            kind, value = DONE, KILLED
        if kind == FAULT:
            raise value
        if kind == LINE:
            progress(value)
        else:
            yield task[0], value


def _end(crew: Sequence[_Worker]) -> None:
    """End all workers. A busy one saves a checkpoint first, if its step does not take too long."""
    for one in crew:
        if one.task:
            one.process.terminate()
        one.pipe.close()
    deadline = time.monotonic() + GRACE
    for one in crew:
        one.process.join(max(0.0, deadline - time.monotonic()))
        one.process.kill()
    for one in crew:
        one.process.join()


def _serve(parent: Connection) -> None:
    """The main function of a worker. SIGTERM ends it at once between tasks, and while it imports modules."""
    _one_thread()
    _parent.append(parent)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, interrupts.Stopped):  # the parent has closed the pipe
        while True:
            do, task, runs, command = parent.recv()
            interrupts.stop_on_signals()
            said = _guarded(do, task, runs, command)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            parent.send(said)
    os._exit(0)  # all is on disk, and unloading torch can take seconds


def _guarded(do: Do[T], task: T, runs: Path, command: str) -> tuple[str, Any]:
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


def _one_thread() -> None:
    """Limit this process to one thread, for libraries loaded before and after."""
    os.environ |= dict.fromkeys(THREADS, "1")  # for libraries that are loaded later
    threadpool_limits(1)  # for libraries that are loaded already


def _end_with_parent() -> None:
    """End this worker when the parent is killed, so that it does not keep the locks of the runs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
