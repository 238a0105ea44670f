"""Whether a classifier of the known classes helps the joined detectors of `auto`: triples, training images alone.

    python experiments/beside.py

The triples are none of mcgan-2021's table 2; the official test images are never read. The figures go to
experiments/results/beside.csv: for each triple the AUC of known against unknown, and the accuracy of which class. They
stay in runs/beside.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from combinations import TRIPLES, TripleTrial, images_of, parts, table
from sklearn.linear_model import LogisticRegression

from lookalike.base.arrays import Floats
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.classifier import CNN_KNN
from lookalike.detect.detector import Detector, Scores
from lookalike.detect.openset import OpenSet
from lookalike.detect.scale import Scale

RUNS = Path("runs/beside")
DATA = "fashion-mnist"


@cache
def single(data: str, name: str) -> Detector:
    """`auto` of one class."""
    return BASELINES["auto"].fit(parts(images_of(data), name)[0], 0)


def ways(joint: Scores, cnn: Scores, scale: Scale) -> dict[str, Floats]:
    """Scores of known or unknown: joined detectors, the classifier's nearest neighbours, and both."""
    near = scale(cnn.score)
    return {"auto": joint.score, "cnn-knn": near, "both": (joint.score + near) / 2}


def evidence(joint: Scores, cnn: Scores) -> Floats:
    """The input that says which class (N, 2 K): each class's scaled score, and the classifier's logarithms."""
    assert cnn.classes is not None, "it classifies"
    return np.concatenate([np.stack(list(joint.parts.values()), 1), np.log(cnn.classes + 1e-6)], 1)


class BesideTrial(TripleTrial):
    """AUC and accuracy of each."""

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Learns both detectors and the classifier, and scores."""
        a, b, u = self.parts()
        (train, held, known), (of_train, of_held, of_known) = zip(
            *[(np.concatenate([a[k], b[k]]), np.repeat([0, 1], [len(a[k]), len(b[k])])) for k in range(3)], strict=True
        )
        joint = OpenSet.fit({name: single(self.data, name) for name in self.known}, held, of_held)
        cnn = CNN_KNN.fit(train, of_train, self.seed)
        said = {what: (joint.score(x), cnn.score(x)) for what, x in (("held", held), ("known", known), ("un", u[2]))}
        scale = Scale.of(said["held"][1].score)
        near, far = ways(*said["known"], scale), ways(*said["un"], scale)
        which = LogisticRegression(max_iter=1000).fit(evidence(*said["held"]), of_held)
        right = {
            "auto": said["known"][0].classes.argmax(1),  # type: ignore[union-attr]
            "cnn-knn": said["known"][1].classes.argmax(1),  # type: ignore[union-attr]
            "both": which.predict(evidence(*said["known"])),
        }
        areas = {f"AUC, {way}": area(near[way], far[way]) for way in near}
        return areas | {f"accuracy, {way}": float((mine == of_known).mean()) for way, mine in right.items()}


if __name__ == "__main__":
    table("beside", [BesideTrial(DATA, "cnn-knn", 0, known=(a, b), unknown=u) for a, b, u in TRIPLES[DATA]], RUNS)
