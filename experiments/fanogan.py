"""One pass of f-AnoGAN's encoder beside the latent search V(x), on the ten rows of vtgan-2021's table 1.

    python experiments/fanogan.py

Preset small (32 x 32, width 16), three seeds: f-anogan learns the known class of each row. Its test images, up to 300 a
side, are scored twice: by one pass of the encoder, and by V(x) of the same G and D. The mnist rows are mnist-5k's. The
figures go to experiments/results/fanogan.csv: the AUC of each score, and seconds an image on one thread. The trainings
stay in runs/fanogan, and the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from lines import mean, save

import lookalike
from lookalike.base import files
from lookalike.detect.auc import area
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.game.score import EncoderPass, LatentSearch, Score
from lookalike.studies.tables.vtgan import ROWS

DATA = {"mnist": "mnist-5k", "fashion-mnist": "fashion-mnist"}
SCORES: dict[str, Score] = {"encoder": EncoderPass(), "search": LatentSearch()}
SIDE = 300  # test images of each class
SEEDS = range(3)
FIGURES = ("encoder", "search", "encoder_s", "search_s")


def test_images(data: str, name: str, model: Model, folder: Path) -> np.ndarray:
    """Test images of a class, which the run has not used."""
    images = lookalike.read(DATA[data], size=model.size, channels=model.channels)
    unused = set(files.read_json(folder / "split.json", limit=1 << 30)["test"])
    rows = [i for i in np.flatnonzero(images.labels == images.classes.index(name)) if images.keys[i] in unused]
    return images.pixels[rows[:SIDE]]


def figures(data: str, known: str, unknown: str, seed: int) -> dict[str, float]:
    """AUC and seconds an image of both scores; from the file where it was measured before."""
    folder = Path("runs/fanogan") / files.safe_name(f"{data}-{known}") / f"seed-{seed}"
    done = folder.with_name(f"seed-{seed}-{files.safe_name(unknown)}.json")
    if done.exists():
        return json.loads(done.read_text())
    model = lookalike.fit(DATA[data], known=known, method="f-anogan", seed=seed, threads=1, out=folder)
    torch.set_num_threads(1)
    sides = [test_images(data, name, model, folder) for name in (known, unknown)]
    found: dict[str, float] = {}
    gan, search = model.detector.gan, model.detector.search
    for name, score in SCORES.items():
        gan.method = gan.method.but(score=score)
        began = time.perf_counter()
        said = [GANDetector(gan, search).score(side).score for side in sides]
        found |= {name: area(*said), f"{name}_s": (time.perf_counter() - began) / sum(map(len, sides))}
    files.write_json(done, found)
    return found


def main() -> None:
    """Measures every row with every seed and writes the table."""
    lines = []
    for seed in SEEDS:
        for row in ROWS:
            (known,) = row.known
            found = figures(row.dataset, known, row.unknown, seed)
            shown = {name: f"{found[name]:.4f}" for name in FIGURES}
            lines.append({"dataset": row.dataset, "known": known, "unknown": row.unknown, "seed": seed, **shown})
            print(lines[-1], flush=True)
    means = [
        {**{key: one[key] for key in ("dataset", "known", "unknown")}, "seed": "mean", **mean(mine, FIGURES)}
        for one in lines[: len(ROWS)]
        if (mine := [line for line in lines if line["known"] == one["known"] and line["unknown"] == one["unknown"]])
    ]
    every = {"dataset": "all", "known": "", "unknown": "", "seed": "mean", **mean(lines, FIGURES)}
    save("fanogan", [*lines, *means, every])


if __name__ == "__main__":
    main()
