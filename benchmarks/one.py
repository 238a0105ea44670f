"""What scoring one image costs, beside an image among 64: CPU milliseconds, with one thread.

    python benchmarks/one.py

Images go through networks in blocks of one size, so that an image's bits do not depend on the others: one image costs a
whole block. Networks see digits at 32 x 32; photographs.py measures `auto`. Medians of three.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from lookalike import fit
from lookalike.detect.baselines import rotation
from lookalike.detect.model import Model
from machine import save

MANY, TURNS = 64, 3
DIGITS: dict[str, dict[str, Any]] = {
    "knn": {},
    "rotation": {},
    "mcgan": {"images": 640, "extra_fakes": "8", "search_steps": 50, "size": "32,32"},
}


def cost(model: Model, pixels: np.ndarray) -> float:
    """CPU ms of scoring these images."""
    taken = []
    for _ in range(TURNS):
        began = time.process_time()
        model.score(pixels)
        taken.append(1000 * (time.process_time() - began))
    return median(taken)


def both(model: Model, pixels: np.ndarray) -> dict[str, float]:
    """The two figures of a model."""
    model.score(pixels[:1])  # what is made once
    return {
        "one image, CPU ms": round(cost(model, pixels[:1]), 1),
        "an image among 64, CPU ms": round(cost(model, pixels[:MANY]) / MANY, 1),
    }


def measured(out: Path) -> dict[str, dict[str, float]]:
    """The figures of all models, whose runs lie in a folder."""
    found, draw = dict[str, dict[str, float]](), np.random.default_rng(1)
    for method, more in DIGITS.items():
        model = fit("digits", known="3", method=method, false_alarms=0.5, threads=1, out=out / method, **more)
        found[method] = both(model, draw.integers(0, 256, (MANY, *model.shape), dtype=np.uint8))
        print(method, found[method], flush=True)
    return found


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(1)
    rotation.STEPS = 10  # what a score costs does not depend on how much was learnt
    with TemporaryDirectory() as name:
        save("one", measured(Path(name)))


if __name__ == "__main__":
    main()
