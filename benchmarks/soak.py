"""Goal G-11: hours of training, scoring, generating, reports and pages, with kills in between.

One process repeats all commands and serves a page, and after each round says how much it holds: memory, descriptors,
threads and files. Beside it other processes do the same in one folder, are killed at random moments, and begin again.
`benchmarks/trust.py --only soak --minutes 120` runs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

FLAT = 1.0  # MB an hour
FEW = 3  # rounds that give no slope
WARM = 10.0  # minutes at most in which a process may still grow, or a third of the soak
ONE = ("--threads", "1")
SMALL = (
    *("--known", "3,8", "--method", "cgan", "--size", "8,8", "--width", "4", "--z", "8", "--images", "512"),
    *("--batch", "64", "--save-every", "64", "--sample-every", "256", "--search-steps", "5", "--calibration", "0.2"),
)
PRELOADED = (
    "lookalike.faces.commands.make",
    "lookalike.report",
    "lookalike.runs.run",
    "sklearn.datasets",
    "torch._dynamo",
)


def commands(place: Path) -> dict[str, list[str]]:
    """The command lines of a round, by what each writes in the folder `place`."""
    run = str(place / "run")
    return {
        "run/model.json": ["train", "digits", "-o", run, *SMALL, *ONE],
        "scores.csv": ["score", run, "digits", "-o", str(place / "scores.csv"), "--part", "1/8", *ONE],
        "run/evaluations": ["evaluate", run, "digits", *ONE],
        "made": ["generate", run, "-o", str(place / "made"), "--number", "8"],
        "report.html": ["report", run, "-o", str(place / "report.html")],
    }


def done(argv: list[str]) -> int:
    """The exit code of a command in this process, which says nothing."""
    from lookalike.faces.cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return main(argv)


def victim(argv: list[str]) -> None:
    """What a process does that may be killed."""
    os._exit(done(argv))


def steady(folder: Path) -> None:
    """Rounds without an end, in one process; a line of JSON after each."""
    from page_served import serving

    from lookalike.detect.model import Model
    from lookalike.faces.page.served import Served

    for argv in commands(folder / "page").values():
        assert done(argv) == 0, argv
    picture = next((folder / "page" / "made").rglob("*.png")).read_bytes()
    model = Served("run", folder / "page" / "run", Model.load(folder / "page" / "run", "cpu"))
    with serving([model]) as host:
        while True:
            for argv in commands(folder / "round").values():
                assert done(argv) == 0, argv
            for _ in range(10):
                assert _dropped(host, picture) == 200
            shutil.rmtree(folder / "round")
            print(json.dumps(held(folder)), flush=True)


def _dropped(host: str, picture: bytes) -> int:
    """The status of the page's answer to one picture."""
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", "/score", picture)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def held(folder: Path) -> dict[str, float]:
    """What this process holds: resident MB, descriptors, threads; and the files and leftovers below the folder."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    names = [name for _, folders, files in os.walk(folder) for name in (*folders, *files)]
    return {
        "minutes": round(time.monotonic() / 60, 3),
        "MB": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 2),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": len(names),
        "leftovers": sum("lookalike-part" in name for name in names),
    }


def written(place: Path, target: str) -> str:
    """A hash of what a command wrote, without clocks: of models, scores and images."""
    path = place / target
    kept = [path] if path.is_file() else sorted(path.rglob("*.png"))
    return hashlib.sha256(b"".join(one.read_bytes() for one in kept if one.suffix != ".html")).hexdigest()


class Killed:
    """The commands in one folder, each killed at random moments until it is let end; and what went wrong."""

    def __init__(self, folder: Path) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(PRELOADED))
        self.place, self.draw, self.kills, self.bad = folder / "killed", random.Random(0), 0, list[str]()
        self.expected, self.seconds = dict[str, str](), dict[str, float]()
        whole = folder / "whole"
        for target, argv in commands(whole).items():
            began = time.monotonic()
            if self.end(argv) != 0:
                raise SystemExit(f"{argv} does not work")
            self.expected[target], self.seconds[target] = written(whole, target), time.monotonic() - began

    def end(self, argv: list[str], after: float | None = None) -> int | None:
        """The exit code of a command, killed after so many seconds: then -9."""
        child = self.context.Process(target=victim, args=(argv,))
        child.start()
        child.join(after)
        child.kill()
        child.join()
        return child.exitcode

    def round(self) -> None:
        """Each command: killed, repeated, and then with the bits of one that nobody killed, and no leftover."""
        for target, argv in commands(self.place).items():
            while not (done := self._once(target, argv)):
                pass
            if done != self.expected[target]:
                self.bad.append(f"{target}: {done}")
        left = [str(path.relative_to(self.place)) for path in self.place.rglob("*lookalike-part*")]
        self.bad += [f"left: {name}" for name in left]
        shutil.rmtree(self.place)

    def _once(self, target: str, argv: list[str]) -> str:
        """What a command wrote or failed with; nothing where it was killed."""
        if target == "made" and (self.place / target).exists():  # renamed before the kill came
            return written(self.place, target)
        after = self.draw.uniform(0, 1.5) * self.seconds[target]
        code = self.end(argv, after)
        if code == -9:
            self.kills += 1
            return ""
        return written(self.place, target) if code == 0 else f"exit code {code}"


def soak(minutes: int, folder: Path) -> dict[str, Any]:
    """Minutes of both; memory and descriptors that grow, a leftover, or another bit is bad."""
    lines = (folder / "rounds").open("w+")
    argv, until = [sys.executable, __file__, str(folder / "steady")], time.monotonic() + 60 * minutes
    with subprocess.Popen(argv, stdout=lines, stderr=subprocess.PIPE, text=True) as process:
        try:
            killed = Killed(folder)
            while time.monotonic() < until and process.poll() is None:
                killed.round()
            code = process.poll()
        finally:
            process.kill()
        said = process.stderr.read() if process.stderr else ""
    lines.seek(0)
    rounds = [json.loads(line) for line in lines if line.endswith("\n")]
    found = {"minutes": minutes, "rounds": len(rounds), "kills": killed.kills, "bad rounds": killed.bad[:20]}
    if code is not None:
        return found | {"ended": said[-2000:], "bad": 1}
    grown = growth(rounds, minutes)
    return found | grown | {"bad": len(killed.bad) + len(grown["grows"])}


def growth(rounds: list[dict[str, float]], minutes: float) -> dict[str, Any]:
    """What a steady process held at first and last, and how its memory grew an hour, after it was warm."""
    from scipy.stats import theilslopes

    warm = rounds[0]["minutes"] + min(WARM, minutes / 3)
    later = [one for one in rounds if one["minutes"] >= warm] or rounds
    third = max(1, len(later) // 3)
    slopes = [None] * 3
    if len(later) > FEW:
        slope, _, low, high = theilslopes([one["MB"] for one in later], [one["minutes"] / 60 for one in later], 0.95)
        slopes = [round(float(value), 2) for value in (slope, low, high)]
    grows = ["MB"] * bool(slopes[1] is not None and slopes[1] > FLAT)
    both = {
        name: [median(one[name] for one in part) for part in (later[:third], later[-third:])]
        for name in ("MB", "descriptors", "threads", "files")
    }
    grows += [name for name in ("descriptors", "threads", "files") if both[name][1] > both[name][0]]
    return {
        "first and last": both,
        "MB an hour": slopes,
        "leftovers": max(one["leftovers"] for one in rounds),
        "grows": grows + ["leftovers"] * any(one["leftovers"] for one in rounds),
    }


if __name__ == "__main__":
    steady(Path(sys.argv[1]))
