"""Tasks side by side, one process and one thread each; stopped or killed, what is done stays and the rest can go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits

from lookalike.base.arrays import Report
from lookalike.base.errors import LookalikeError, ResourceError, memory_guard
from lookalike.base.interrupts import Stopped, stop_on_sigterm

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
T = TypeVar("T")
Do = Callable[[T, Path, str], None]  # (task, folder of all trainings, command)
_signals: list[int] = []  # that asked this worker to stop


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
        After Ctrl-C or SIGTERM, with the workers' checkpoints saved; the same call goes on.
    ResourceError
        If the system killed a worker.
    """
    failed: dict[T, str] = {}
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_one_thread)
    try:
        futures = {pool.submit(_guarded, do, task, runs, command): task for task in tasks}
        for done, future in enumerate(as_completed(futures), 1):
            task = futures[future]
            if said := future.result():
                failed[task] = said
            report(str(task), done, len(tasks))
    except BrokenProcessPool as error:
        raise ResourceError(
            "a training was killed, as systems do when memory runs out; "
            "try fewer --workers; the same command goes on from there"
        ) from error
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()  # a training saves a checkpoint first
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def _guarded(do: Do[T], task: T, runs: Path, command: str) -> str:
    """`do` in a worker; returns the sentence of a failure that concerns this task alone."""
    if _signals:
        return "stopped before it began"  # the queue held it already
    try:
        stop_on_sigterm()
        with memory_guard():
            do(task, runs, command)
    except LookalikeError as error:
        return str(error)
    except Stopped as error:
        _signals.append(signal.SIGTERM)
        return str(error)
    finally:
        _note_sigterm()
    return ""


def _one_thread() -> None:
    """Begins a worker."""
    os.environ |= dict.fromkeys(THREADS, "1")  # of what is loaded later
    threadpool_limits(1)  # of what is loaded already
    os.setpgrp()  # Ctrl-C reaches the parent alone
    _note_sigterm()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _note_sigterm() -> None:
    """Between two tasks a worker that died would break the pool, and cost the others their checkpoints."""
    signal.signal(signal.SIGTERM, lambda number, _frame: _signals.append(number))


def _end_with_parent() -> None:
    """Where the parent is killed its workers must not hold the runs' locks."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
