"""A linear probe: logistic regression on features that a frozen network has of the images.

The features are those of the last layer of EfficientNet-Lite0, averaged over the image and brought to length one. How
strongly the weights are kept small is decided by the validation loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.seeds import generator
from lookalike.data.images import as_pixels
from lookalike.detect.baselines.networks import need_images
from lookalike.detect.members import Member
from lookalike.detect.seen import seen
from lookalike.features.efficientnet import LITE0
from lookalike.studies.augment.transforms import Transform, one_pass

SIDE = 160  # pixels at which the network sees an image; twice as quick as 224, and about as accurate
LOOK = Member("neighbours", SIDE, (LITE0.head.name,), unit=True)  # read as `auto` does, so that rows are shared
STRENGTHS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # C of scikit-learn; a larger one lets weights be larger
STEPS = 1000  # of the solver, at most
COPIES = 2  # changed copies of each image, where images are transformed
SUMMARY = (
    "The classifier is a linear probe: logistic regression on features of EfficientNet-Lite0, which ImageNet trained. "
    "Validation images decide how small its weights are kept. For affine and mixup it learns from each image and from "
    f"{COPIES} changed copies of it."
)

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """A fitted regression, the number of classes, and its validation loss."""

    of: LogisticRegression
    classes: int
    loss: float

    def facts(self) -> dict[str, Any]:
        """How the training went, as JSON values."""
        return {"strength": self.of.C}

    def probabilities(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(N, K) of images (N, C, H, W) uint8; 0 for a class that it was not trained on."""
        return _probabilities(self.of, features(pixels), self.classes)


def fit(
    pixels: Pixels,
    labels: Labels,
    *,
    classes: int,
    validation: tuple[Pixels, Labels],
    seed: int,
    transform: Transform | None = None,
) -> Probe:
    """Trains on images (N, C, H, W) uint8 with labels (N,).

    Parameters
    ----------
    pixels, labels
        Training images and their classes, 0 to `classes` - 1, two or more of which occur.
    classes : int
        The number of classes.
    validation : tuple
        Images and labels that decide on the strength.
    seed : int
        The seed of the transformations.
    transform : Transform or None
        What the copies of the images went through; None: there are no copies.

    Raises
    ------
    UsageError
        For vectors.
    """
    need_images(pixels.shape[1:], "the linear probe")
    rows, shares = features(pixels), np.eye(classes, dtype=np.float32)[labels]
    if transform is not None:
        copies, mixed = _copies(pixels, labels, classes, transform, seed)
        rows, shares = np.concatenate([rows, features(copies)]), np.concatenate([shares, mixed])
    image, label = np.nonzero(shares)  # an image of two classes counts for each, by its share
    held = features(validation[0])
    probes = []
    for strength in STRENGTHS:
        of = LogisticRegression(C=strength, max_iter=STEPS).fit(rows[image], label, shares[image, label])
        probes.append(Probe(of, classes, _loss(_probabilities(of, held, classes), validation[1])))
    return min(probes, key=lambda probe: probe.loss)


def features(pixels: Pixels) -> Rows:
    """Rows (N, 1280) of length one, of images (N, C, H, W) uint8, one or more."""
    return np.concatenate([found[LOOK][:n].numpy() for n, found in seen(LITE0, pixels, [LOOK], lambda _n: None)])


def _copies(
    pixels: Pixels, labels: Labels, classes: int, transform: Transform, seed: int
) -> tuple[Pixels, npt.NDArray[np.float32]]:
    """Changed images (COPIES x N, C, H, W) uint8, and their shares of each class."""
    x, y = torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels)
    found = [
        (as_pixels(images), shares.numpy())
        for copy in range(COPIES)
        for images, shares in one_pass(x, y, classes, transform, generator(seed, "probe", "copy", copy))
    ]
    changed, mixed = zip(*found, strict=True)
    return np.concatenate(changed), np.concatenate(mixed).astype(np.float32)


def _probabilities(of: LogisticRegression, rows: Rows, classes: int) -> npt.NDArray[np.float32]:
    found = np.zeros((len(rows), classes), np.float32)
    found[:, of.classes_] = of.predict_proba(rows)
    return found


def _loss(probabilities: npt.NDArray[np.float32], labels: Labels) -> float:
    """Mean cross-entropy."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(true.clip(np.finfo(np.float32).tiny)).mean())
