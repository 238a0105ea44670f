"""How `auto` was chosen: its votes alone and together, on training images of classes that no table pairs.

    python tables/auto_study.py

Each known class against every other class but those that a paper's table pairs it with; the three other classes that
are hardest for the mean of the single detectors count. The official test images are never read. The figures go to
tables/results/auto-study.csv: a line per pair, and the means. Members of `auto` are as it trains them.
"""

from __future__ import annotations

import csv
import multiprocessing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lookalike.baselines import BASELINES
from lookalike.baselines.auto import Auto
from lookalike.data import Images, read
from lookalike.metrics.auc import area
from lookalike.use.score import Floats, Scores

KNOWN = {
    "fashion-mnist": ("Ankle boot", "Coat", "Shirt", "Pullover", "Sandal", "Sneaker"),
    "mnist-5k": ("3", "8", "7", "9", "5", "4"),
}
PAIRED = (  # in a paper's table: never looked at here
    {"Ankle boot", "Sandal"}, {"Coat", "Shirt"}, {"Coat", "Pullover"}, {"3", "8"}, {"7", "9"}, {"9", "4"},
)  # fmt: skip
OTHERS = ("pca", "iforest-pca", "mahalanobis")  # besides the members of auto
HARDEST, MOST = 3, 300  # other classes per known class, images of each
SHARE = 0.8  # of the known class's training images are trained on
Rows = npt.NDArray[np.int64]


def rows_of(images: Images, name: str) -> Rows:
    """Training images of a class, in a seeded order."""
    rows = np.flatnonzero((images.labels == images.classes.index(name)) & ~np.asarray(images.test))
    return np.asarray(np.random.default_rng(0).permutation(rows))


def votes(said: Scores, name: str) -> dict[str, Floats]:
    """The score, and the parts that `auto` and `rotation` have."""
    return {name: said.score} | {f"{name}: {part}": values for part, values in said.parts.items()}


def one_class(job: tuple[str, str]) -> list[dict[str, str | float]]:
    """All detectors on one known class: AUC of each vote against the hardest other classes."""
    data, known = job
    torch.set_num_threads(1)
    images = read(data, size=(32, 32))
    mine = rows_of(images, known)
    train, held = np.split(mine, [int(SHARE * len(mine))])
    others = [name for name in images.classes if name != known and {name, known} not in PAIRED]
    auto = Auto.fit(images.pixels[train], 0)
    detectors = {"auto": auto, **auto.members} | {m: BASELINES[m].fit(images.pixels[train], 0) for m in OTHERS}
    aucs: dict[str, dict[str, float]] = {name: {} for name in others}
    for method, detector in detectors.items():
        seen = votes(detector.score(images.pixels[held[:MOST]]), method)
        for other in others:
            said = votes(detector.score(images.pixels[rows_of(images, other)[:MOST]]), method)
            aucs[other] |= {vote: area(seen[vote], said[vote]) for vote in said}
    single = [method for method in detectors if method != "auto"]
    hardest = sorted(others, key=lambda other: sum(aucs[other][method] for method in single))[:HARDEST]
    print(f"{data}: {known} against {', '.join(hardest)}", flush=True)
    return [{"data": data, "known": known, "unknown": other, **aucs[other]} for other in hardest]


def main() -> None:
    """Measures two classes at a time and writes the table."""
    jobs = [(data, known) for data, names in KNOWN.items() for known in names]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        lines = [line for found in pool.map(one_class, jobs, chunksize=1) for line in found]
    names = [name for name in lines[0] if name not in ("data", "known", "unknown")]
    for data in (*KNOWN, "both"):
        of = [line for line in lines if data in (line["data"], "both") and line["known"] != "mean"]
        lines.append(
            {
                "data": data,
                "known": "mean",
                "unknown": "",
                **{n: float(np.mean([line[n] for line in of])) for n in names},
            }
        )
    with (Path(__file__).parent / "results" / "auto-study.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in line.items()} for line in lines])


if __name__ == "__main__":
    main()
