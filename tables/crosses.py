"""Crosses that nobody published: foils under other games, splitting inside K + 1. For detection, and for quality.

    python tables/crosses.py

Foils: mcgan (images of the look-alike as fakes), vtgan (a weak twin's) and anogan (none), each with the minimax game,
the hinge game, and the critic's game with its gradient penalty (five steps of D). On three pairs of look-alikes: AUC
of the known class's test images against the look-alike's, and KID of 1,000 generated images against the known class's
test images.

Splitting: k-plus-one and mode on all of Fashion-MNIST, as they are and with classes that are split after 16 % of the
images; anogan's network and game, without spectral norm. Accuracy of D's classes on test images, KID of 1,000 images.

Preset small, features of the cnn baseline, every class's threshold left out. The figures go to
tables/results/crosses.csv and crosses-splitting.csv; the trainings stay in runs/crosses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lines import mean, save

import lookalike
from lookalike.data import Images, read, scaled
from lookalike.jobs import UNSEEN, Job, found, perform
from lookalike.metrics.auc import area
from lookalike.model import Model
from lookalike.streams import Batch
from lookalike.use.generate import generators
from lookalike.use.measure import generated, measure

RUNS = Path("runs/crosses")
SEEDS = range(2)
PAIRS = (("mnist-5k", "3", "8"), ("fashion-mnist", "Coat", "Shirt"), ("fashion-mnist", "Sandal", "Ankle boot"))
FOILS = ("anogan", "mcgan", "vtgan")
GAMES: Mapping[str, Mapping[str, Any]] = {
    "minimax": {},
    "hinge": {"loss": "hinge"},
    "critic": {"loss": "wasserstein", "penalty": 10.0, "d_steps": 5, "beta1": 0.0},
}
SORTERS = ("k-plus-one", "mode")
PLAIN = {
    "net": "anogan", "spectral": False, "beta1": 0.5, "lr": 1e-3, "d_lr": 5e-4, "width": 16, "calibration": 0.0,
    "threads": 1,
}  # fmt: skip
IMAGES, SPLIT = 150_000, 23_430
MADE, BLOCK = 1000, 500


def kid(model: Model, real: Images, data: str, seed: int) -> float:
    """Of images that the model makes against unseen ones of its classes."""
    made = generated(model, MADE // len(generators(model)), seed)
    return next(f.value for f in measure(made, real, data, seed=0).figures if f.name == "KID") or 0.0


def foil(data: str, known: str, unknown: str, method: str, game: str, seed: int) -> dict[str, str | int]:
    """One detector: AUC and KID."""
    against = (unknown,) if method == "mcgan" else ()
    job = Job(data, (known,), method, seed, against, unseen=(known, unknown), settings=tuple(GAMES[game].items()))
    perform(job, RUNS)
    own, other = (found(job, RUNS, name, UNSEEN).score for name in (known, unknown))
    model = Model.load(job.folder(RUNS))
    far = kid(model, read(data, size=model.size), data, seed)
    line = {"data": data, "known": known, "unknown": unknown, "method": method, "game": game, "seed": seed}
    print(line, area(own, other), far, flush=True)
    return line | {"auc": f"{area(own, other):.3f}", "kid": f"{far:.3f}"}


def sorter(images: Images, method: str, seed: int, *, split: bool) -> dict[str, str | int]:
    """One K + 1 GAN, whole or split: accuracy of D's classes, and KID."""
    name = f"{method}{' split' if split else ''}"
    more = {"split_at": (SPLIT,)} if split else {}
    how = PLAIN | more | {"method": method, "images": IMAGES, "seed": seed, "size": "32,32"}
    model = lookalike.fit("fashion-mnist", known=images.classes, out=RUNS / f"{name}-{seed}", **how)
    gan = next(iter(generators(model).values())).gan
    tests = np.flatnonzero(np.asarray(images.test))
    gan.D.eval()
    x = torch.from_numpy(scaled(images.pixels[tests])).split(BLOCK)
    with torch.no_grad():
        says = [gan.D(Batch(block, None, None, None)).classes for block in x]
    shares = torch.cat([one for one in says if one is not None]).softmax(1).numpy()
    said = sums(shares, np.array([path[0] for path in gan.tree.paths]))
    right = float((said.argmax(1) == images.labels[tests]).mean())
    far = kid(model, images, "fashion-mnist", seed)
    print(name, seed, gan.classes, right, far, flush=True)
    return {"method": name, "seed": seed, "classes": gan.classes, "accuracy": f"{right:.3f}", "kid": f"{far:.3f}"}


def sums(shares: np.ndarray[Any, Any], roots: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N, leaves) -> (N, K): what sub-classes have goes to their class."""
    return np.stack([shares[:, roots == k].sum(1) for k in range(roots.max() + 1)], 1)


def main() -> None:
    """Measures every cross with every seed and writes both tables."""
    lines = []
    for pair in PAIRS:
        for method in FOILS:
            for game in GAMES:
                mine = [foil(*pair, method, game, seed) for seed in SEEDS]
                lines += [*mine, {**mine[0], "seed": "mean", **mean(mine, ("auc", "kid"))}]
                save("crosses", lines)
    images, lines = read("fashion-mnist", size=(32, 32)), []
    for method in SORTERS:
        for split in (False, True):
            mine = [sorter(images, method, seed, split=split) for seed in SEEDS]
            lines += [*mine, {**mine[0], "seed": "mean", **mean(mine, ("accuracy", "kid"))}]
    save("crosses-splitting", lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
