"""The goal figures of trust: kills, faults, flips, rivals, payloads, names, bombs and hours, as many as asked for.

`make trust` runs all of them in full, which takes hours; without `--full` the numbers are small. `--only NAME,...` runs
some, and `--missing` those that benchmarks/results/trust.json does not have at this scale: each part is stored when it
ends, with its own date, beside the others. Anything that is lost or not refused ends the command with exit code 1.
The tests of the suite hold the same checks, and this file uses their parts: it needs the folders tests, tests/base,
tests/runs and tests/report in PYTHONPATH, as the Makefile gives them. `GOALS` says what shows each goal.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import multiprocessing
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import test_checkpoint as saving
import test_files
import test_hostile
import test_kill
import torch
from made_run import Seen

import machine
from lookalike.base import checkpoint, files
from lookalike.base.errors import ModelError
from lookalike.detect.model import Model
from soak import soak

ROOT = Path(__file__).parents[1]
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
import numpy as np
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
    """Each byte of a small model changed, by one bit and by all, and 64 lengths: every such model is refused."""
    folder = _plain_run(folder)
    tried = cut = taken = 0
    for name in ("model.safetensors", "model.json"):
        data = (folder / name).read_bytes()
        places = range(len(data)) if n == 0 else sorted(random.Random(0).sample(range(len(data)), min(n, len(data))))
        for place in places:
            for mask in (0xFF, 1 << place % 8):
                (folder / name).write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
                tried += 1
                taken += not _refused(folder)
        for part in range(64):
            (folder / name).write_bytes(data[: len(data) * part // 64])
            cut += 1
            taken += not _refused(folder)
        (folder / name).write_bytes(data)
    return {"flips": tried, "cuts": cut, "taken": taken, "bad": taken}


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
    """Names that try to become code: in Chromium the report has the elements that it has with a plain name."""
    from lookalike.report import write

    run, browser = _plain_run(folder), shutil.which("chromium")
    config = json.loads((run / "config.json").read_text())

    def elements(name: str) -> list[tuple[str, tuple[str, ...]]]:
        given = config | {"classes": {"known": [name], "extra_fakes": [name]}, "command": name}
        (run / "config.json").write_text(json.dumps(given | {"settings": {name: name}, "versions": {name: name}}))
        page = write((run,), folder / "report.html")
        dom = _dom(browser, page, folder) if browser else page.read_text("utf-8")
        return [(tag, tuple(attributes)) for tag, attributes in Seen(dom).tags]

    plain = [elements("plain"), elements("a b=/a/plain")]  # the page says where paths are left out
    chosen = NAMES[:n] if n else NAMES
    changed = [name[:60] for name in chosen if elements(name) not in plain]
    return {"names": len(chosen), "chromium": bool(browser), "became elements": changed, "bad": len(changed)}


def _dom(browser: str, page: Path, folder: Path) -> str:
    """The page as Chromium has it when it is open; a script that ran, a dialog or a request would change it or hang."""
    argv = [browser, *test_hostile.FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()]
    return subprocess.run(argv, capture_output=True, timeout=90, check=True).stdout.decode("utf-8")


def _plain_run(folder: Path) -> Path:
    """A run of a quick baseline."""
    from lookalike.runs.run import run
    from lookalike.runs.settings import train_settings

    run("digits", train_settings(known=("3",), method="knn", size="4,4", threads=1), folder / "run")
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


def stops(n: int, folder: Path) -> dict[str, Any]:
    """SIGTERM and Ctrl-C in training: exit code 143 or 130 in 5 s, one line, and a checkpoint of the last step."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*test_kill.PRELOADED, "lookalike.faces.commands.detect"])
    draw, bad, slowest = random.Random(0), list[str](), 0.0
    for i in range(2 * n):
        number, code = ((signal.SIGTERM, 143), (signal.SIGINT, 130))[i % 2]
        out, error = folder / "run", folder / "error"
        child = context.Process(target=test_kill.command, args=(str(out), str(error)))
        child.start()
        while not (out / "metrics.jsonl").exists() and child.is_alive():
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        began = time.monotonic()
        os.kill(child.pid or 0, number)
        child.join()
        slowest = max(slowest, time.monotonic() - began)
        if child.exitcode != code or (wrong := _not_stopped(out, error)):
            bad.append(f"{i}: exit code {child.exitcode}, {wrong}")
        shutil.rmtree(out)
    return {"signals": 2 * n, "seconds at most": round(slowest, 2), "wrong": bad, "bad": len(bad) + (slowest > 5)}


def _not_stopped(out: Path, error: Path) -> str:
    """What a stopped training left that it must not leave."""
    lines = [line for line in error.read_text("utf-8").splitlines() if line.startswith("error: ")]
    _, facts = checkpoint.newest_checkpoint(out / "checkpoints", lines.append) or (None, {"step": -1})
    last = json.loads((out / "metrics.jsonl").read_text("ascii").splitlines()[-1])
    wrong = f"{len(lines)} lines; " * (len(lines) != 1) + "a part stays; " * any(out.rglob("*lookalike-part*"))
    return wrong + f"step {facts['step']} is saved of {last['step']}" * (facts["step"] != last["step"])


