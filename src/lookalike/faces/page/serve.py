"""From run folders to a page on a port: models are loaded once, and the page lives until the command is stopped."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lookalike.base.errors import OutputError, UsageError, show
from lookalike.detect.model import Model
from lookalike.faces.page.app import application
from lookalike.faces.page.served import Served

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERY = ("0.0.0.0", "::")  # noqa: S104 - every address of this machine, where the user wants it
HEAD = 1 << 16  # bytes of a request's head
PATIENCE = 10.0  # seconds in which a connection must have sent a request's head
CONNECTIONS = 256


class Patient(H11Protocol):
    """A connection that is closed where no request comes."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.late = self.loop.call_later(PATIENCE, self._close)

    def _close(self) -> None:
        if self.cycle is None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self.late.cancel()
        super().connection_lost(exc)


def serve(runs: Sequence[Path], *, host: str, port: int, device: str, ready: Callable[[str], None]) -> None:
    """Serve a page of these runs until the process is told to stop. `ready` is called with its address.

    Raises
    ------
    OutputError
        Where the port is taken or cannot be used.
    UsageError
        For two runs of one name.
    ModelError
        For a folder without a model.
    """
    names = [run.resolve().name for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two runs are called {show(twice)}; give runs of different names")
    models = [Served(name, run, Model.load(run, device)) for name, run in zip(names, runs, strict=True)]
    with _listening(host, port) as listening:
        number = listening.getsockname()[1]
        token = None if host in LOOPBACK else secrets.token_urlsafe(24)
        hosts = [f"{_bracketed(name)}:{number}" for name in LOOPBACK]
        config = uvicorn.Config(
            application(models, hosts, token), http=Patient, log_level="warning", h11_max_incomplete_event_size=HEAD,
            limit_concurrency=CONNECTIONS, timeout_keep_alive=30, server_header=False, access_log=False,
        )  # fmt: skip
        name = socket.gethostname() if host in EVERY else _bracketed(host)
        ready(f"http://{name}:{number}/" + (f"?token={token}" if token else ""))
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        raise OutputError(
            f"port {port} of {show(host)} cannot be used: {os.strerror(error.errno or 0)}; take another one (--port)"
        ) from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
