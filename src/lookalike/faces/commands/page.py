"""The command that serves the page."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, install
from lookalike.faces.commands.flags import Device, Run
from lookalike.faces.console import note, say
from lookalike.runs.groups import MOST_USED


def page(
    *runs: Run,
    port: Annotated[
        int,
        Parameter(help="Port of the page; 0 takes a free one.", group=MOST_USED, validator=Number(gte=0, lte=65535)),
    ] = 8000,
    host: Annotated[
        str,
        Parameter(
            help="Address that is listened on. Another one than this machine's own needs the token that is printed.",
            group=MOST_USED,
        ),
    ] = "127.0.0.1",
    device: Device = "cpu",
) -> None:
    """Opens a page on this machine: drop images on it, and each gets its verdict.

    The page also makes images of the classes that a GAN has learnt, and shows the report. Nothing leaves the machine.
    """
    if not runs:
        raise UsageError("no run was given; name a run folder, such as: lookalike page runs/coat")
    try:
        from lookalike.faces.page.serve import serve
    except ModuleNotFoundError as error:
        raise UsageError(f"the page needs the extra page; {install('page')}") from error

    def ready(address: str) -> None:
        say(f"page: {address}")
        sys.stdout.flush()  # a program that started the command waits for the address
        note("Ctrl-C ends it")

    serve(runs, host=host, port=port, device=device, ready=ready)
