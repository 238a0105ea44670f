"""Which classes look alike (mcgan-2021, section 4; vtgan-2021): the classes of nearest neighbours in an embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.base import files
from lookalike.base.arrays import Index, Note, Report
from lookalike.base.cells import as_csv
from lookalike.base.errors import DataError, UsageError, show
from lookalike.base.seeds import generator
from lookalike.data import Images, aspect_size, oddities, read, split
from lookalike.data.named import FASHION, TEN
from lookalike.data.sources import open_source, refuse_inside
from lookalike.features.blocks import in_blocks
from lookalike.use.confusion import draw
from lookalike.use.embedding import learn

SIDE = 32  # pixels, the longer side; small, because the papers want some misclassification
BLOCK = 256  # examples whose neighbours are searched at one time
ACCEPTED = {
    "temperature": (0.01, 100),
    "dimensions": (1, 1024),
    "steps": (1, 10**7),
    "neighbours": (1, 10**4),
    "examples": (1, 10**7),
    "seed": (0, 2**63 - 1),
}
# Pairs that mcgan-2021, section 4, chose, and (9, 7) of vtgan-2021.
OF_MNIST = (("8", "3"), ("9", "4"), ("9", "7"))
OF_FASHION = (("Sandal", "Ankle boot"), ("Coat", "Shirt"), ("Coat", "Pullover"))

Matrix = npt.NDArray[np.float64]
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Choices:
    """Settings that the papers leave open.

    Parameters
    ----------
    temperature : float
        The cosines are divided by it before the softmax.
    dimensions : int
        Dimensions of the embedding.
    steps : int
        Number of updates, each on one pair of images per class.
    neighbours : int
        Number of nearest held-out images of each example that are counted.
    examples : int or None
        Number of held-out images of each class whose neighbours are counted. None means all, which gives a stable
        ranking.
    test : float
        Share of each class that is held out where the data has no official test part.
    seed : int
        Seed of the split, the training and the draw of examples.

    Raises
    ------
    UsageError
        For a value out of range.
    """

    temperature: float = 0.2
    dimensions: int = 8
    steps: int = 3000
    neighbours: int = 10
    examples: int | None = None
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in ACCEPTED.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} is {value}; give a value from {low} to {high}")


@dataclass(frozen=True)
class Pair:
    """Two classes: of 100 neighbours of images of `first`, `ahead` are of `second`; `back` is the other way round."""

    first: str
    second: str
    ahead: float
    back: float
    papers: bool
    """Whether the papers chose this pair."""

    @property
    def alike(self) -> float:
        """C[i, j] + C[j, i] in percent: 0 for classes that are never neighbours, 200 at most."""
        return self.ahead + self.back

    def json(self, rank: int) -> dict[str, Any]:
        """Return the pair as it stands in pairs.json and, with escaped names, in pairs.csv."""
        names = {"rank": rank, "first": self.first, "second": self.second, "alike": self.alike}
        return names | {"ahead": self.ahead, "back": self.back, "papers": self.papers}


@dataclass(frozen=True, eq=False)
class Found:
    """Which classes are near neighbours.

    Parameters
    ----------
    data : str
        The last part of the data's path, or a data set's name.
    classes : tuple of str
        The classes with both training images and held-out images.
    confusion : Matrix
        Float64 (K, K), in percent: how many neighbours of class i's examples are of class j. Rows sum to 100. With the
        papers' ten examples and ten neighbours the entries are the papers' counts.
    choices : Choices
        The settings that were used.
    """

    data: str
    classes: tuple[str, ...]
    confusion: Matrix
    choices: Choices

    def ranked(self) -> list[Pair]:
        """Return all pairs, the most alike first; equal ones are in the order of the classes."""
        theirs = set(map(frozenset, papers_pairs(self.data, self.classes)))
        found = [
            Pair(a, b, float(self.confusion[i, j]), float(self.confusion[j, i]), frozenset((a, b)) in theirs)
            for (i, a), (j, b) in combinations(enumerate(self.classes), 2)
        ]
        return sorted(found, key=lambda pair: -pair.alike)

    def json(self) -> dict[str, Any]:
        """Return the contents of pairs.json."""
        return {
            "data": self.data,
            "choices": asdict(self.choices),
            "pairs": [pair.json(rank) for rank, pair in enumerate(self.ranked(), 1)],
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
        }


def papers_pairs(data: str, classes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs that the papers chose, where the classes are the papers'; the digits alone are not MNIST."""
    if set(classes) == set(FASHION):
        return OF_FASHION
    return OF_MNIST if data.lower() in {"mnist", "mnist-5k"} and set(classes) == set(TEN) else ()


