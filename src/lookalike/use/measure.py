"""The quality and variety of images: their features compared with those of real images held out from training.

Figures from few images scatter, and FID is then too large. So each figure stands beside its number of images and a
spread, and beside the same figure of held-out real images. The latter compares two halves of these images, or uses all;
for FID it compares samples of as many as there are generated images, where there are enough.
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
from lookalike.data.source import UNLABELLED
from lookalike.detect.auc import Rate, rate
from lookalike.detect.model import ANY, Model
from lookalike.features.efficientnet import lite0
from lookalike.features.extractor import Extractor
from lookalike.features.faces import detector, faces
from lookalike.features.inception import Published, published
from lookalike.runs.used import run_split, used_groups, used_images
from lookalike.use.generate import generators
from lookalike.use.nearest import Nearest, nearest
from lookalike.use.quality import frechet
from lookalike.use.quality.accuracy import Accuracy, accuracy_score
from lookalike.use.quality.confidence import surer
from lookalike.use.quality.figures import DRAWS, Equal, Figure, Side, at_equal_numbers, by_class, compared, distances
from lookalike.use.quality.own import Own, own

HELD_OUT = 0.2  # share of the real images that is held out, where there is no official test part
Features = Literal["own", "efficientnet", "inception"]
LEAST = 40  # images per side: KID's standard error needs two halves of them


@dataclass(frozen=True)
class Measured:
    """All figures, and facts about the images and networks behind them."""

    features: str
    made: int
    real: int
    half: int  # images per side of the comparison of real with real images
    figures: tuple[Figure, ...]
    equal: Equal | None  # FID at equal numbers of images; None for too few. It gives the `real` of FID
    sure: str  # the network whose confidence is given, and in what; "" without one
    confidence: Mapping[float, tuple[Rate, Rate]]  # level -> shares of generated and held-out real images above it
    distances: Sequence[Mapping[str, float | None]]  # mean distance of features, by batch size
    classes: Mapping[str, Mapping[str, float | None]]  # class -> the result of `by_class`
    unnamed: tuple[str, ...]  # the sides without classes, "generated" and "real"; where one is, `classes` is empty
    accuracy: Accuracy | None  # None unless `accuracy` was set
    named: Rate | None  # share of held-out real images that the classifier classifies correctly
    needed: int  # images of a class per side that its FID needs
    nearest: Nearest | None  # None unless `beside` was set

    def json(self) -> dict[str, Any]:
        """Return all figures as JSON values."""
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
            "FID at equal numbers": self.equal
            and {
                "images": self.equal.images,
                "draws": DRAWS,
                "made": self.equal.made._asdict(),
                "real": self.equal.real._asdict(),
            },
            "sure": self.sure,
            "confidence": surer,
            "distances": [dict(one) for one in self.distances],
            "classes": {name: dict(one) for name, one in self.classes.items()},
            "without classes": list(self.unnamed),
            "accuracy": cas,
            "named": self.named and asdict(self.named),
            "needed": self.needed,
            "nearest": self.nearest and self.nearest.json(),
        }


def measure(
    made: Images,
    real: Images,
    data: str,
    *,
    run: Path | None = None,
    features: Features | None = None,
    weights: Path | None = None,
    show_faces: bool = False,
    accuracy: bool = False,
    beside: bool = False,
    seed: int = 0,
) -> Measured:
    """Compare images with real images held out from training, after a classifier was trained on other real images.

    Parameters
    ----------
    made : Images
        The images to measure. Their classes are among the real ones', or `any`, or there are none.
    real : Images
        Real images of the same size. Their groups, where they have some, stay on one side: in training or held out.
        Without classes they train no classifier, so all that `run` did not use are held out, and the classes of `made`
        do not count.
    data : str
        The name of the real images in the report.
    run : Path, optional
        The run that generated the images. Its training images are not among the held-out ones. Real images that it
        trained on without a label form no class. Images without a class are compared with its known classes. Where it
        was split by group, the real images are too, and no image of a group that it used is held out. Without
        `run`, the official test images are held out, or a fifth that `seed` draws.
    features : {"own", "efficientnet", "inception"}, optional
        Features of that classifier, of EfficientNet-Lite0 trained on ImageNet, or of
        Inception-v3 in FID's published form. The latter's classes also give the inception score. None is "own" where
        the real images have two classes or more, and else "efficientnet".
    weights : Path, optional
        The weights file of Inception-v3.
    show_faces : bool
        Whether MTCNN's confidence in a face replaces the classifier's confidence in a class.
    accuracy : bool
        Whether to train one classifier on the measured images and one on as many real images (CAS).
    beside : bool
        Whether to find the real images nearest to some generated ones. All of `real` count, as copies are of training
        images.
    seed : int
        Seed of the split, the training and all random draws.

    Raises
    ------
    UsageError
        For vectors, or classes or shapes that differ from the real ones. Also for "own" with fewer than two real
        classes, `accuracy` with fewer than two classes, or weights that are not installed.
    DataError
        For fewer than 40 images on either side.
    ModelError
        For a `run` with a missing or damaged record.
    """
    every = real
    unnamed = tuple(name for name, side in (("generated", made), ("real", real)) if _unnamed(side))
    if not real.classes:
        made = replace(made, labels=np.full(len(made), UNLABELLED), classes=())
    features = features or ("own" if len(real.classes) > 1 else "efficientnet")
    if run is not None:
        real = real.without(run_split(run).unlabelled)
        if real.groups is None and (groups := used_groups(run)) and groups.by is not None:
            real = real.grouped(groups.by)
    _check(made, real, features, accuracy=accuracy)
    network = _network(features, weights, real.shape)  # errors come before the long training
    if show_faces:
        detector()
    training, held_out = _parts(real, data, run, seed)
    numbers = _numbers(made, real, run)
    held_out = held_out[np.isin(real.labels[held_out], numbers)]
    others = "give real images that the run did not learn from, or train with --test 0.2" if run else "add images"
    for rows, what, do in (
        (made.pixels, "images to measure", "add images"),
        (held_out, "held-out real images", others),
    ):
        if len(rows) < LEAST:
            raise DataError(f"{what}: {len(rows)}; {LEAST} are needed, and hundreds for reliable figures; {do}")
    judge = own(real.pixels[training], real.labels[training], data, seed) if len(real.classes) > 1 else None
    extractor = network or judge
    assert extractor is not None, "_check refuses one class alone"
    # From here on, the classes of both sides have the numbers of the real images.
    one = _side(extractor, judge, made.pixels, made.labels if _unnamed(made) else _renumbered(made.labels, numbers))
    other = _side(extractor, judge, real.pixels[held_out], real.labels[held_out])
    order, half = np.random.default_rng(seed).permutation(len(held_out)), len(held_out) // 2
    among = compared(other.select(order[:half]), other.select(order[half : 2 * half]), seed)
    whose = "ImageNet's classes" if isinstance(network, Published) else ""
    figures = tuple(
        replace(f, real=r.value, real_spread=r.spread)
        for f, r in zip(compared(one, other, seed, whose), among, strict=True)
    )
    equal = at_equal_numbers(one.features, other.features, seed)
    sure: list[dict[float, Rate]] = [{}, {}]
    if show_faces:
        sure = [surer(faces(rows), least=True) for rows in (made.pixels, real.pixels[held_out])]
    elif judge:
        sure = [surer(side.probabilities.max(1)) for side in (one, other) if side.probabilities is not None]
    return Measured(
        extractor.name,
        len(made.pixels),
        len(held_out),
        half,
        tuple(_fair(each, equal) for each in figures),
        equal,
        "MTCNN of a face" if show_faces else "classifier" if judge else "",
        {level: (sure[0][level], sure[1][level]) for level in sure[0]},
        distances(one, other, seed),
        {} if _unnamed(made) else {real.classes[k]: by_class(one, other, k, seed) for k in numbers},
        unnamed,
        _accuracy(made, real, training, held_out, seed) if accuracy else None,
        _right(other),
        frechet.needed(other.features.shape[1]),
        nearest(made, every, extractor.features, seed) if beside else None,
    )


def _fair(figure: Figure, equal: Equal | None) -> Figure:
    """Return FID beside that of real images at a number of images that generated ones are compared at too."""
    if figure.name != "FID" or not equal:
        return figure
    note = "lower is better; at equal numbers: see below"
    return replace(figure, real=equal.real.mean, real_spread=equal.real.sd, note=note)


def _parts(real: Images, data: str, run: Path | None, seed: int) -> tuple[Labels, Labels]:
    """Return the rows that train the classifier, and the held-out rows.

    With `run`, the split is the run's, and the images that it used are not held out. Images are recognised by their
    content at the run's size; UsageError where they cannot be. Images without classes train no classifier.
    """
    if run is None:
        return _split(real, HELD_OUT, seed)
    how, used = run_split(run), used_images(run)
    train, test = _split(real, how.test or HELD_OUT, how.seed)
    trained = np.isin(np.array(real.keys), sorted(used["train"] | used["extra_fakes"] | used["calibration"]))
    if real.shape != how.shape or (not trained.any() and Path(how.source).name == data):
        raise UsageError(
            f"the run read images of shape {how.shape}, but these have shape {real.shape} and none of them trained it; "
            "measure at the run's size, and read with its --value-range"
        )
    if real.groups is not None and (groups := used_groups(run)):
        trained |= np.isin(np.array(real.groups.of), sorted(groups.trained))
    return np.union1d(train, test[trained[test]]), test[~trained[test]]


def _split(real: Images, test: float, seed: int) -> tuple[Labels, Labels]:
    """Return the rows of the training and the test part; without classes, all are in the latter."""
    if not real.classes:
        return np.arange(0), np.arange(len(real))
    parts = split(real, test=test, calibration=0.0, seed=seed)
    return parts.train, parts.test


def generated(model: Model, number: int, seed: int) -> Images:
    """Return `number` images of each class that the model generates; UsageError for a model without a GAN."""
    able = generators(model)
    pixels = np.concatenate([block for one in able.values() for block in one.images(number, seed=seed)])
    labels = np.repeat(np.arange(len(able)), number)
    return Images(pixels, labels, tuple(able), tuple(f"{i:06d}" for i in range(len(pixels))))


def _check(made: Images, real: Images, features: Features, *, accuracy: bool) -> None:
    if len(made.shape) != 3:
        raise UsageError("the data are vectors, but measure compares images; give images")
    if made.shape != real.shape:
        raise UsageError(f"the images have shape {made.shape}, the real ones {real.shape}; give both at one size")
    strange = [name for name in made.classes if name not in real.classes]
    if strange and not _unnamed(made):
        raise UsageError(f"the real images have no class {show(strange[0])}; they have {listed(real.classes)}")
    if features == "own" and len(real.classes) < 2:
        few = "one class" if real.classes else "no classes"
        raise UsageError(
            f"the real images have {few}, so no classifier can learn features; use another network's "
            "(--features efficientnet or inception)"
        )
    if accuracy and len(np.unique(made.labels[made.labels >= 0])) < 2:
        raise UsageError("--accuracy needs images labelled with two classes or more; leave it out")


def _numbers(made: Images, real: Images, run: Path | None) -> list[int]:
    """Return the real images' numbers of the measured classes; without labels, of all that the run knows."""
    if not real.classes:
        return [UNLABELLED]
    if _unnamed(made):
        there = real.classes if run is None else names_of(run_split(run).known, real.classes)
        return [k for k, name in enumerate(real.classes) if name in there]
    return [real.classes.index(name) for name in made.classes]


