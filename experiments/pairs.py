"""Which classes look alike, and where the papers' pairs stand: figure 3 of mcgan-2021, which is 5 of vtgan-2021.

    python experiments/pairs.py --mnist FOLDER

MNIST and Fashion-MNIST as `lookalike pairs` does it, 32 x 32, with seeds 0 to 2: an embedding of the training images,
and the classes of the ten nearest neighbours of test images. Images have the order of the data, and the command's
another one, so that figures differ as between seeds. These are ten of each class, as in the papers, or all.
FOLDER holds MNIST's four IDX files. All pairs with their ranks go to experiments/results/pairs.csv, and the matrices of
seed 0, all test images, to pairs-mnist.png and pairs-fashion-mnist.png beside it. About a minute for each seed and set.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lines import Line, save

from lookalike.base import files
from lookalike.data import Images, read
from lookalike.features.blocks import in_blocks
from lookalike.use.confusion import draw
from lookalike.use.embedding import learn
from lookalike.use.pairs import SIDE, Choices, Found, neighbour_classes

RESULTS, SEEDS = Path(__file__).parent / "results", range(3)
EXAMPLES = (10, None)  # of each class; None: all


def found(images: Images, name: str, seed: int) -> Iterator[Found]:
    """The neighbours of some and of all test images, in one embedding."""
    test, choices = np.asarray(images.test), Choices(seed=seed)
    embedding = learn(
        images.pixels[~test], images.labels[~test], temperature=choices.temperature, dimensions=choices.dimensions,
        steps=choices.steps, seed=seed, report=lambda stage, done, of: None,
    )  # fmt: skip
    points = in_blocks(embedding, images.pixels[test])
    for examples in EXAMPLES:
        choices = Choices(seed=seed, examples=examples)
        yield Found(name, images.classes, neighbour_classes(points, images.labels[test], choices), choices)


def lines(one: Found) -> Iterator[Line]:
    """All pairs, the most alike first."""
    for rank, pair in enumerate(one.ranked(), 1):
        place = {"data": one.data, "examples": one.choices.examples or "all", "seed": one.choices.seed, "rank": rank}
        percent = {name: f"{getattr(pair, name):.1f}" for name in ("alike", "ahead", "back")}
        yield place | {"first": pair.first, "second": pair.second, **percent, "papers": "yes" * pair.papers}


def main() -> None:
    """Writes the table and both matrices."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    every: list[Line] = []
    for name, data in {"mnist": given.parse_args().mnist, "fashion-mnist": "fashion-mnist"}.items():
        images = read(data, size=(SIDE, SIDE))
        for one in (one for seed in SEEDS for one in found(images, name, seed)):
            every += lines(one)
            if one.choices == Choices():
                alike = [(pair.first, pair.second) for pair in one.ranked() if pair.papers]
                matrix = draw(one.confusion, one.classes, one.classes, alike)
                files.write_bytes(RESULTS / f"pairs-{name}.png", matrix)
            print(name, one.choices.seed, one.choices.examples or "all", flush=True)
    save("pairs", every)


if __name__ == "__main__":
    main()
