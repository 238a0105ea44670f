"""How good and how varied are these images? Their features beside those of real images that trained nothing.

Small sets make every such figure scatter, and FID too large: so each stands with its number of images and a spread, and
beside what unseen real images reach: two halves of them against each other, or all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data import Images, split
from lookalike.data.images import names_of
from lookalike.detect.auc import Rate, rate
from lookalike.detect.model import ANY, Model
from lookalike.features.efficientnet import lite0
from lookalike.features.extractor import Extractor
from lookalike.features.faces import detector, faces
from lookalike.features.inception import Published, published
from lookalike.runs.record import parts_of, shown
from lookalike.use.generate import generators
from lookalike.use.quality import frechet
from lookalike.use.quality.accuracy import Accuracy, accuracy_score
from lookalike.use.quality.confidence import surer
from lookalike.use.quality.figures import Figure, Side, by_class, compared, distances
from lookalike.use.quality.own import Own, own

UNSEEN = 0.2  # of the real images, where there is no official test part
Features = Literal["own", "efficientnet", "inception"]
LEAST = 40  # images on either side: two halves of them for KID's error


@dataclass(frozen=True)
class Measured:
    """All figures, and what they are of."""

    features: str
    made: int
    real: int
    half: int  # images on either side of real against real
    figures: tuple[Figure, ...]
    sure: str  # what is sure of an image, and of what; "" where nothing can be
    confidence: Mapping[float, tuple[Rate, Rate]]  # level -> share of made and of unseen real images above it
    distances: Sequence[Mapping[str, float | None]]  # mean distance of features by batch size
    classes: Mapping[str, Mapping[str, float | None]]  # class -> what `by_class` says
    accuracy: Accuracy | None  # where it was asked for
    named: Rate | None  # share of unseen real images that the classifier names rightly
    needed: int  # images of a class on either side, for its FID

    def json(self) -> dict[str, Any]:
        """As plain values."""
        figures = {
            f.name: {"value": f.value, "spread": f.spread, "real": f.real, "real spread": f.real_spread, "note": f.note}
            for f in self.figures
        }
        surer = [{"above": c, "made": asdict(one), "real": asdict(two)} for c, (one, two) in self.confidence.items()]
        cas = self.accuracy and {
            "images": self.accuracy.images,
            "made": asdict(self.accuracy.made),
            "real": asdict(self.accuracy.real),
        }
        return {
            "features": self.features,
            "made": self.made,
            "real": self.real,
            "half": self.half,
            "figures": figures,
            "sure": self.sure,
            "confidence": surer,
            "distances": [dict(one) for one in self.distances],
            "classes": {name: dict(one) for name, one in self.classes.items()},
            "accuracy": cas,
            "named": self.named and asdict(self.named),
            "needed": self.needed,
        }


def measure(
    made: Images,
    real: Images,
    data: str,
    *,
    run: Path | None = None,
    features: Features = "own",
    weights: Path | None = None,
    show_faces: bool = False,
    accuracy: bool = False,
    seed: int = 0,
) -> Measured:
    """Trains a classifier on real images and compares the made ones with real ones that it has not seen.

    Parameters
    ----------
    made : Images
        What is measured; its classes are some of the real ones', `any`, or none.
    real : Images
        At the same size.
    data : str
        What the real images are called.
    run : Path, optional
        The run that made the images: real images that it was shown are not among the unseen ones, those that it was
        shown without a label are no class, and made images of which nobody says the class stand beside those of its
        known classes. Without it unseen are the official test images, or a fifth that `seed` draws.
    features : {"own", "efficientnet", "inception"}
        Whose: that classifier's, or EfficientNet-Lite0's, as ImageNet taught it (extra `efficientnet`), or those of
        Inception-v3 in FID's published form, whose classes the inception score takes too.
    weights : Path, optional
        Inception's file.
    show_faces : bool
        Whether MTCNN says how sure it is that an image shows a face, in place of how sure the classifier is of a class.
    accuracy : bool
        Whether to train a classifier on the made images too, and one on as many real ones.

    Raises
    ------
    UsageError
        For vectors, other classes or shapes than the real ones', real images of one class without another network's
        features, `accuracy` of fewer than two classes, or weights that are not installed.
    DataError
        For fewer than 40 images on either side.
    ModelError
        For a `run` whose record is missing or damaged.
    """
    if run is not None:
        real = real.without(shown(run).unlabelled)
    _check(made, real, features, accuracy=accuracy)
    network = _network(features, weights, real.shape)  # before the long part
    if show_faces:
        detector()
    training, unseen = _parts(real, data, run, seed)
    numbers = _numbers(made, real, run)
    unseen = unseen[np.isin(real.labels[unseen], numbers)]
    others = "name real images that trained nothing" if run else "add some"
    for rows, what, do in ((made.pixels, "images to measure", "add some"), (unseen, "unseen real images", others)):
        if len(rows) < LEAST:
            raise DataError(
                f"{what}: {len(rows)}; {LEAST} are needed, and hundreds for figures that mean something; {do}"
            )
    judge = own(real.pixels[training], real.labels[training], data, seed) if len(real.classes) > 1 else None
    extractor = network or judge
    assert extractor is not None, "one class alone was refused"
    one = _side(extractor, judge, made.pixels, made.labels if _unnamed(made) else _renumbered(made.labels, numbers))
    other = _side(extractor, judge, real.pixels[unseen], real.labels[unseen])
    order, half = np.random.default_rng(seed).permutation(len(unseen)), len(unseen) // 2
    among = compared(other.select(order[:half]), other.select(order[half : 2 * half]), seed)
    whose = "ImageNet's classes" if isinstance(network, Published) else ""
    figures = tuple(
        replace(f, real=r.value, real_spread=r.spread)
        for f, r in zip(compared(one, other, seed, whose), among, strict=True)
    )
    sure: list[dict[float, Rate]] = [{}, {}]
    if show_faces:
        sure = [surer(faces(rows), least=True) for rows in (made.pixels, real.pixels[unseen])]
    elif judge:
        sure = [surer(side.probabilities.max(1)) for side in (one, other) if side.probabilities is not None]
    return Measured(
        extractor.name,
        len(made.pixels),
        len(unseen),
        half,
        figures,
        "MTCNN of a face" if show_faces else "classifier" if judge else "",
        {level: (sure[0][level], sure[1][level]) for level in sure[0]},
        distances(one, other, seed),
        {} if _unnamed(made) else {real.classes[k]: by_class(one, other, k, seed) for k in numbers},
        _accuracy(made, real, training, unseen, seed) if accuracy else None,
        _right(other),
        frechet.needed(other.features.shape[1]),
    )


def _parts(real: Images, data: str, run: Path | None, seed: int) -> tuple[Labels, Labels]:
    """Rows that train the classifier, and rows that trained nothing: as the run split them, less what it was shown.

    Images are told by their content at the run's size; UsageError where they cannot be.
    """
    if run is None:
        parts = split(real, test=UNSEEN, calibration=0.0, seed=seed)
        return parts.train, parts.test
    how, used = shown(run), parts_of(run)
    parts = split(real, test=how.test or UNSEEN, calibration=0.0, seed=how.seed)
    seen = np.isin(np.array(real.keys), sorted(used["train"] | used["extra_fakes"] | used["calibration"]))
    if real.shape != how.shape or (not seen.any() and Path(how.source).name == data):
        raise UsageError(
            f"the run read images of the shape {how.shape}, these are {real.shape} and none is one that it was shown; "
            "measure at its size, and read with its --value-range"
        )
    return np.union1d(parts.train, parts.test[seen[parts.test]]), parts.test[~seen[parts.test]]


def generated(model: Model, number: int, seed: int) -> Images:
    """So many images of each class that the model makes; UsageError for one without a GAN."""
    able = generators(model)
    pixels = np.concatenate([block for one in able.values() for block in one.images(number, seed=seed)])
    labels = np.repeat(np.arange(len(able)), number)
    return Images(pixels, labels, tuple(able), tuple(f"{i:06d}" for i in range(len(pixels))))


def flat(path: Path) -> bool:
    """Whether it is a folder of loose images, of which nobody says the class: one without folders."""
    try:
        return path.is_dir() and not any(one.is_dir() for one in path.iterdir() if not one.name.startswith("."))
    except OSError:  # reading it will say so
        return False


def _check(made: Images, real: Images, features: Features, *, accuracy: bool) -> None:
    if len(made.shape) != 3:
        raise UsageError("these are vectors; measure compares images")
    if made.shape != real.shape:
        raise UsageError(f"the images have the shape {made.shape}, the real ones {real.shape}; give them one size")
    strange = [name for name in made.classes if name not in real.classes]
    if strange and not _unnamed(made):
        raise UsageError(f"the real images have no class {show(strange[0])}; they have {listed(real.classes)}")
    if features == "own" and len(real.classes) < 2:
        raise UsageError(
            "the real images are of one class, of which no classifier learns features; take another network's "
            "(--features efficientnet or inception)"
        )
    if accuracy and len(np.unique(made.labels[made.labels >= 0])) < 2:
        raise UsageError("--accuracy needs images that are labelled with two classes or more; leave it out")


def _numbers(made: Images, real: Images, run: Path | None) -> list[int]:
    """The real images' numbers of the classes that were made; where nobody names them, of all that the run knows."""
    if _unnamed(made):
        there = real.classes if run is None else names_of(shown(run).known, real.classes)
        return [k for k, name in enumerate(real.classes) if name in there]
    return [real.classes.index(name) for name in made.classes]