def _unnamed(made: Images) -> bool:
    """Return whether the images have no classes."""
    return made.classes in ((), (ANY,))


def _renumbered(labels: Labels, numbers: list[int]) -> Labels:
    """Return labels (N,) with the number of class k in place of k; the label -1 stays."""
    # The index -1 reads the last entry.
    return np.array([*numbers, -1])[labels]


def _network(features: Features, weights: Path | None, shape: tuple[int, ...]) -> Extractor | None:
    """Return the published network, or None for the classifier that is trained on the real images."""
    if (features == "inception") != (weights is not None):
        raise UsageError(
            f"--features {features} {'without' if weights is None else 'with'} --weights; --features inception needs "
            "--weights FILE, pytorch-fid's pt_inception-2015-12-05-6726825d.pth, and other features take no file"
        )
    if weights is not None:
        return published(weights, shape)
    return lite0(shape) if features == "efficientnet" else None


def _side(extractor: Extractor, judge: Own | None, pixels: Pixels, labels: Labels) -> Side:
    features, shares = extractor.features(pixels), judge.probabilities(pixels) if judge else None
    named = extractor.probabilities(features) if isinstance(extractor, Published) else shares
    return Side(features, labels, shares, named)


def _right(real: Side) -> Rate | None:
    """Return the share of real images that the classifier classifies correctly; it shows what its features mean."""
    if real.probabilities is None:
        return None
    return rate(int((real.probabilities.argmax(1) == real.labels).sum()), len(real.labels))


def _accuracy(made: Images, real: Images, training: Labels, held_out: Labels, seed: int) -> Accuracy:
    """Return the CAS; the classes have the numbers of the measured images."""
    of_number = np.full(len(real.classes), -1)
    of_number[[real.classes.index(name) for name in made.classes]] = np.arange(len(made.classes))
    labels = of_number[real.labels]
    training, named = training[labels[training] >= 0], made.labels >= 0
    return accuracy_score(
        (made.pixels[named], made.labels[named]),
        (real.pixels[training], labels[training]),
        (real.pixels[held_out], labels[held_out]),
        seed,
    )