def find(
    data: str | Path | Images,
    choices: Choices | None = None,
    *,
    out: Path | None = None,
    reading: Mapping[str, Any] | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note = lambda message: None,
) -> Found:
    """Learn an embedding on training images and count the classes of the held-out images' nearest neighbours.

    Parameters
    ----------
    data : str, Path or Images
        Two or more classes of images, each with at least three different ones; classes with fewer are left out. The
        official test images are held out. Where there are none, `lookalike.data.split` draws the held-out images.
    choices : Choices or None
        Settings that the papers leave open.
    out : Path or None
        A new or empty folder for pairs.csv, pairs.json and confusion.png; written as a whole or not at all.
    reading : mapping
        Further keyword arguments of `lookalike.read`.
    report, warn : callable
        Called with the progress, and with what the user should know.
    note : callable
        Called with the sizes between which images shrink.

    Raises
    ------
    DataError
        For vectors, and where fewer than two classes are left.
    UsageError
        If `out` lies in the data or is not empty.
    """
    choices = choices or Choices()
    refuse_inside(out, data)
    report("reading", 0, 1)
    images = data if isinstance(data, Images) else _read(data, reading or {})
    if len(images.shape) != 3:
        raise DataError("the data holds vectors, but look-alike classes are found by images; give images")
    for line in oddities.reading(images):
        note(line)
    train, held_out, classes = _parts(images, choices)
    if images.groups is not None:
        warn(images.groups.said(train=train, test=held_out))
    with _new_folder(out) as folder:
        for line in _remarks(images, held_out, classes, choices):
            warn(line)
        embedding = learn(
            images.pixels[train],
            classes.searchsorted(images.labels[train]),
            temperature=choices.temperature,
            dimensions=choices.dimensions,
            steps=choices.steps,
            seed=choices.seed,
            report=report,
        )
        points = in_blocks(embedding, images.pixels[held_out])
        confusion = neighbour_classes(points, classes.searchsorted(images.labels[held_out]), choices)
        name = "arrays" if isinstance(data, Images) else Path(data).resolve().name
        found = Found(name, tuple(images.classes[i] for i in classes), confusion, choices)
        if folder is not None:
            _write(folder, found)
    return found


def _read(data: str | Path, reading: Mapping[str, Any]) -> Images:
    listed = {name: reading[name] for name in ("value_range", "allow_empty_class") if name in reading}
    size = None if open_source(data, **listed).vectors else aspect_size(data, SIDE, 1)
    return read(data, size=size, **reading)


def _parts(images: Images, choices: Choices) -> tuple[Index, Index, Index]:
    """Return the rows that train, the held-out rows, and the classes (rising numbers) that have both."""
    parts = split(images, test=choices.test, calibration=0.0, seed=choices.seed)
    classes = np.intersect1d(images.labels[parts.train], images.labels[parts.test])
    if len(classes) < 2:
        need = "a pair needs two, each with at least three different images"
        raise DataError(f"classes with both training images and held-out ones: {len(classes)}; {need}; add images")
    train, held_out = (rows[np.isin(images.labels[rows], classes)] for rows in (parts.train, parts.test))
    return train, held_out, classes


def _remarks(images: Images, held_out: Index, classes: Index, choices: Choices) -> Iterator[str]:
    """Yield what the user should know about the images and classes, one line each."""
    if images.skipped:
        first = show(images.skipped[0].name)
        yield f"images left out because they cannot be read: {len(images.skipped)}, first {first}"
    yield from oddities.losses(images.odd)
    if gone := [show(name, 60) for i, name in enumerate(images.classes) if i not in classes]:
        more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
        yield f"classes left out because they have fewer than three different images: {', '.join(gone[:5])}{more}"
    fewest = np.bincount(images.labels[held_out])[classes].min()
    if fewest <= choices.neighbours:
        what = f"a class has only {fewest} held-out images, so some of the {choices.neighbours} neighbours are"
        yield f"{what} of other classes in any case; lower --neighbours or raise --test"


def neighbour_classes(points: Tensor, labels: Index, choices: Choices) -> Matrix:
    """Return float64 (K, K) in percent: the classes of the examples' nearest neighbours by cosine.

    Neighbours are searched among `points`, without the example itself.

    Parameters
    ----------
    points : Tensor
        (N, F) float32 of length 1.
    labels : Index
        int64 (N,), the classes 0 to K - 1, each at least once.
    choices : Choices
        The numbers of examples and neighbours, and the seed of the draw.
    """
    random = generator(choices.seed, "pairs", "examples")
    shuffled = torch.randperm(len(labels), generator=random).numpy()
    drawn = [shuffled[labels[shuffled] == k][: choices.examples] for k in range(labels.max() + 1)]
    rows, counts = np.concatenate(drawn), np.zeros((len(drawn), len(drawn)))
    for mine in np.split(rows, range(BLOCK, len(rows), BLOCK)):
        cosines = points[mine] @ points.T  # the points have length 1
        cosines[np.arange(len(mine)), mine] = -torch.inf  # no image is its own neighbour
        nearest = cosines.topk(min(choices.neighbours, len(points) - 1)).indices.numpy()
        np.add.at(counts, (labels[mine][:, None], labels[nearest]), 1)
    return np.asarray(100 * counts / counts.sum(axis=1, keepdims=True), np.float64)


def _new_folder(out: Path | None) -> AbstractContextManager[Path | None]:
    """Return the folder to fill, written as a whole or not at all; None where none is wanted."""
    if out is None:
        return nullcontext()
    files.make_folder(out.absolute().parent)
    return files.atomic_folder(out)


def _write(folder: Path, found: Found) -> None:
    pairs = found.json()["pairs"]
    rows = (pair | {name: show(pair[name]) for name in ("first", "second")} for pair in pairs)
    text = as_csv([list(pairs[0]), *(list(row.values()) for row in rows)], quoted=True)
    files.write_new(folder / "pairs.csv", text.encode())
    files.write_new(folder / "pairs.json", files.json_bytes(found.json()))
    outlined = [(pair.first, pair.second) for pair in found.ranked() if pair.papers]
    order = list(dict.fromkeys(name for pair in found.ranked() for name in (pair.first, pair.second)))
    files.write_new(folder / "confusion.png", draw(found.confusion, found.classes, order, outlined))
