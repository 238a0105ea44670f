"""Filters of generated images, by D's realness, by a classifier, and by closeness to training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import Images, scaled
from lookalike.detect.baselines.classifier import CNN
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.needs import Need
from lookalike.use.memorised import Memory
from lookalike.use.quality.own import Own

Kept = npt.NDArray[np.bool_]
Filter = Callable[[Pixels], Kept]  # images (N, ...) -> (N,), True where an image is kept
POOL = 512  # generated images that set the limit of D's realness


@dataclass(frozen=True)
class Filters:
    """The filters that the user chose.

    Parameters
    ----------
    realness : float
        Share of the generated images that is kept: those with the highest realness by D (after Azadi et al. 2019).
    agree : bool
        Whether a classifier of the real images must give the class that the image was generated for.
    drop_copies : bool
        Whether near-copies of training images are dropped (`lookalike.use.memorised`).
    """

    realness: float = 1.0
    agree: bool = False
    drop_copies: bool = False


def most_real(gan: GAN, label: int | None, pool: Pixels, share: float) -> Filter:
    """Return a filter that keeps images whose realness by D reaches that of the best `share` of a pool."""
    _, D = gan.frozen(label)

    @torch.no_grad()
    def realness(images: Pixels) -> Floats:
        x = torch.from_numpy(np.ascontiguousarray(scaled(images))).to(gan.device)
        y = None if label is None else torch.full((len(x),), label, device=gan.device)
        z = gan.encode(x, y) if Need.Z in gan.method.head.needs else None
        return np.asarray(D(Batch(x, y, z, None)).realness.double().cpu().numpy())

    limit = np.quantile(realness(pool), 1 - share)
    return lambda images: realness(images) >= limit


def judge(images: Images, parts: Mapping[str, frozenset[str]], seed: int) -> Own | None:
    """Return a small CNN of the GAN's real training images; None where these are of one class."""
    rows = np.isin(images.keys, sorted(parts["train"])) & (images.labels >= 0)
    if len(np.unique(images.labels[rows])) < 2:
        return None
    return Own("a small CNN of the real training images", CNN.fit(images.pixels[rows], images.labels[rows], seed))


def agrees(classifier: Own, label: int) -> Filter:
    """Return a filter that keeps images that the classifier gives this class."""
    return lambda images: np.asarray(classifier.probabilities(images).argmax(1) == label)


def no_copies(memory: Memory) -> Filter:
    """Return a filter that drops images closer to a training image than nearly all of these are to another."""
    return lambda images: ~memory.copies(memory.closeness(images)[0])
