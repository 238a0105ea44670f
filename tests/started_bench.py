"""A real `lookalike bench detect` in a process group of its own, for tests that stop it or start two of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lookalike.faces import cli

WITHIN = 10  # seconds
PROGRAM = "import sys; from lookalike.faces.cli import entry; entry()"


class Bench:
    """A started `lookalike bench detect` in a process group of its own."""

    def __init__(self, data: Path, folder: Path, *more: str, runs: Path | None = None, **how) -> None:
        self.folder, self.error = folder, folder / "error"
        folder.mkdir(exist_ok=True)
        argv = [
            *("bench", "detect", data, "--methods", "anogan", "--images", 1600, "--seeds", 1, "--workers", 4),
            *("--runs", runs or folder / "runs", "-o", folder / "out", *more),
        ]
        environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        with self.error.open("w") as error:
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": error} | how
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *map(str, argv)], start_new_session=True, env=environment, **streams
            )

    def until(self, ready) -> None:
        """Waits for a moment of the work, and not for ever; or for its end, where it is too fast for us."""
        end = time.monotonic() + 150
        while not ready() and self.process.poll() is None:
            if time.monotonic() > end:
                self.kill()
                pytest.fail(self.error.read_text())
            time.sleep(0.02)

    def ends(self) -> int:
        """Its exit code; it and all of its group are gone in time."""
        began = time.monotonic()
        try:
            code = self.process.wait(WITHIN)
            while alive(self.process.pid) and time.monotonic() < began + WITHIN:
                time.sleep(0.02)
            assert alive(self.process.pid) == []
        finally:
            self.kill()
        return code

    def finished(self) -> int:
        """Its exit code, undisturbed."""
        try:
            return self.process.wait(200)
        finally:
            self.kill()

    def kill(self) -> None:
        """Leaves nothing, whatever a test found."""
        for pid in alive(self.process.pid):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        """Numbers of the processes that train."""
        return [pid for pid in alive(self.process.pid) if b"forkserver" in _read(_parent(pid), "cmdline")]

    def loading(self) -> bool:
        """All workers are there, and none has got so far as to make a folder."""
        return len(self.workers()) == 4

    def training(self) -> bool:
        """Somebody has logged a step."""
        return any(self.folder.glob("runs/**/metrics.jsonl"))

    def scoring(self) -> bool:
        """Somebody has trained, and not scored everything."""
        return any(not (model.parent / "unseen").exists() for model in self.folder.glob("runs/**/model.json"))


def _parent(pid: int) -> int:
    return int((_read(pid, "stat").rpartition(b")")[2].split() or [b"", b"0"])[1])


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has just ended
        return b""


def alive(group: int) -> list[int]:
    """Processes of a group, without those that have ended and wait for their parent."""
    found = []
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        state, _, own = (_read(pid, "stat").rpartition(b")")[2].split() or [b"Z", b"", b"0"])[:3]
        if int(own) == group and state != b"Z":
            found.append(pid)
    return found
