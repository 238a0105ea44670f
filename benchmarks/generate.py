"""10,000 images as PNGs: images per second against bare G(z) and against writing alone, and memory against 1,000.

    python benchmarks/generate.py

A GAN of ten classes at 32 px, preset small's network, on one thread. Bare: G of ready z in blocks, nothing else.
Writing: the same pictures encoded and written, nothing generated. Files lie in memory where the system has such a
folder: how long a disk takes to keep 10,000 files varies from run to run by more than all the rest. Goals: writing
takes less than half of the time, and ten times the images take at most 100 MB more.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lookalike import fit
from lookalike.base import files
from lookalike.detect.model import Model
from lookalike.runs.samples import png
from lookalike.use.generate import BLOCK, generators, write
from machine import save

EACH, CLASSES, TURNS = 1000, 10, 3
MEMORY = Path("/dev/shm")


def seconds(work: Callable[[int], object]) -> float:
    """The median over turns."""
    taken = []
    for turn in range(TURNS):
        began = time.perf_counter()
        work(turn)
        taken.append(time.perf_counter() - began)
    return median(taken)


def bare(model: Model) -> None:
    """G of ready z, block by block."""
    for one in generators(model).values():
        G, _ = one.gan.frozen(one.label)
        z = torch.randn(BLOCK, one.gan.method.latent.z_dim)
        with torch.no_grad():
            for _ in range(-(-EACH // BLOCK)):
                G(z)


def written(folder: Path, pictures: list[np.ndarray]) -> None:
    """The pictures as files of a folder."""
    with files.atomic_folder(folder) as part:
        for i, picture in enumerate(pictures):
            files.write_new(part / f"{i:06d}.png", png(picture))


def peak(run: Path, out: Path, each: int) -> float:
    """MB of peak resident memory while so many images of each class are made."""
    program = (
        "import sys; from lookalike.faces.cli import main; code = main(sys.argv[1:]);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "generate", str(run), "-o", str(out), "-n", str(each)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]) / 1024


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        known = tuple(str(digit) for digit in range(CLASSES))
        model = fit("mnist-5k", known=known, method="acgan", images=640, calibration=0.0, threads=1, out=folder / "run")
        counts = dict.fromkeys(known, EACH)
        whole = seconds(lambda turn: write(model, folder / f"out{turn}", counts))
        pictures = [
            image.transpose(1, 2, 0)
            for one in generators(model).values()
            for block in one.images(EACH, seed=0)
            for image in block
        ]
        alone = seconds(lambda turn: written(folder / f"alone{turn}", pictures))
        only = seconds(lambda _: bare(model))
        few, many = (peak(folder / "run", folder / f"peak{each}", each) for each in (EACH // 10, EACH))
    rate = EACH * CLASSES
    save(
        "generate",
        {
            "images per second": round(rate / whole),
            "bare G(z), images per second": round(rate / only),
            "writing alone, images per second": round(rate / alone),
            "share of the time that writing takes": round(alone / whole, 2),
            "goal share": 0.5,
            "MB above 1,000 images": round(many - few),
            "goal MB": 100,
        },
    )


if __name__ == "__main__":
    main()
