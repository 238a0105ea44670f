"""Tasks side by side, one process and one thread each; stopped or killed, what is done stays and the rest can go on."""

from __future__ import annotations

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
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from lookalike.base import interrupts
from lookalike.base.arrays import Report
from lookalike.base.errors import LookalikeError, ResourceError, memory_guard

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
GRACE = 6.0  # seconds that stopped workers have to finish a step and save it
ASK = 0.2  # seconds after which the parent looks for a signal
DONE, TOLD, FAULT = "done", "told", "fault"  # what a worker sends
CONTEXT = multiprocessing.get_context("spawn")
T = TypeVar("T")
Do = Callable[[T, Path, str], None]  # (task, folder of all trainings, command)
_parent: list[Connection] = []  # of this worker


def side_by_side(
    do: Do[T],
    tasks: Sequence[T],
    runs: Path,
    *,
    workers: int,
    command: str,
    report: Report,
) -> dict[T, str]:
    """Does all tasks, `workers` at a time, one thread each; returns the sentence of each that failed.

    `do` is a function of a module, and its task can be pickled and printed.

    Raises
    ------
    KeyboardInterrupt, Stopped
        After Ctrl-C, SIGTERM or SIGHUP, with the workers' checkpoints saved; the same call goes on. Within ten seconds,
        also after further signals: who takes longer for a step is killed, and goes on from the checkpoint before.
    ResourceError
        If the system killed a worker.
    """
    failed: dict[T, str] = {}
    done = 0

    def told(line: str) -> None:
        report(line, done, len(tasks))

    with closing(_spread(do, tasks, runs, workers, command, told)) as results:
        for task, said in results:
            done += 1
            if said:
                failed[task] = said
            report(str(task), done, len(tasks))
    return failed


def tell(line: str) -> None:
    """From within a task: a line of progress, which the parent reports."""
    for parent in _parent:
        parent.send((TOLD, line))


class _Worker:
    """A process that does one task after the other, until its pipe is closed or SIGTERM comes."""

    def __init__(self) -> None:
        resource_tracker.ensure_running()  # else starting would do it, and let the signals through again
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs,))
        self.task: list[Any] = []  # one at most
        with interrupts.blocked():  # a worker never sees them: Ctrl-C reaches the parent alone
            self.process.start()
        theirs.close()

    def begin(self, do: Do[T], task: T, runs: Path, command: str) -> None:
        """Has it do a task."""
        self.task = [task]
        with suppress(BrokenPipeError):  # it is dead, as the next `result` says
            self.pipe.send((do, task, runs, command))

    def result(self) -> tuple[str, Any]:
        """What it sends; raises ResourceError where it is dead."""
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise ResourceError(
                "a training was killed, as systems do when memory runs out; "
                "try fewer --workers; the same command goes on from there"
            ) from error
        if kind != TOLD:
            self.task = []
        return kind, value


def _spread(
    do: Do[T], tasks: Sequence[T], runs: Path, workers: int, command: str, told: Callable[[str], None]
) -> Generator[tuple[T, str], None, None]:
    """Each task with what is said of it, empty where all is well, as they end."""
    waiting, crew = deque(tasks), list[_Worker]()
    ended: list[tuple[T, str]] = []
    with interrupts.deferred(every=True) as request:
        try:
            while waiting or ended or any(one.task for one in crew):
                if request.number:
                    raise interrupts.stopped(request.number)
                if waiting and len(crew) < workers and all(one.task for one in crew):
                    crew.append(_Worker())
                for one in [one for one in crew if not one.task][: len(waiting)]:
                    one.begin(do, waiting.popleft(), runs, command)
                yield from ended  # nobody idles while they are told
                ended = list(_results(crew, 0 if waiting and len(crew) < workers else ASK, told))
        finally:
            _end(crew)


def _results(crew: Sequence[_Worker], seconds: float, told: Callable[[str], None]) -> Iterator[tuple[Any, str]]:
    """Tasks that end within so many seconds; raises what a worker did not expect."""
    busy = {one.pipe: one for one in crew if one.task}
    for pipe in first_of(list(busy), seconds):
        one = busy[pipe]  # type: ignore[index]
        task = one.task[:]
        kind, value = one.result()
        if kind == FAULT:
            raise value
        if kind == TOLD:
            told(value)
        else:
            yield task[0], value


def _end(crew: Sequence[_Worker]) -> None:
    """Leaves none: who trains saves a checkpoint first, if a step does not take too long."""
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
    """What a worker does; between tasks, and while it loads what one needs, SIGTERM ends it at once."""
    _one_thread()
    _parent.append(parent)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, interrupts.Stopped):  # the parent wants no more
        while True:
            do, task, runs, command = parent.recv()
            interrupts.stop_on_signals()
            said = _guarded(do, task, runs, command)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            parent.send(said)
    os._exit(0)  # all is on disk; unloading torch takes seconds where cores are few


def _guarded(do: Do[T], task: T, runs: Path, command: str) -> tuple[str, Any]:
    """`do`, and what is said of it: the sentence of a failure that concerns this task alone, or a fault of ours."""
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
    """Begins a worker."""
    os.environ |= dict.fromkeys(THREADS, "1")  # of what is loaded later
    threadpool_limits(1)  # of what is loaded already


def _end_with_parent() -> None:
    """Where the parent is killed its workers must not hold the runs' locks."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
