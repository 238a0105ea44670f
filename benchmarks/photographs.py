"""Seconds and memory of `auto` on photographs, beside bare passes of the same network.

    python benchmarks/photographs.py

Made photographs, smooth noise in colour: 600 of 224 x 224 pixels and 150 of 640 x 640 train, 60 and 20 others are
scored. Each size in a process of its own, with two threads. Goals for 224 pixels: at most 90 s to train, 80 ms to score
an image, 1.2 GB. For 640: at most 400 ms to score one. Reading features may take 1.15 times as long as a bare loop:
resize, one pass of the network, nothing else, on the same images at the same sizes. Takes about five minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lookalike.base.arrays import Pixels
from lookalike.detect.baselines.features import AUTO
from lookalike.detect.seen import by_view, seen
from lookalike.features.backbone import layers
from lookalike.features.efficientnet import LITE0
from lookalike.features.views import block_size, seen_size
from machine import save

SIZES = {224: (600, 60), 640: (150, 20)}  # side -> images that train, images that are scored
THREADS = 2
GOALS = {"224: seconds to train": 90, "224: ms to score": 80, "224: MB": 1200, "640: ms to score": 400}
GOAL_OF_LOOP = 1.15


def photographs(n: int, side: int, seed: int) -> Pixels:
    """(n, 3, side, side) uint8 of smooth noise."""
    draw, made = torch.Generator().manual_seed(seed), np.empty((n, 3, side, side), np.uint8)
    for image in made:  # one by one, for memory
        parts = (torch.rand(1, 3, side // step, side // step, generator=draw) for step in (16, 2))
        coarse, fine = (interpolate(part, size=(side, side), mode="bilinear")[0] for part in parts)
        image[:] = (255 * (0.7 * coarse + 0.3 * fine)).to(torch.uint8).numpy()
    return made


def peak() -> float:
    """MB of peak resident memory of this process."""
    with Path("/proc/self/status").open() as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


def bare(pixels: Pixels) -> None:
    """Resize and one pass of the network up to the last layer that is read, at each size that `auto` looks at."""
    shape = pixels.shape[1:]
    for mine in by_view(AUTO.members(shape)):
        size, block = seen_size(LITE0, shape, mine[0].side), block_size(LITE0, shape, mine[0].side)
        last = [tap for tap in layers(LITE0) if any(tap.name in member.taps for member in mine)][-1:]
        for start in range(0, len(pixels), block):
            x: Tensor = torch.from_numpy(pixels[start : start + block]).float()
            LITE0.maps(interpolate(x, size=size, mode="bilinear", antialias=True), last)


def read(pixels: Pixels) -> None:
    """The features that `auto` reads."""
    for mine in by_view(AUTO.members(pixels.shape[1:])):
        for _ in seen(LITE0, pixels, mine, lambda n: None):
            pass


def seconds_of(work: object, pixels: Pixels) -> float:
    """The least of three."""
    found = []
    for _ in range(3):
        began = time.monotonic()
        work(pixels)  # type: ignore[operator]
        found.append(time.monotonic() - began)
    return min(found)


def measured(side: int) -> dict[str, float]:
    """The figures of one size, in this process."""
    torch.set_num_threads(THREADS)
    train, new = (photographs(n, side, seed) for seed, n in enumerate(SIZES[side]))
    LITE0.maps(torch.zeros(1, 3, 64, 64), LITE0.taps)  # the weights are loaded once
    began = time.monotonic()
    detector = AUTO.fit(train, 0)
    trained = time.monotonic() - began
    scored = seconds_of(detector.score, new) / len(new)
    memory = peak()
    loop, features = seconds_of(bare, new), seconds_of(read, new)
    return {
        "seconds to train": round(trained, 1), "ms to score": round(1000 * scored, 1), "MB": round(memory),
        "features / bare loop": round(features / loop, 3),
    }  # fmt: skip


def main() -> None:
    """Measures each size in a process of its own, and saves."""
    if len(sys.argv) > 1:
        print(json.dumps(measured(int(sys.argv[1]))))
        return
    found = {}
    for side in SIZES:
        command = [sys.executable, __file__, str(side)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found |= {f"{side}: {name}": value for name, value in said.items()}
    goals = {f"goal of {name}": goal for name, goal in GOALS.items()}
    save("photographs", {**found, **goals, "goal of features / bare loop": GOAL_OF_LOOP})


if __name__ == "__main__":
    main()
