"""Ctrl-C and SIGTERM: finish the step, checkpoint, leave with 130 or 143; a second signal stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):  # a request: no `except Exception` may swallow it
    """The user asked to stop; `exit_code` is 128 plus the signal's number."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Request:
    """Which signal asked to stop; 0 is none yet."""

    number = 0


@contextmanager
def deferred() -> Iterator[Request]:
    """Within the block a first SIGINT or SIGTERM is only noted; the next one acts as it did before the block."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread gets signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        request.number = number
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()


def stop_on_sigterm() -> None:
    """From now on SIGTERM raises Stopped in the main thread, where no block defers it."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(number, "stopped by SIGTERM")

    signal.signal(signal.SIGTERM, stop)
