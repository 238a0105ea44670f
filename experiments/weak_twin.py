"""What of the weak twin does anything? AUC by how it is weakened, beside other extra fakes, on rows of vtgan-2021.

    python experiments/weak_twin.py
    python experiments/weak_twin.py --mnist FOLDER --rows 8/3 --rows 3/8
    python experiments/weak_twin.py --larger

Preset small, three seeds, all test images of a row's classes. The twin of vtgan has (i) a longer z, (ii) one layer and
(iii) a larger stride and pools (section 3.1.1); here also each alone, and none: a twin that is as strong as the GAN.
(iii) alone keeps the sides: stride 4 with a max-pooling of 2 behind it in G, and 4 in D. Beside them stand anogan, also
with the networks of DCGAN as published (section 4.2, ii), and noisegan with Gaussian noise and with salt and pepper.

The figures go to experiments/results/weak_twin.csv after each seed: the AUC of each row, way and seed, and of each way
the mean difference from anogan over the rows, with Student's 95 % interval. Rows are three of Fashion-MNIST unless
--rows names others; FOLDER holds MNIST's four IDX files. The trainings stay in runs/trainings, as the table's do. Each
takes about two minutes of one core, so that three rows take an hour and a half a seed less those that are there.

--larger asks whether the twin's effect appears at 64 x 64, width 32 and 150,000 images: anogan and vtgan on a pair that
no table has, by held-out training images alone. The figures go to weak_twin-larger.csv. It takes hours.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lines import Line, save

from lookalike.studies.claims import difference
from lookalike.studies.detect.parts import HELD_OUT, TEST
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.tables.detectors import Row
from lookalike.studies.tables.vtgan import ROWS, one_auc

RUNS, FIRST = Path("runs/trainings"), "anogan"  # what the others are compared with
STRONG = {"weak_z": 100, "weak_depth": 2, "weak_stride": 2, "weak_pool": 2}  # a twin as strong as the GAN
WAYS: dict[str, tuple[str, Mapping[str, Any]]] = {  # name -> method, settings
    FIRST: ("anogan", {}),
    "anogan, dcgan": ("anogan", {"net": "dcgan"}),
    "twin, as strong": ("vtgan", STRONG),
    "twin, longer z": ("vtgan", STRONG | {"weak_z": 400}),
    "twin, one layer": ("vtgan", STRONG | {"weak_depth": 1}),
    "twin, strides and pools": ("vtgan", STRONG | {"weak_stride": 4, "weak_g_pool": 2, "weak_pool": 4}),
    "twin, all three": ("vtgan", {}),
    "noise, Gaussian": ("noisegan", {}),
    "noise, salt and pepper": ("noisegan", {"noise": 0.0, "salt_pepper": 0.1}),
}
PICKED = ("Ankle boot/Sandal", "Coat/Shirt", "Coat/Pullover")
LARGER = {"size": "64,64", "width": 32, "images": 150_000}
APART, PAIR = (FIRST, "twin, all three"), Row("fashion-mnist", ("T-shirt/top",), "Dress")  # of --larger
Found = dict[tuple[str, str, int], float]  # row, way and seed -> AUC


def trial(row: Row, way: str, seed: int, data: Mapping[str, str], *, larger: bool = False) -> DetectorTrial:
    """The training of one way, which scores the test images of both classes; a larger one also held-out images."""
    method, settings = WAYS[way]
    return DetectorTrial(
        data[row.dataset], method, seed, known=row.known, scored=(*row.known, row.unknown), held_out=larger,
        settings=tuple((settings | (LARGER if larger else {})).items()),
    )  # fmt: skip


def lines(rows: Sequence[Row], found: Found, ways: Iterable[str]) -> list[Line]:
    """A line for each row, way and seed, then one for each way: means over rows of the means over seeds."""
    every: list[Line] = [
        {"row": row, "way": way, "seed": str(seed), "auc": f"{auc:.4f}", "above": "", "low": "", "high": ""}
        for (row, way, seed), auc in found.items()
    ]
    for way in ways:
        mine, theirs = (
            [fmean(auc for place, auc in found.items() if place[:2] == (str(row), name)) for row in rows]
            for name in (way, FIRST)
        )
        gap = difference(mine, theirs)
        said = {name: f"{getattr(gap, one):.4f}" for name, one in (("above", "mean"), ("low", "low"), ("high", "high"))}
        every.append({"row": "mean", "way": way, "seed": "mean", "auc": f"{fmean(mine):.4f}", **said})
    return every


def main() -> None:
    """Measures seed by seed, and writes the table after each."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rows", action="append", choices=[str(row) for row in ROWS])
    given.add_argument("--seeds", type=int, default=3)
    given.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    given.add_argument("--larger", action="store_true", help="larger images and networks, one pair")
    asked = given.parse_args()
    rows = [PAIR] if asked.larger else [row for row in ROWS if str(row) in (asked.rows or PICKED)]
    ways, part = (APART, HELD_OUT) if asked.larger else (tuple(WAYS), TEST)
    data, found = {"mnist": asked.mnist, "fashion-mnist": "fashion-mnist"}, Found()
    for seed in range(asked.seeds):
        cells = [(row, way, trial(row, way, seed, data, larger=asked.larger)) for row in rows for way in ways]
        study = Study(
            RUNS, workers=len(os.sched_getaffinity(0)), command=shlex.join(["python", *sys.argv]), warn=print,
            report=lambda *said: print(*said, flush=True),
        )  # fmt: skip
        if study.perform([one for _, _, one in cells]):
            raise SystemExit(1)
        for row, way, one in cells:
            scores = {name: one.scores(RUNS, name, part) for name in one.scored}
            found[str(row), way, seed] = one_auc(row, [scores])["auc"]
        save("weak_twin" + "-larger" * asked.larger, lines(rows, found, ways))


if __name__ == "__main__":
    main()
