"""Images a second that the served page judges for 16 clients at once, beside the library's own call in batches.

    python benchmarks/page.py

`auto` learns 100 made photographs of 224 x 224 pixels. Then 16 connections send PNG files for a minute, without
pictures in the answers, and the library judges the same files in batches of 16, in the same process of its own and with
as many threads. Goals: no error, at least 80 % of the library's images a second, and memory that has not grown by more
than 50 MB in the second half of the minute. Takes about three minutes.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from lookalike.detect.model import Model
from lookalike.faces.page.served import Served
from lookalike.runs.run import run
from lookalike.runs.samples import png
from lookalike.runs.settings import train_settings
from machine import save
from photographs import photographs

SIDE, TRAIN, SCORED = 224, 100, 64
CONNECTIONS, SECONDS = 16, 60
PAGE = (sys.executable, "-c", "from lookalike.faces.cli import entry; entry()", "page")
GOAL, GROWTH = 0.8, 50  # share of the library's images a second; MB


def trained(folder: Path) -> Path:
    """A run that knows the photographs."""
    known = photographs(TRAIN, SIDE, 0)
    np.savez(folder / "known.npz", images=known.transpose(0, 2, 3, 1), labels=np.zeros(TRAIN, np.int64))
    run(str(folder / "known.npz"), train_settings(known=("0",)), folder / "run")
    return folder / "run"


def library(folder: Path, files: list[bytes]) -> float:
    """Images a second of the library, in batches of as many as the page takes together."""
    one, begun, n = Served("run", folder, Model.load(folder)), time.perf_counter(), 0
    while time.perf_counter() - begun < SECONDS / 2:
        one.judge(files[:CONNECTIONS], pictures=False)
        n += CONNECTIONS
    return n / (time.perf_counter() - begun)


def resident(process: int) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 / 2**20


def served(folder: Path, files: list[bytes]) -> dict[str, float]:
    """What the page does for all connections at once."""
    counts, turns = {"images": 0, "errors": 0}, itertools.cycle(files)
    with subprocess.Popen([*PAGE, str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host = process.stdout.readline().split()[1].removeprefix("http://").strip("/")
        end = time.perf_counter() + SECONDS

        def ask() -> None:
            connection = HTTPConnection(host, timeout=60)
            while time.perf_counter() < end:
                connection.request("POST", "/score?pictures=false", next(turns))
                answer = connection.getresponse()
                answer.read()
                counts["images" if answer.status == 200 else "errors"] += 1

        clients = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
        for client in clients:
            client.start()
        time.sleep(SECONDS / 2)
        half = resident(process.pid)
        for client in clients:
            client.join()
        grown = resident(process.pid) - half
        process.terminate()
    return {"images a second": counts["images"] / SECONDS, "errors": counts["errors"], "MB grown": grown}


def main() -> None:
    """Measures both, writes the file and says whether the goals are met."""
    files = [png(one.transpose(1, 2, 0)) for one in photographs(SCORED, SIDE, 1)]
    with tempfile.TemporaryDirectory() as folder:
        model = trained(Path(folder))
        found = {**served(model, files), "library, images a second": library(model, files)}
    found["share of the library"] = found["images a second"] / found["library, images a second"]
    found = {name: round(value, 3) for name, value in found.items()}
    save("page", found)
    for name, value in found.items():
        print(f"{name:28}{value:>10}")
    if found["errors"] or found["share of the library"] < GOAL or found["MB grown"] > GROWTH:
        raise SystemExit("a goal is missed")


if __name__ == "__main__":
    main()
