"""The goal figures of trust: kills, faults, flips, rivals, payloads, names and bombs, in as large numbers as asked for.

`make trust` runs all of them in full, which takes hours; without `--full` the numbers are small, and `--only NAME,...`
runs some. The tests of the suite hold the same checks, and this file uses their parts: it needs the folders tests,
tests/base and tests/runs in PYTHONPATH, as the Makefile gives them. Anything that is lost or not refused ends the
command with exit code 1. Results, with their numbers and the date: benchmarks/results/trust.json.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import multiprocessing
import pickle
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import test_checkpoint as saving
import test_files
import test_kill
import torch
from made_run import Seen

import machine
from lookalike.base import checkpoint, files
from lookalike.base.errors import ModelError

SMALL = {"saves": 20, "trainings": 4, "bytes": 500, "rounds": 2, "calls": 9, "names": 12}
FULL = {"saves": 2000, "trainings": 300, "bytes": 0, "rounds": 50, "calls": 0, "names": 0}  # 0: all there are
METHODS = {
    "vtgan": {}, "mcgan": {}, "acgan": {"known": ("3", "8")}, "f-anogan": {},
    "splitting": {"known": ("3", "8"), "split_at": (384,)},
}  # fmt: skip
ERRORS = ("ENOSPC", "EIO", "EACCES")
CALLS = ("openat", "write", "fsync", "rename", "flock", "fstat", "newfstatat", "unlink", "ftruncate")


def saves(n: int, folder: Path) -> dict[str, Any]:
    """SIGKILL while a checkpoint is saved: every checkpoint can be read, and the newest was acknowledged last."""
    moments, step, lost = random.Random(0), 0, 0
    for _ in range(n):
        told = saving.killed_saver(folder, step, moments.uniform(0, 0.02))
        got, facts = checkpoint.newest_checkpoint(folder, lambda _: None)
        step = facts["images"]
        lost += step not in (told, told + 1) or got["G.weight"].unique().tolist() != [float(step)]
    return {"kills": n, "lost": lost, "bad": lost}


def trainings(n: int, folder: Path) -> dict[str, Any]:
    """SIGKILL in training: the run that goes on ends in the bits of one that nobody killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(test_kill.PRELOADED))
    moments, kills, differ = random.Random(0), dict.fromkeys(METHODS, 0), 0
    for method, own in METHODS.items():
        changes = test_kill.SETTINGS | own
        began = time.monotonic()
        if test_kill.finish(context, folder / method, method, changes) != 0:
            raise SystemExit(f"{method} does not train")
        seconds, expected = time.monotonic() - began, test_kill.bits(folder / method)
        tries = 0
        while kills[method] * len(METHODS) < n and tries < 10 * n:
            out, code = folder / "killed", -9
            for _ in range(4):
                code = test_kill.finish(context, out, method, changes, after=moments.uniform(0.05, 1) * seconds)
                kills[method] += code == -9 and (out / "config.json").exists()
                tries += 1
            if code != 0:
                test_kill.finish(context, out, method, changes)
            differ += test_kill.bits(out) != expected
            shutil.rmtree(out)
    return {"kills": kills, "other bits": differ, "bad": differ}


SAVER = """
import os, sys
from pathlib import Path
import test_checkpoint as saving
folder, step = Path(sys.argv[1]), 2
print("ready", flush=True)
for line in sys.stdin:
    step += 1
    try:
        saving.save_step(folder, step)
        print("saved", flush=True)
    except BaseException as error:
        print(type(error).__name__, flush=True)
"""


