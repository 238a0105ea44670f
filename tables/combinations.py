"""Which way to join detectors of single classes: triples of classes, training images alone, nearest neighbours.

    python tables/combinations.py

The triples are none of mcgan-2021's table 2. The figures go to tables/results/combinations.csv.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from lines import mean, save

from lookalike.baselines.knn import KNN
from lookalike.data import Images, read
from lookalike.metrics.auc import area
from lookalike.use.openset import OpenSet
from lookalike.use.score import Floats, Scores

TRIPLES = {
    "fashion-mnist": (
        ("T-shirt/top", "Dress", "Shirt"),
        ("Sneaker", "Bag", "Sandal"),
        ("Trouser", "Dress", "Coat"),
        ("T-shirt/top", "Pullover", "Dress"),
        ("Sandal", "Sneaker", "Ankle boot"),
    ),
    "mnist-5k": (("1", "7", "4"), ("5", "6", "8"), ("0", "2", "6"), ("5", "8", "2"), ("4", "7", "9")),
}
MOST = 1000  # images of a class
SHARES = (0.6, 0.75)  # train, then held out, then measure
Parts = list[npt.NDArray[np.uint8]]


def parts(images: Images, name: str) -> Parts:
    """Images to train on, held out, and to measure with."""
    rows = np.flatnonzero((images.labels == images.classes.index(name)) & ~np.asarray(images.test))[:MOST]
    return np.split(images.pixels[rows], [int(share * len(rows)) for share in SHARES])


def ways(said: Scores, pooled: Floats) -> dict[str, Floats]:
    """Scores of the same images, joined four ways."""
    scaled = np.stack(list(said.parts.values()), 1)
    return {"most likely class": said.score, "least": scaled.min(1), "sum": scaled.sum(1), "pooled": pooled}


def line(images: Images, first: str, second: str, unknown: str) -> dict[str, str]:
    """AUC of each way, and the accuracy of which class."""
    a, b, u = (parts(images, name) for name in (first, second, unknown))
    members = {first: KNN.fit(a[0], 0), second: KNN.fit(b[0], 0)}
    joint = OpenSet.fit(members, np.concatenate([a[1], b[1]]), np.repeat([0, 1], [len(a[1]), len(b[1])]))
    pool = KNN.fit(np.concatenate([a[0], b[0]]), 0)
    known = np.concatenate([a[2], b[2]])
    found = joint.score(known)
    seen, unseen = ways(found, pool.score(known).score), ways(joint.score(u[2]), pool.score(u[2]).score)
    assert found.classes is not None, "two classes are known"
    right = found.classes.argmax(1) == np.repeat([0, 1], [len(a[2]), len(b[2])])
    figures = {f"AUC, {way}": f"{area(seen[way], unseen[way]):.3f}" for way in seen}
    return {"known": f"{first},{second}", "unknown": unknown, **figures, "accuracy": f"{right.mean():.3f}"}


def main() -> None:
    """Measures every triple and writes the table."""
    lines = []
    for data, triples in TRIPLES.items():
        images = read(data, size=(32, 32))
        lines += [{"data": data, **line(images, *triple)} for triple in triples]
    figures = [key for key in lines[0] if key[:2] in ("AU", "ac")]
    lines.append({"data": "mean", "known": "", "unknown": "", **mean(lines, figures)})
    save("combinations", lines)


if __name__ == "__main__":
    main()
