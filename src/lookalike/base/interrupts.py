"""Ctrl-C, SIGTERM and SIGHUP: finish the step, save a checkpoint, exit with 130, 143 or 129.

A second Ctrl-C stops at once.

A signal that was ignored at the start, as SIGHUP under nohup, stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

OF_SIGNAL = 128  # an exit code is this plus the number of the signal
SOON = 0.02  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):  # not an Exception: no `except Exception` may swallow a request to stop
    """A request to stop. `exit_code` is 128 plus the number of the signal."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = OF_SIGNAL + number


class Request:
    """The number of the first signal that came; 0 for none yet."""

    number = 0


@contextmanager
def deferred(*, every: bool = False) -> Iterator[Request]:
    """Within the block the first signal is only noted. A further Ctrl-C acts as before, unless `every` signal waits.

    Further SIGTERM and SIGHUP wait in any case: systems send them twice, to a process and to its group.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread gets signals
        return
    before = _handlers()

    def note(number: int, _frame: FrameType | None) -> None:
        request.number = request.number or number
        if not every and signal.SIGINT in before:
            signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        _restore(before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """After the block signals act as before it, whatever was changed within it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handlers()
    try:
        yield
    finally:
        _restore(before)


def ignore() -> None:
    """From now on no signal has an effect, because the process is ending already."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def blocked(*more: signal.Signals) -> Iterator[None]:
    """Within the block Ctrl-C, SIGHUP and some `more` wait. A process that is started within it never gets them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, *more})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_on_signals() -> None:
    """From now on SIGTERM and SIGHUP raise Stopped in the main thread, unless a block defers them.

    A stop that comes while Python runs a destructor is swallowed there, with a traceback. So it is sent once more.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        raise stopped(number)

    for number in set(_handlers()) - {signal.SIGINT}:
        signal.signal(number, stop)
    sys.unraisablehook = _once_more


def _once_more(swallowed: sys.UnraisableHookArgs) -> None:
    """Sends the signal of a stop that was swallowed again, a moment later. Others are printed as usual."""
    if not isinstance(swallowed.exc_value, KeyboardInterrupt | Stopped):
        sys.__unraisablehook__(swallowed)
        return
    number = getattr(swallowed.exc_value, "exit_code", OF_SIGNAL + signal.SIGINT) - OF_SIGNAL
    threading.Timer(SOON, os.kill, (os.getpid(), number)).start()


def stopped(number: int) -> BaseException:
    """The exception for a signal."""
    return (
        KeyboardInterrupt() if number == signal.SIGINT else Stopped(number, f"stopped by {signal.Signals(number).name}")
    )


def _handlers() -> dict[signal.Signals, Any]:
    """The handlers of the signals that are not ignored and that Python can change."""
    found = {number: signal.getsignal(number) for number in SIGNALS}
    return {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
