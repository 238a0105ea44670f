"""Which generated images are kept: what D finds real, what a classifier takes for its class, what is no copy."""

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

Kept = npt.NDArray[np.bool_]
Filter = Callable[[Pixels], Kept]  # images (N, ...) -> (N,)
POOL = 512  # images that set D's limit


@dataclass(frozen=True)
class Filters:
    """What the user asked for.

    Parameters
    ----------
    realness : float
        Share of the generated images that is kept: those that D finds most real (after Azadi et al. 2019).
    agree : bool
        A classifier of the real images must take the image for the class that it was made for.
    drop_copies : bool
        No image may be closer to a training image than every unseen one is; see `lookalike.use.memorised`.
    """

    realness: float = 1.0
    agree: bool = False
    drop_copies: bool = False


def most_real(gan: GAN, label: int | None, pool: Pixels, share: float) -> Filter:
    """Keeps what D finds as real as the best `share` of a pool of generated images."""
    _, D = gan.frozen(label)

    @torch.no_grad()
    def realness(images: Pixels) -> Floats:
        x = torch.from_numpy(np.ascontiguousarray(scaled(images))).to(gan.device)
        y = None if label is None else torch.full((len(x),), label, device=gan.device)
        z = gan.encode(x, y) if Need.Z in gan.method.head.needs else None
        return np.asarray(D(Batch(x, y, z, None)).realness.double().cpu().numpy())

    limit = np.quantile(realness(pool), 1 - share)
    return lambda images: realness(images) >= limit


def agrees(images: Images, parts: Mapping[str, frozenset[str]], seed: int) -> dict[str, Filter]:
    """Of each class: keeps what a small CNN takes for it that was trained on the same real images as the GAN."""
    rows = np.isin(images.keys, sorted(parts["train"])) & (images.labels >= 0)
    classifier = CNN.fit(images.pixels[rows], images.labels[rows], seed)

    def of(label: int) -> Filter:
        def keeps(made: Pixels) -> Kept:
            shares = classifier.score(made).classes
            assert shares is not None
            return np.asarray(shares.argmax(1) == label)

        return keeps

    return {name: of(label) for label, name in enumerate(images.classes)}


def no_copies(memory: Memory) -> Filter:
    """Keeps what is no closer to a training image than unseen images are."""
    return lambda images: ~memory.copies(memory.closeness(images)[0])