class Traced:
    """A process that saves a checkpoint when it is told to, with strace attached from then on."""

    def __init__(self, folder: Path) -> None:
        argv = [sys.executable, "-c", SAVER, str(folder)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to, self.of = self.process.stdin, self.process.stdout
        self.of.readline()  # it is ready

    def save(self, *inject: str) -> tuple[str, str]:
        """What a save ends with, and the lines of strace."""
        with tempfile.NamedTemporaryFile("r") as log:
            asked = [f"-e{part}" for part in (f"trace={','.join(CALLS)}", *inject)]
            tracer = subprocess.Popen(
                ["strace", "-qq", "-o", log.name, *asked, "-p", str(self.process.pid)], stderr=subprocess.DEVNULL
            )
            until = time.monotonic() + 10
            while b"TracerPid:\t0" in Path(f"/proc/{self.process.pid}/status").read_bytes():
                if time.monotonic() > until:
                    raise SystemExit("strace cannot be attached here")
                time.sleep(0.005)
            self.to.write("go\n")
            self.to.flush()
            said = self.of.readline().strip()
            tracer.terminate()
            tracer.wait()
            return said, log.read()

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.communicate()


def calls(n: int, folder: Path) -> dict[str, Any]:
    """A fault at each system call of a save: SIGKILL, a full disk, an I/O error, no permission. Nothing is lost."""
    if not shutil.which("strace"):
        return {"faults": 0, "left out": "strace is not installed", "bad": 0}
    counted = _calls_of_a_save(folder / "count")
    points = [
        (name, i, fault) for name, times in counted.items() for i in range(1, times + 1) for fault in ("KILL", *ERRORS)
    ]
    chosen = points if n == 0 else random.Random(0).sample(points, min(n, len(points)))
    lost = [
        f"{name} {i} {fault}"
        for name, i, fault in chosen
        if not _survives(folder / f"{name}-{i}-{fault}", name, i, fault)
    ]
    return {"calls of a save": counted, "faults": len(chosen), "lost": lost, "bad": len(lost)}


def _two_saved(folder: Path) -> Path:
    folder.mkdir()
    for step in (1, 2):
        saving.save_step(folder, step)
    return folder


def _calls_of_a_save(folder: Path) -> dict[str, int]:
    """How often a save makes each system call."""
    traced = Traced(_two_saved(folder))
    traced.save()  # the first one imports what is left
    _, log = traced.save()
    traced.end()
    names = re.findall(r"^(\w+)\(", log, re.MULTILINE)
    return {name: names.count(name) for name in CALLS if name in names}


def _survives(folder: Path, call: str, at: int, fault: str) -> bool:
    """Whether a save with a fault at a call leaves a newest checkpoint that is whole, and no part that stays."""
    traced = Traced(_two_saved(folder))
    traced.save()
    fault = "signal=KILL" if fault == "KILL" else f"error={fault}"
    said, _ = traced.save(f"inject={call}:{fault}:when={at}")
    traced.end()
    warnings: list[str] = []
    _, facts = checkpoint.newest_checkpoint(folder, warnings.append) or (None, {"images": 0})
    with files.lock(folder):
        clean = not list(folder.glob("*lookalike-part*"))
    least = 4 if said == "saved" else 3
    shutil.rmtree(folder)
    return facts["images"] >= least and not warnings and clean


def flips(n: int, folder: Path) -> dict[str, Any]:
    """Each byte of a small model changed, by one bit and by all: every such model is refused."""
    checkpoint.save_model(folder, saving.tensors(), saving.FACTS)
    tried = taken = 0
    for name in ("model.safetensors", "model.json"):
        data = (folder / name).read_bytes()
        places = range(len(data)) if n == 0 else sorted(random.Random(0).sample(range(len(data)), min(n, len(data))))
        for place in places:
            for mask in (0xFF, 1 << place % 8):
                (folder / name).write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
                tried += 1
                taken += not _refused(folder)
        (folder / name).write_bytes(data)
    return {"flips": tried, "taken": taken, "bad": taken}


def _refused(folder: Path) -> bool:
    try:
        checkpoint.load_model(folder)
    except ModelError:
        return True
    return False


def rivals(n: int, folder: Path) -> dict[str, Any]:
    """Eight processes that start together on one folder: one wins, and the others leave with exit code 8."""
    wrong = 0
    for _ in range(n):
        running = [test_files.python(test_files.LOCK, folder) for _ in range(8)]
        said = [process.stdout.readline() for process in running]
        winner = running[said.index("won\n")] if "won\n" in said else running[0]
        codes = [process.wait(60) for process in running if process is not winner]
        winner.kill()  # no lock stays
        for process in running:
            process.communicate()
        wrong += said.count("won\n") != 1 or codes != [8] * 7
    return {"rounds": n, "wrong": wrong, "bad": wrong}


def payloads(_: int, folder: Path) -> dict[str, Any]:
    """Pickles of every protocol in many wrappings, under each name of a model: none is loaded, and none runs."""
    marker = folder / "ran"
    evil = saving.Evil(marker)
    made = dict(saving.payloads(marker))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        plain = pickle.dumps(evil, protocol)
        wrapped = {"raw": plain, "gzip": gzip.compress(plain), "bz2": bz2.compress(plain), "xz": lzma.compress(plain)}
        for kind, data in wrapped.items() if protocol in (0, 2, 4) else [("raw", plain)]:
            made[f"{kind}, protocol {protocol}"] = data
        for inner in ("data.pkl", "archive/data.pkl"):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr(inner, plain)
            made[f"zip with {inner}, protocol {protocol}"] = buffer.getvalue()
    taken = []
    for kind, data in made.items():
        given = (("model.safetensors", data), ("model.safetensors", saving.forged("", data)), ("model.json", data))
        for name, content in given:
            place = folder / str(len(taken)) / kind.replace("/", "-")
            place.mkdir(parents=True, exist_ok=True)
            checkpoint.save_model(place, saving.tensors(), saving.FACTS)
            (place / name).write_bytes(content)
            if not _refused(place):
                taken.append(f"{kind} as {name}")
    ran = marker.exists()
    return {"payloads": len(made), "tried": 3 * len(made), "taken": taken, "ran": ran, "bad": len(taken) + ran}


NAMES = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "javascript:alert(1)"),
    *("{{7*7}}", "{% raise %}", "${7*7}", "</style><b>", "</title><b>", "--><b>", "]]><b>", "&lt;b&gt;", "<!--"),
    *("' onmouseover='x", "` onload=`x", "<![CDATA[", "\u2028<b>", "\x1b[31m<b>", "\udcff<b>", "<b\n>"),
    *("<B onclick=x>", "<a href=//x>", "<base href=//x>", "<iframe src=//x>", "<object data=//x>"),
    *("<link rel=stylesheet href=//x>", "<meta http-equiv=refresh content=0>", "<form action=//x>"),
    *("<math><mi xlink:href=//x>", "<details open ontoggle=x>", "<i>" + "x" * 4096),
)


