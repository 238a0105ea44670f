"""The sub-classes of a model whose classes were split, and the sub-class of each new image: what D says of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.detect.detector import Detector
from lookalike.detect.gan import GANDetector
from lookalike.detect.openset import OpenSet
from lookalike.features.blocks import in_blocks
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.needs import Need


def split_gan(detector: Detector) -> GAN | None:
    """Return the GAN of a detector whose classes were split, which all known classes share, or None."""
    first = next(iter(detector.members.values())) if isinstance(detector, OpenSet) else detector
    return first.gan if isinstance(first, GANDetector) and first.gan.tree.splits else None


def leaf_shares(gan: GAN, pixels: Pixels) -> Floats:
    """Return (N, leaves) probabilities of the sub-classes of images (N, C, H, W) uint8 or vectors (N, F) float32.

    They are those of D's class logits. Where D is told the class and does not classify, they are the softmax of its
    realness given each sub-class.
    """
    _, D = gan.frozen(0 if gan.conditional else None)

    def said(x: Tensor) -> Tensor:
        x = x.to(gan.device)
        if D.head.classifies and Need.LABELS not in D.head.needs:
            logits = D(Batch(x, None, None, None)).classes
        else:
            given = [torch.full((len(x),), leaf, device=x.device) for leaf in range(gan.classes)]
            logits = torch.stack([D(Batch(x, y, None, None)).realness for y in given], 1)
        return logits.double().softmax(1).cpu()  # type: ignore[no-any-return]

    return np.asarray(in_blocks(said, pixels).numpy())


def leaf_of(gan: GAN, shares: Floats, classes: Labels) -> Labels:
    """Return (N,) the likeliest sub-class of each image among those of its class, for shares (N, leaves)."""
    roots = np.array([path[0] for path in gan.tree.paths])
    return np.asarray(np.where(roots == classes[:, None], shares, -1.0).argmax(1))
