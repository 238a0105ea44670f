"""AUCs of scores and of yes-or-no verdicts, of one-class SVM and Isolation Forest on the rows of vtgan-2021's table 1.

    python experiments/verdicts.py --mnist FOLDER

All official training images of the known class, 32 x 32, on 512 principal components; all test images of both classes.
A verdict is 1 where the detector flags an image: the SVM below 0 (nu is .01 or .1), the forest above the score of 2 %
or 10 % of its training images. FOLDER holds MNIST's four IDX files. The figures go to experiments/results/verdicts.csv,
beside the printed ones and the distance from them: each row, then the means over the rows of a data set. The forest has
three seeds. It takes some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from statistics import fmean

import numpy as np
from lines import Line, digits, save
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM

from lookalike.base.arrays import Floats
from lookalike.data import Images, read
from lookalike.detect.auc import area
from lookalike.detect.baselines.classical import MOST
from lookalike.detect.baselines.flat import flat
from lookalike.studies.tables.detectors import Row
from lookalike.studies.tables.table import printed
from lookalike.studies.tables.vtgan import ROWS

SIDE, SEEDS = 32, 3
SHARES = {"oc-svm": (0.01, 0.1), "isolation-forest": (0.02, 0.1)}  # nu; share of training images that is flagged
FIGURES = ("score", "verdict", "printed", "score_off", "verdict_off")


def main() -> None:
    """Measures every row and writes the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    data = {"mnist": given.parse_args().mnist, "fashion-mnist": "fashion-mnist"}
    lines: list[Line] = []
    for dataset, source in data.items():
        images = read(source, size=(SIDE, SIDE))
        lines += [line for row in ROWS if row.dataset == dataset for line in of_row(images, row)]
    save("verdicts", [*lines, *means(lines)])


def of_row(images: Images, row: Row) -> Iterator[Line]:
    """A line for each detector and share, with its mean over seeds."""
    test = np.asarray(images.test)
    known, other = (images.labels == images.classes.index(name) for name in (*row.known, row.unknown))
    reduced = PCA(MOST, svd_solver="randomized", random_state=0).fit(flat(images.pixels[known & ~test]))
    train, *sides = (reduced.transform(flat(images.pixels[one])) for one in (known & ~test, known & test, other & test))
    for name, shares in SHARES.items():
        theirs = printed()["vtgan-2021", "1", row.dataset, row.known[0], row.unknown, name, "auc"]
        for share in shares:
            scores, verdicts = zip(*aucs(name, share, train, sides), strict=True)
            found = {"score": fmean(scores), "verdict": fmean(verdicts), "printed": theirs}
            found |= {f"{kind}_off": abs(found[kind] - theirs) for kind in ("score", "verdict")}
            yield {**place(row), "method": name, "share": f"{share:g}", "seeds": len(scores), **digits(found, FIGURES)}


def aucs(name: str, share: float, train: Floats, sides: list[Floats]) -> Iterator[tuple[float, float]]:
    """The AUC of the score and of the verdict, for each seed."""
    if name == "oc-svm":
        svm = OneClassSVM(nu=share).fit(train)
        outside = [-svm.decision_function(side) for side in sides]
        yield area(*outside), area(*((one > 0).astype(float) for one in outside))
        return
    for seed in range(SEEDS):
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(train)
        limit = np.quantile(-forest.score_samples(train), 1 - share)
        said = [-forest.score_samples(side) for side in sides]
        yield area(*said), area(*((one > limit).astype(float) for one in said))


def place(row: Row) -> dict[str, str]:
    """The row's columns."""
    return {"dataset": row.dataset, "known": row.known[0], "unknown": row.unknown}


def means(lines: list[Line]) -> Iterator[Line]:
    """The means of each detector and share over the rows of a data set, and over all."""
    for dataset in (*dict.fromkeys(line["dataset"] for line in lines), "all"):
        mine = [line for line in lines if dataset in (line["dataset"], "all")]
        for method, share in dict.fromkeys((line["method"], line["share"]) for line in mine):
            one = [line for line in mine if (line["method"], line["share"]) == (method, share)]
            yield {"dataset": dataset, "known": "mean", "unknown": "", "method": method, "share": share, **mean_of(one)}


def mean_of(lines: list[Line]) -> Mapping[str, str | int]:
    """The number of rows in place of seeds, and the mean of each figure."""
    return {"seeds": lines[0]["seeds"]} | digits({n: fmean(float(line[n]) for line in lines) for n in FIGURES}, FIGURES)


if __name__ == "__main__":
    main()
