"""Milliseconds per image of `auto` and `knn` beside PyOD's detectors, and whether `auto` scores in flat memory.

    python -m pip install -c constraints.txt -e ".[bench]"
    python benchmarks/detectors.py

All are fitted to the same Coats of Fashion-MNIST at 32 px and score the same test images, in turn in one run, on one
thread; medians over rounds. PyOD's have their defaults, and their fit also scores the training images for a threshold;
its AutoEncoder needs tqdm, which PyOD does not install. Memory is the peak of `lookalike score` in a process of its
own, on a run that knows the same Coats. Takes about ten minutes.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pyod.models.copod import COPOD
from pyod.models.deep_svdd import DeepSVDD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.ocsvm import OCSVM
from pyod.models.pca import PCA
from threadpoolctl import threadpool_limits

from lookalike import fit
from lookalike.base.arrays import Pixels
from lookalike.data import Images, read
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.flat import flat
from machine import save
from memory import scored

KNOWN, TRAIN, SCORED, ROUNDS, SEED = "Coat", 1000, 1000, 5, 0
OURS = ("auto", "knn")
FEW, MANY = 1_000, 10_000  # images whose scoring is weighed
Fit = Callable[[], Callable[[], object]]  # fits anew, and gives what scores


def theirs(entries: int) -> dict[str, Callable[[], Any]]:
    """PyOD's detectors of vectors with so many entries, by name; each call builds one anew."""
    return {
        "PyOD KNN": KNN,
        "PyOD LOF": LOF,
        "PyOD IForest": lambda: IForest(random_state=SEED),
        "PyOD OCSVM": OCSVM,
        "PyOD PCA": lambda: PCA(random_state=SEED),
        "PyOD ECOD": ECOD,
        "PyOD COPOD": COPOD,
        "PyOD DeepSVDD": lambda: DeepSVDD(entries, random_state=SEED, verbose=0),
    }


def fits(train: Pixels, tests: Pixels) -> dict[str, Fit]:
    """Every detector, to be fitted to `train` and to score `tests`, by name."""
    x, y = flat(train), flat(tests)

    def our(name: str) -> Callable[[], object]:
        detector = BASELINES[name].fit(train, SEED)
        return lambda: detector.score(tests)

    def their(build: Callable[[], Any]) -> Callable[[], object]:
        detector = build()
        detector.fit(x)
        return lambda: detector.decision_function(y)

    built = {name: partial(their, build) for name, build in theirs(x.shape[1]).items()}
    return {name: partial(our, name) for name in OURS} | built


def seconds(fitted: Fit) -> tuple[float, float]:
    """The seconds of fitting, and of scoring."""
    began = time.perf_counter()
    score = fitted()
    between = time.perf_counter()
    score()
    return between - began, time.perf_counter() - between


def measured(train: Pixels, tests: Pixels) -> dict[str, dict[str, float]]:
    """Milliseconds per image of each detector's fit and score."""
    runs = fits(train, tests)
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    images = {"fit": len(train), "score": len(tests)}
    return {
        name: {
            f"{what}, ms per image": round(1000 * statistics.median(r[name][i] for r in rounds) / n, 4)
            for i, (what, n) in enumerate(images.items())
        }
        for name in runs
    }


def memory(known: Images) -> dict[str, int]:
    """MB of peak resident memory while `auto` scores few images and many."""
    with tempfile.TemporaryDirectory() as name:
        fit(known, known=KNOWN, method="auto", threads=1, out=Path(name) / "run")
        few, many = (scored(Path(name), images) for images in (FEW, MANY))
    return {f"{FEW} images, MB": round(few), f"{MANY} images, MB": round(many), "MB more": round(many - few)}


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(1)
    images = read("fashion-mnist", size=(32, 32))
    known = images.select(~images.test).of(KNOWN)
    known = known.select(range(min(TRAIN, len(known))))
    tests = images.pixels[images.test][:SCORED]
    with threadpool_limits(1):
        times = measured(known.pixels, tests)
        peak = memory(known)
    save(
        "detectors",
        {
            "known": KNOWN, "train images": len(known), "scored images": len(tests), "shape": list(known.shape),
            "rounds": ROUNDS, "detectors": times, "memory of auto": peak,
            "versions": {name: version(name) for name in ("pyod", "scikit-learn")},
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
