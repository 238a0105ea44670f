"""How good are PyOD's detectors on the rows of photographs/1? On pixels and on a frozen network's vector, three splits.

    pip install '.[bench]'
    python experiments/pyod_photographs.py DATA

DATA is a folder with the folders tiles, pcb and steel. One class is known, as in the table: tiles and boards without a
defect, and each kind of steel. A fifth of the known class is held out, the rest trains; of steel, 60 images of each
other class are scored, else all. The detectors have PyOD's defaults. They see all pixels of 32 x 32, as `knn` does in
the table, or the vector that EfficientNet-Lite0 makes of 160 x 160. The AUCs go to
experiments/results/pyod_photographs.csv; of steel, the mean of the six kinds. Takes some minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from lines import save
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.ocsvm import OCSVM

from lookalike.base.arrays import Floats
from lookalike.data import Images, read, split
from lookalike.detect.auc import area
from lookalike.features.efficientnet import lite0

KNOWN = {"tiles": ("Free",), "pcb": ("good",), "steel": ()}  # (): each class in turn
MOST = {"steel": 60}  # images of an unknown class that are scored
DETECTORS = {"knn": KNN, "lof": LOF, "iforest": IForest, "ocsvm": OCSVM, "ecod": ECOD, "copod": COPOD}
SIDES = {"pixels": 32, "vector": 160}
SEEDS = range(3)


def rows(images: Images, way: str) -> Floats:
    """(N, F) of all images."""
    if way == "vector":
        return np.asarray(lite0(images.shape).features(images.pixels), np.float64)
    return images.pixels.reshape(len(images), -1) / 255


def auc(images: Images, x: Floats, known: str, detector: str, most: int, seed: int) -> float:
    """The AUC of one split."""
    mine = images.labels == images.classes.index(known)
    parts = split(images, test=0.2, calibration=0.0, seed=seed)
    train, test = (part[mine[part]] for part in (parts.train, parts.test))
    others = [np.flatnonzero(images.labels == label)[:most] for label in range(len(images.classes))]
    unknown = np.concatenate([one for label, one in enumerate(others) if images.classes[label] != known])
    own = {"random_state": seed} if detector == "iforest" else {}
    fitted = DETECTORS[detector](**own).fit(x[train])
    return float(area(fitted.decision_function(x[test]), fitted.decision_function(x[unknown])))


def lines(folder: Path) -> Iterator[dict[str, str | int]]:
    """A line for each data set, input and detector."""
    for name, given in KNOWN.items():
        for way, side in SIDES.items():
            images = read(folder / name, size=(side, side))
            x, known = rows(images, way), given or images.classes
            most = MOST.get(name, len(x))
            for detector in DETECTORS:
                found = [fmean(auc(images, x, one, detector, most, seed) for one in known) for seed in SEEDS]
                print(name, way, detector, *(f"{one:.3f}" for one in found), flush=True)
                yield {
                    "data": name, "input": way, "detector": detector, "auc": f"{fmean(found):.3f}",
                    "sd": f"{stdev(found):.3f}", "seeds": len(found),
                }  # fmt: skip


if __name__ == "__main__":
    save("pyod_photographs", list(lines(Path(sys.argv[1]))))
