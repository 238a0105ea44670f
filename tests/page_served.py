"""The page of some models, served in a thread."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import uvicorn

from lookalike.faces.page import serve
from lookalike.faces.page.app import application


@contextmanager
def serving(models, **more):
    """A page of these models in a thread, and its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(application(models, [host]), log_level="warning", http=serve.Patient, **more)
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield host
    finally:
        server.should_exit = True
        thread.join(20)