def _unnamed(made: Images) -> bool:
    """Whether nobody says which class an image is of."""
    return made.classes in ((), (ANY,))


def _renumbered(labels: Labels, numbers: list[int]) -> Labels:
    """(N,) the number of class k in place of k; -1, no label, stays."""
    return np.array([*numbers, -1])[labels]


def _network(features: Features, weights: Path | None, shape: tuple[int, ...]) -> Extractor | None:
    """None for the classifier that is trained on the real images."""
    if (features == "inception") != (weights is not None):
        raise UsageError(
            f"--features {features} {'without' if weights is None else 'with'} --weights; --features inception needs "
            "--weights FILE, pytorch-fid's pt_inception-2015-12-05-6726825d.pth, and nothing else takes one"
        )
    if weights is not None:
        return published(weights, shape)
    return lite0(shape) if features == "efficientnet" else None


def _side(extractor: Extractor, judge: Own | None, pixels: Pixels, labels: Labels) -> Side:
    features, shares = extractor.features(pixels), judge.probabilities(pixels) if judge else None
    named = extractor.probabilities(features) if isinstance(extractor, Published) else shares
    return Side(features, labels, shares, named)


def _right(real: Side) -> Rate | None:
    """How many images the classifier names rightly, or figures of its features would mean little."""
    if real.probabilities is None:
        return None
    return rate(int((real.probabilities.argmax(1) == real.labels).sum()), len(real.labels))


def _accuracy(made: Images, real: Images, training: Labels, unseen: Labels, seed: int) -> Accuracy:
    """Classes are numbered as the made images' are."""
    of_number = np.full(len(real.classes), -1)
    of_number[[real.classes.index(name) for name in made.classes]] = np.arange(len(made.classes))
    labels = of_number[real.labels]
    training, named = training[labels[training] >= 0], made.labels >= 0
    return accuracy_score(
        (made.pixels[named], made.labels[named]),
        (real.pixels[training], labels[training]),
        (real.pixels[unseen], labels[unseen]),
        seed,
    )
