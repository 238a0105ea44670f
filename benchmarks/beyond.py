"""Training on more images than memory should hold: a file that is read once and mapped, beside images in memory.

    python benchmarks/beyond.py [--images N]

The images are scikit-learn's digits, moved at random and enlarged to 32 x 32, one million of them. Each training is a
process of its own, with one thread. Memory is the process's own (RssAnon): pages of the mapped file are the system's
cache, which it takes back where others need memory. The goals: 1 GB above the start, and 90 % of the images a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from machine import save

GOAL_MB, GOAL_SHARE = 1000, 0.9
BLOCK = 10_000  # images that are made at one time
STEPS, BATCH = 300, 64
PROGRAM = """
import sys, threading, time
from lookalike.faces.cli import main
from lookalike.runs import reading
import lookalike.runs.run, lookalike.use.scorefile

def own():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024

def watch():
    while True:
        peak[0] = max(peak[0], own())
        time.sleep(0.02)

most = int(sys.argv[1])
reading.in_memory = lambda: most
start, peak = own(), [0.0]
threading.Thread(target=watch, daemon=True).start()
code = main(sys.argv[2:])
print(f"{peak[0] - start:.0f}")
sys.exit(code)
"""


def write(path: Path, n: int) -> None:
    """An .npz file of n digits (32, 32) with their classes."""
    digits, rng = load_digits(), np.random.default_rng(0)
    large = np.kron(digits.images * 15, np.ones((4, 4))).astype(np.uint8)
    images, labels = np.empty((n, 32, 32), np.uint8), np.empty(n, np.int64)
    for i in range(0, n, BLOCK):
        rows = rng.integers(0, len(large), min(BLOCK, n - i))
        moved = [np.roll(large[row], rng.integers(-8, 9, 2), (0, 1)) for row in rows]
        images[i : i + len(rows)] = np.stack(moved) ^ rng.integers(0, 4, (len(rows), 1, 1), dtype=np.uint8)
        labels[i : i + len(rows)] = digits.target[rows]
    np.savez(path, images=images, labels=labels)


def run(folder: Path, most: int, *command: str) -> tuple[float, float]:
    """MB of its own above the start, and seconds, of a command."""
    began = time.perf_counter()
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(most), *command],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(done.stdout.split()[-1]), time.perf_counter() - began


def trained(folder: Path, data: Path, name: str, most: int) -> dict[str, float]:
    """The figures of a training: MB, seconds in all, and images a second of its steps."""
    known = ",".join(map(str, range(10)))
    size = ("--size", "32,32", "--width", "8", "--batch", str(BATCH), "--images", str(BATCH * STEPS))
    rest = ("--calibration", "0", "--threads", "1", "--sample-every", str(BATCH * STEPS))
    out = folder / name
    mb, seconds = run(
        folder, most, "train", str(data), "--known", known, "--method", "auto-gan", *size, *rest, "-o", str(out)
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    first, last = lines[len(lines) // 10], lines[-2]
    speed = (last["images"] - first["images"]) / (last["seconds"] - first["seconds"])
    return {"MB": mb, "seconds": round(seconds), "images a second": round(speed)}


def main() -> None:
    """Measures and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    n = parser.parse_args().images
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(data := folder / "digits.npz", n)
        results: dict[str, object] = {"images": n, "goal MB": GOAL_MB, "goal share": GOAL_SHARE}
        for kind, most in (("first read", 0), ("mapped", 0), ("in memory", 1 << 60)):
            results[kind] = trained(folder, data, kind.replace(" ", "-"), most)
            print(kind, results[kind], flush=True)
    save("beyond", results)


if __name__ == "__main__":
    main()