def repeats(n: int, folder: Path) -> dict[str, Any]:
    """One command, again, stopped at other steps, and scores in other blocks and orders: one hash of each."""
    from lookalike import read

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(test_kill.PRELOADED))
    found, changes = set(), test_kill.SETTINGS
    for i in range(5):
        if test_kill.finish(context, folder / str(i), "vtgan", changes) != 0:
            raise SystemExit("vtgan does not train")
        found.add(_digest(test_kill.bits(folder / str(i))))
    for call in range(10, 10 * (n + 1), 10):
        test_kill.finish(context, folder / f"stopped {call}", "vtgan", changes, call=call)
        test_kill.finish(context, folder / f"stopped {call}", "vtgan", changes)
        found.add(_digest(test_kill.bits(folder / f"stopped {call}")))
    model = Model.load(folder / "0")
    pixels = read("digits", size=model.size).pixels[:128]
    whole, order = model.score(pixels).score, np.random.default_rng(0).permutation(len(pixels))
    tried = [
        np.concatenate([model.score(pixels[i : i + k]).score for i in range(0, len(pixels), k)]) for k in (1, 7, 64)
    ]
    tried.append(model.score(pixels[order]).score[np.argsort(order)])
    other = sum(scores.tobytes() != whole.tobytes() for scores in tried)
    return {
        "trainings": 5 + n, "other bits": len(found) - 1, "blocks and orders": len(tried), "other scores": other,
        "bad": len(found) - 1 + other,
    }  # fmt: skip


def _digest(bits: dict[str, Any]) -> str:
    return json.dumps(bits, sort_keys=True)


def histories(n: int, folder: Path) -> dict[str, Any]:
    """Random histories of a run folder: trained, killed, damaged, scored, read on. None breaks what is promised."""
    import test_histories

    return test_histories.many(n, folder)


def suite(*tests: str) -> Callable[[int, Path], dict[str, Any]]:
    """A part that runs tests which have the full number already."""

    def run(_: int, folder: Path) -> dict[str, Any]:
        argv = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder / 'tests'}"]
        ended = subprocess.run([*argv, *tests], cwd=ROOT, capture_output=True, text=True, check=False)
        last = ended.stdout.strip().splitlines()[-1:]
        return {"tests": list(tests), "said": re.sub(r" in .*", "", last[0] if last else ""), "bad": ended.returncode}

    return run


@dataclass(frozen=True)
class Part:
    """One goal's check: what it runs, and how many of what it counts by default and for a release; 0 is all."""

    goal: str
    run: Callable[[int, Path], dict[str, Any]]
    small: int = 0
    full: int = 0


PARTS = {
    "bombs": Part("G-16", bombs),
    "payloads": Part("G-14", payloads),
    "eight processes at once": Part("G-12", rivals, 2, 50),
    "bytes flipped": Part("G-7", flips, 500),
    "reads while writing": Part("G-12", suite("tests/base/test_files.py::test_F12_a_reader_sees_old_or_new")),
    "corpus": Part("G-17", suite("tests/test_corpus.py")),
    "hostile names": Part("G-15", names, 6),
    "kills while saving": Part("G-2", saves, 20, 2000),
    "writers": Part("G-6", suite("tests/test_writers.py", "tests/base/test_files.py")),
    "scikit-learn's checks": Part("G-13", suite("tests/faces/test_estimators.py")),
    "faults at system calls": Part("G-3", calls, 9),
    "signals": Part("G-5", stops, 2, 100),
    "repeats": Part("G-10", repeats, 1, 10),
    "histories": Part("G-9", histories, 5, 200),
    "soak": Part("G-11", soak, 1, 120),
    "kills in training": Part("G-4", trainings, 4, 300),
}  # in the order of their time
GOALS = {f"G-{i}": [name for name, part in PARTS.items() if part.goal == f"G-{i}"] for i in range(1, 18)} | {
    "G-1": "`python tests/catalogue.py` writes docs/reliability.md, and `make test` runs the tests that it names",
    "G-8": "`make fuzz`: ten gates, ten minutes each; results in benchmarks/results/fuzz.json",
}


def there() -> dict[str, Any]:
    """The parts that were stored before."""
    path = machine.RESULTS / "trust.json"
    stored = json.loads(path.read_text("ascii"))["results"] if path.exists() else {}
    return {name: stored[name] for name in PARTS if name in stored}


def done(part: Part, n: int) -> dict[str, Any]:
    """What a part finds, with its number, date and minutes."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = part.run(n, Path(folder))
    minutes = round((time.monotonic() - began) / 60, 1)
    return {"goal": part.goal, "asked": n or "all", "date": machine.facts()["date"], "took minutes": minutes} | found


def main() -> int:
    """Runs the parts and stores each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="the numbers of a release, which take hours")
    parser.add_argument("--only", default=",".join(PARTS), help="some parts, by name")
    parser.add_argument("--missing", action="store_true", help="not what is stored already at this scale")
    parser.add_argument("--number", type=int, help="of what each part counts, in place of the usual number; 0 is all")
    parser.add_argument("--minutes", type=int, help="of the soak, in place of 1, or 120 with --full")
    given = parser.parse_args()
    torch.set_num_threads(1)
    bad = 0
    for name in given.only.split(","):
        part = PARTS[name]
        own = given.minutes if name == "soak" else given.number
        n = (part.full if given.full else part.small) if own is None else own
        if given.missing and there().get(name, {}).get("asked") == (n or "all"):
            continue
        found = done(part, n)
        bad += found["bad"]
        print(f"{name}: {found}", flush=True)
        machine.save("trust", there() | {name: found})
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
