"""Steps of a GAN on mapped images beside steps on images in memory: images a CPU second of both, in turn.

    python benchmarks/mapped.py [--images N]

The images are those of benchmarks/beyond.py. Both trainings are in one process of one thread and take turns of five
steps, so that whatever else the machine does meets both. The goal: 90 % of the images a second.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch

from beyond import write
from lookalike.game.gan import GAN
from lookalike.game.source import Source
from lookalike.game.train import turn
from lookalike.runs import plan as plans
from lookalike.runs import reading
from lookalike.runs.settings import train_settings
from machine import save

GOAL, BATCH, TURNS, STEPS = 0.9, 64, 41, 5  # the first turn is not counted
KINDS = {"mapped": 0, "in memory": 1 << 60}  # the most bytes in memory


def made(data: Path, most: int) -> tuple[GAN, Source]:
    """A GAN and its images."""
    reading.in_memory = lambda: most
    known = tuple(map(str, range(10)))
    settings = train_settings(
        known=known, method="auto-gan", size="32,32", width=8, batch=BATCH, calibration=0.0, threads=1
    )
    plan = plans.make(data, settings)
    assert plan.recipe.method is not None
    return GAN(plan.recipe.method, plan.images.shape, classes=len(known)), plan.source()


def main() -> None:
    """Measures and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    n = parser.parse_args().images
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = name
        write(data := Path(name) / "digits.npz", n)
        sides = {kind: made(data, most) for kind, most in KINDS.items()}
        spent = dict.fromkeys(KINDS, 0.0)
        for number in range(TURNS):
            for kind, (gan, source) in sides.items():
                began = time.process_time()
                for step in range(STEPS):
                    turn(gan, source, number * STEPS + step, TURNS * STEPS, BATCH)
                spent[kind] += (time.process_time() - began) * bool(number)
    shown = BATCH * STEPS * (TURNS - 1)
    speeds = {f"{kind}, images a CPU second": round(shown / seconds) for kind, seconds in spent.items()}
    share = round(spent["in memory"] / spent["mapped"], 3)
    save("mapped", {"images": n, **speeds, "share": share, "goal share": GOAL})


if __name__ == "__main__":
    main()
