"""Whether a classifier of the known classes helps the joined detectors of `auto`: triples, training images alone.

    python experiments/beside.py

The triples are none of mcgan-2021's table 2; the official test images are never read. The figures go to
experiments/results/beside.csv: for each triple the AUC of known against unknown, and the accuracy of which class.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from combinations import TRIPLES, parts
from lines import mean, save
from sklearn.linear_model import LogisticRegression

from lookalike.base.arrays import Floats
from lookalike.data import Images, read
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.classifier import CNN_KNN
from lookalike.detect.detector import Detector, Scores
from lookalike.detect.openset import OpenSet
from lookalike.detect.scale import Scale

DATA = "fashion-mnist"


@cache
def single(data: str, name: str) -> Detector:
    """`auto` of one class."""
    return BASELINES["auto"].fit(parts(images_of(data), name)[0], 0)


@cache
def images_of(data: str) -> Images:
    """Enlarged as training does."""
    return read(data, size=(32, 32))


def ways(joint: Scores, cnn: Scores, scale: Scale) -> dict[str, Floats]:
    """Scores of known or unknown: joined detectors, the classifier's nearest neighbours, and both."""
    near = scale(cnn.score)
    return {"auto": joint.score, "cnn-knn": near, "both": (joint.score + near) / 2}


def evidence(joint: Scores, cnn: Scores) -> Floats:
    """The input that says which class (N, 2 K): each class's scaled score, and the classifier's logarithms."""
    assert cnn.classes is not None, "it classifies"
    return np.concatenate([np.stack(list(joint.parts.values()), 1), np.log(cnn.classes + 1e-6)], 1)


def line(data: str, first: str, second: str, unknown: str) -> dict[str, str]:
    """AUC and accuracy of each, on one triple."""
    a, b, u = (parts(images_of(data), name) for name in (first, second, unknown))
    (train, held, known), (of_train, of_held, of_known) = zip(
        *[(np.concatenate([a[k], b[k]]), np.repeat([0, 1], [len(a[k]), len(b[k])])) for k in range(3)], strict=True
    )
    joint = OpenSet.fit({name: single(data, name) for name in (first, second)}, held, of_held)
    cnn = CNN_KNN.fit(train, of_train, 0)
    said = {what: (joint.score(x), cnn.score(x)) for what, x in (("held", held), ("known", known), ("un", u[2]))}
    scale = Scale.of(said["held"][1].score)
    near, far = ways(*said["known"], scale), ways(*said["un"], scale)
    which = LogisticRegression(max_iter=1000).fit(evidence(*said["held"]), of_held)
    right = {
        "auto": said["known"][0].classes.argmax(1),  # type: ignore[union-attr]
        "cnn-knn": said["known"][1].classes.argmax(1),  # type: ignore[union-attr]
        "both": which.predict(evidence(*said["known"])),
    }
    found = {
        "data": data, "known": f"{first},{second}", "unknown": unknown,
        **{f"AUC, {way}": f"{area(near[way], far[way]):.3f}" for way in near},
        **{f"accuracy, {way}": f"{(said == of_known).mean():.3f}" for way, said in right.items()},
    }  # fmt: skip
    print(found, flush=True)
    return found


def main() -> None:
    """Measures every triple and writes the table."""
    torch.set_num_threads(1)
    lines = [line(DATA, *triple) for triple in TRIPLES[DATA]]
    figures = [key for key in lines[0] if ", " in key]
    lines.append({"data": "mean", "known": "", "unknown": "", **mean(lines, figures)})
    save("beside", lines)


if __name__ == "__main__":
    main()
