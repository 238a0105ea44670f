"""Work in a child of this process, which may be killed, stopped, or given a small disk of its own.

A child is forked, with all that it would import, and has one thread. What it does is told to its parent as JSON.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import torch

IMPORTED = (  # what commands import late
    *("compare", "detect", "export", "make", "measure", "split"), "lookalike.report", "lookalike.runs.run",
    "lookalike.use.evaluate", "lookalike.use.leaffile", "lookalike.use.scorefile", "sklearn.datasets", "torch._dynamo",
)  # fmt: skip
CHANGES = ("open", "fsync", "replace", "unlink", "mkdir")  # calls that make, sync, rename or remove a file


def started(work: Callable[[], object]) -> Callable[[], Any]:
    """Begins `work` in a child. What is returned waits: for its value as JSON has it, or the number of its signal."""
    for name in IMPORTED:
        importlib.import_module(name if "." in name else f"lookalike.faces.commands.{name}")
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            os.close(reader)
            sys.stdin = sys.stdout = sys.stderr = io.StringIO()
            torch.set_num_threads(1)
            told = json.dumps(work())
        except BaseException:  # noqa: BLE001, the parent has to hear of it
            told = json.dumps(["broken", traceback.format_exc()])
        try:
            with os.fdopen(writer, "w") as handle:
                handle.write(told)
        finally:
            os._exit(0)
    os.close(writer)

    def ended() -> Any:
        with os.fdopen(reader) as told:
            text = told.read()
        _, status = os.waitpid(number, 0)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else json.loads(text)

    return ended


def child(work: Callable[[], object]) -> Any:
    """What `work` returns in a child, as JSON has it; minus the number of the signal that ended it."""
    return started(work)()


class Changes:
    """Counts the changes of files in this process from now on, and does something before one of them."""

    def __init__(self, at: int | None = None, do: Callable[[], object] = lambda: None) -> None:
        self.number, self.at, self.do = 0, at, do
        for name in CHANGES:
            setattr(os, name, self._counted(getattr(os, name), name))

    def _counted(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT):
                self.number += 1
                if self.number == self.at:
                    self.do()
            return function(*arguments, **keywords)

        return call
