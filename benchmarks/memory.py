"""Peak memory of scoring 20,000 images against scoring 500: goal at most 300 MB more.

    python benchmarks/memory.py

Each scores random 32 px images from an .npz through `lookalike score` in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from lookalike import fit
from machine import save

GOAL = 300


def scored(folder: Path, images: int) -> float:
    """MB of peak resident memory while `images` images are scored."""
    rng = np.random.default_rng(0)
    data = folder / f"{images}.npz"
    np.savez(data, images=rng.integers(0, 256, (images, 32, 32), dtype=np.uint8))
    # on Linux ru_maxrss would begin at this process's own peak
    program = (
        "import sys; from lookalike.faces.cli import main; code = main(sys.argv[1:]);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, "score", str(folder / "run"), str(data), "-o", str(folder / "s.csv")]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]) / 1024


def main() -> None:
    """Measures and saves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fit("digits", known="3", method="anogan", images=640, search_steps=3, out=folder / "run")
        few, many = (scored(folder, images) for images in (500, 20_000))
    save(
        "memory",
        {"MB above 500 images": round(many - few), "goal MB": GOAL, "500 MB": round(few), "20000 MB": round(many)},
    )


if __name__ == "__main__":
    main()
