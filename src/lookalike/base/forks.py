"""Processes that are forked from one of ours, which has loaded this package: a start costs no import.

multiprocessing has one such server for a whole program. In ours signals wait and our modules are loaded, which other
processes of that program would inherit. So this is another one, by the same code.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from multiprocessing import context, popen_forkserver, reduction, resource_tracker, spawn, util
from multiprocessing.forkserver import ForkServer, read_signed
from multiprocessing.process import BaseProcess

from lookalike.base import interrupts

SERVER = ForkServer()


class _Popen(popen_forkserver.Popen):
    """A process of our server."""

    sentinel: int
    pid: int
    _fds: list[int]

    def _launch(self, process_obj: BaseProcess) -> None:
        """As that of its base, whose server is multiprocessing's."""
        said = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            reduction.dump(spawn.get_preparation_data(process_obj.name), said)
            reduction.dump(process_obj, said)
        finally:
            context.set_spawning_popen(None)
        self.sentinel, writing = SERVER.connect_to_new_process(self._fds)
        kept = os.dup(writing)  # its end tells the process that we have ended
        self.finalizer = util.Finalize(self, _close, (kept, self.sentinel))
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(said.getbuffer())
        self.pid = read_signed(self.sentinel)


def _close(*descriptors: int) -> None:
    for one in descriptors:
        os.close(one)


class Forked(context.ForkServerProcess):
    """A process that is forked from our server. Ctrl-C and SIGHUP never reach it, and SIGTERM waits."""

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> _Popen:  # noqa: N802  it is multiprocessing's name
        return _Popen(process_obj)

    def start(self) -> None:
        """Starts it, and before the first one the server with the modules of ours that this process has loaded."""
        ours = __name__.partition(".")[0]
        resource_tracker.ensure_running()  # otherwise the start would do it, and unblock the signals
        SERVER.set_forkserver_preload([name for name in sys.modules if name.partition(".")[0] == ours])
        with interrupts.blocked(signal.SIGTERM):  # it may go to a whole group: they must be there until they have saved
            super().start()


class Spawned(context.SpawnProcess):
    """A process that loads everything itself, where libraries of the system may not survive a fork."""

    def start(self) -> None:
        """Starts it. Ctrl-C and SIGHUP never reach it."""
        resource_tracker.ensure_running()
        with interrupts.blocked():
            super().start()


Fresh: type[Forked | Spawned] = Forked if sys.platform == "linux" else Spawned
