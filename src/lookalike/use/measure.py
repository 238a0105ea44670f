"""How good and how varied are these images? Their features beside those of real images that trained nothing.

Small sets make every such figure scatter, and FID too large: so each stands with its number of images and a spread, and
beside what unseen real images reach against each other, as many of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.data import Images, split
from lookalike.errors import DataError, UsageError, listed, show
from lookalike.metrics import diversity, frechet, kernel, manifold
from lookalike.metrics.extractor import Extractor, own
from lookalike.model import ANY, Model
from lookalike.use.generate import generators
from lookalike.use.score import Pixels

UNSEEN = 0.2  # of the real images, where there is no official test part
NEAREST = 5
LEAST = 40  # images on either side: two halves of them for KID's error
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One figure of the images that are measured, and the same of real images where that can be said."""

    name: str
    value: float | None  # None: too few images
    spread: float | None  # standard error or deviation; None where there is none
    real: float | None  # unseen real images against each other
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """All figures, and what they are of."""

    features: str
    made: int
    real: int
    figures: tuple[Figure, ...]
    classes: Mapping[str, Mapping[str, float | None]]  # class -> share taken for it, distances within, of the real

    def json(self) -> dict[str, Any]:
        """As plain values."""
        figures = {f.name: {"value": f.value, "spread": f.spread, "real": f.real, "note": f.note} for f in self.figures}
        return {
            "features": self.features,
            "made": self.made,
            "real": self.real,
            "figures": figures,
            "classes": {name: dict(one) for name, one in self.classes.items()},
        }


def measure(made: Images, real: Images, data: str, *, seed: int = 0) -> Measured:
    """Trains the extractor on real images and compares the made ones with real ones that it has not seen.

    Parameters
    ----------
    made : Images
        What is measured; its classes are some of the real ones', or `any`.
    real : Images
        At the same size.
    data : str
        What the real images are called.

    Raises
    ------
    UsageError
        For vectors, or other classes or shapes than the real ones'.
    DataError
        For fewer than 40 images on either side.
    """
    _check(made, real)
    parts = split(real, test=UNSEEN, calibration=0.0, seed=seed)
    extractor = own(real.pixels[parts.train], real.labels[parts.train], data, seed)
    unseen = parts.test[np.isin(real.labels[parts.test], _numbers(made, real))]
    for pixels, what in ((made.pixels, "images to measure"), (unseen, "unseen real images")):
        if len(pixels) < LEAST:
            raise DataError(
                f"{what}: {len(pixels)}; {LEAST} are needed, and hundreds for figures that mean something; add some"
            )
    reference, own_labels = real.pixels[unseen], real.labels[unseen]
    half = np.random.default_rng(seed).permutation(len(unseen))
    halves = reference[half[: len(half) // 2]], reference[half[len(half) // 2 :]]
    figures = _compared(extractor, made.pixels, reference, seed)
    among = _compared(extractor, *halves, seed)
    joined = tuple(Figure(f.name, f.value, f.spread, r.value, f.note) for f, r in zip(figures, among, strict=True))
    classes = _by_class(extractor, made, reference, own_labels, real)
    return Measured(extractor.name, len(made.pixels), len(reference), joined, classes)


def generated(model: Model, number: int, seed: int) -> Images:
    """So many images of each class that the model makes; UsageError for one without a GAN."""
    able = generators(model)
    pixels = np.concatenate([block for one in able.values() for block in one.images(number, seed=seed)])
    labels = np.repeat(np.arange(len(able)), number)
    return Images(pixels, labels, tuple(able), tuple(f"{i:06d}" for i in range(len(pixels))))


def _check(made: Images, real: Images) -> None:
    if len(made.shape) != 3:
        raise UsageError("these are vectors; measure compares images")
    if made.shape != real.shape:
        raise UsageError(f"the images have the shape {made.shape}, the real ones {real.shape}; give them one size")
    strange = [name for name in made.classes if name not in real.classes]
    if strange and made.classes != (ANY,):
        raise UsageError(f"the real images have no class {show(strange[0])}; they have {listed(real.classes)}")


def _numbers(made: Images, real: Images) -> list[int]:
    """The real images' numbers of the classes that were made."""
    if made.classes == (ANY,):
        return list(range(len(real.classes)))
    return [real.classes.index(name) for name in made.classes]


def _compared(extractor: Extractor, made: Pixels, real: Pixels, seed: int) -> list[Figure]:
    """Figures of the one side against the other."""
    one, other = extractor.features(made), extractor.features(real)
    kid = kernel.distance(one, other, seed=seed)
    balls = manifold.compare(other, one, NEAREST)
    score = diversity.inception_score(extractor.probabilities(made), seed=seed)
    apart = diversity.mean_distance(one, min(100, len(one)), seed=seed)
    return [
        *_frechet(one, other, seed),
        Figure("KID", kid.value, kid.error, None),
        *(Figure(name, getattr(balls, name), None, None) for name in balls._fields),
        Figure("inception score", score.mean, score.sd, None, "of this classifier's classes"),
        Figure("mean distance", apart.mean, apart.sd, None, "of features, in batches of 100"),
    ]


def _frechet(one: Floats, other: Floats, seed: int) -> list[Figure]:
    """FID, and FID at endlessly many images; None with the number needed where there are too few."""
    found = []
    for name, of in (
        ("FID", frechet.distance),
        ("FID, no bias", lambda a, b: frechet.unbounded(a, b, seed=seed).value),
    ):
        try:
            found.append(Figure(name, float(of(one, other)), None, None))
        except DataError as error:
            found.append(Figure(name, None, None, None, str(error).partition(";")[0]))
    return found


def _by_class(
    extractor: Extractor, made: Images, real: Pixels, labels: npt.NDArray[np.int64], all_real: Images
) -> dict[str, dict[str, float | None]]:
    """Of each class: the share that the classifier takes for it, and mean distances within it, made and real."""
    if made.classes == (ANY,):
        return {}
    said, within = (
        extractor.probabilities(made.pixels).argmax(1),
        diversity.within(extractor.features(made.pixels), made.labels),
    )
    real_within = diversity.within(extractor.features(real), labels)
    found = {}
    for k, name in enumerate(made.classes):
        mine, number = made.labels == k, all_real.classes.index(name)
        taken = float((said[mine] == number).mean()) if mine.any() else None
        found[name] = {"taken for it": taken, "within": within.get(k), "within, real": real_within.get(number)}
    return found