def names(n: int, folder: Path) -> dict[str, Any]:
    """Names that try to become code: the report has the same elements and attributes as with a plain name."""
    from lookalike.report import write

    run = _plain_run(folder)
    config = json.loads((run / "config.json").read_text())

    def elements(name: str) -> list[tuple[str, tuple[str, ...]]]:
        given = config | {"classes": {"known": [name], "extra_fakes": [name]}, "command": name}
        (run / "config.json").write_text(json.dumps(given | {"settings": {name: name}, "versions": {name: name}}))
        page = write((run,), folder / "report.html").read_text("utf-8")
        return [(tag, tuple(attributes)) for tag, attributes in Seen(page).tags]

    plain = elements("plain")
    chosen = NAMES[:n] if n else NAMES
    changed = [name[:60] for name in chosen if elements(name) != plain]
    return {"names": len(chosen), "became elements": changed, "bad": len(changed)}


def _plain_run(folder: Path) -> Path:
    """A run of a quick baseline."""
    from lookalike.runs.run import run
    from lookalike.runs.settings import train_settings

    run("digits", train_settings(known=("3",), method="knn", size="8,8", threads=1), folder / "run")
    return folder / "run"


def bombs(_: int, folder: Path) -> dict[str, Any]:
    """Headers that claim huge images: each is refused before it is decoded, with little memory."""
    import tracemalloc

    from lookalike.data import gate
    from lookalike.data.source import Refused

    taken, most, slowest = [], 0, 0.0
    for kind, data in _headers().items():
        path = folder / "bomb.png"
        path.write_bytes(data)
        tracemalloc.start()
        began = time.process_time()
        try:
            gate.decode(path)
            taken.append(kind)
        except Refused:
            pass
        slowest, most = max(slowest, time.process_time() - began), max(most, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    large = most > 50e6
    return {
        "bombs": len(_headers()), "taken": taken, "seconds at most": round(slowest, 3),
        "MB at most": round(most / 1e6, 1), "bad": len(taken) + large,
    }  # fmt: skip


def _headers() -> dict[str, bytes]:
    """Files whose headers claim more pixels than are allowed."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    found = {}
    body = zlib.compress(bytes(1 << 20))
    for width, height in (
        (5_001, 5_000),
        (13_300, 13_300),
        (20_000, 20_000),
        (65_535, 65_535),
        (1, 2**31 - 1),
        (2**31 - 1, 1),
    ):
        for mode in (0, 2, 6):
            head = struct.pack(">IIBBBBB", width, height, 8, mode, 0, 0, 0)
            png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
            found[f"PNG {width} x {height}, mode {mode}"] = png
        if max(width, height) < 65_536:
            found[f"GIF {width} x {height}"] = (
                b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0"
                + struct.pack("<HH", width, height) + b"\0\x02\x02D\x01\0;"
            )  # fmt: skip
        found[f"BMP {width} x {height}"] = b"BM" + struct.pack(
            "<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, *[0] * 6
        )
    return found


GOALS: dict[str, tuple[Callable[[int, Path], dict[str, Any]], str]] = {
    "kills while saving": (saves, "saves"),
    "kills in training": (trainings, "trainings"),
    "faults at system calls": (calls, "calls"),
    "bytes flipped": (flips, "bytes"),
    "eight processes at once": (rivals, "rounds"),
    "payloads": (payloads, "names"),
    "hostile names": (names, "names"),
    "bombs": (bombs, "names"),
}


def main() -> int:
    """Runs the goals and stores what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="the numbers of a release, which take hours")
    parser.add_argument("--only", default=",".join(GOALS), help="some goals, by name")
    for name, value in SMALL.items():
        parser.add_argument(f"--{name}", type=int, help=f"{value}, or {FULL[name] or 'all'} with --full")
    given = parser.parse_args()
    scale = {
        name: value if (one := getattr(given, name)) is None else one
        for name, value in (FULL if given.full else SMALL).items()
    }
    torch.set_num_threads(1)
    results: dict[str, Any] = {"scale": scale}
    for name in given.only.split(","):
        goal, counted = GOALS[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = goal(scale[counted], Path(folder))
        results[name] = found | {"minutes": round((time.monotonic() - began) / 60, 1)}
        print(f"{name}: {found}", flush=True)
    print(machine.save("trust", results))
    return int(any(found["bad"] for found in results.values() if "bad" in found))


if __name__ == "__main__":
    raise SystemExit(main())
