"""The larger classifier of gan-augmentation-2020: that of the authors' code for CIFAR-100, which the paper leaves out.

Six convolutions in three pairs, the second of each without padding, with ELU; RMSprop 1e-4. How it stops is that of
the paper's classifier.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.errors import UsageError
from lookalike.studies.augment.classifier import Classifier, Network, Shape
from lookalike.studies.augment.classifier import fit as fit_paper

CHANNELS, DENSE = (128, 256, 512), 1024
DROPOUT = (0.0, 0.25, 0.25)  # after each pair
LAST = 0.5  # dropout before the logits
LR, ALPHA, EPS = 1e-4, 0.9, 1e-7  # the latter two are Keras's; its decay of 1e-6 per step is left out
LEAST = 22  # pixels, of which the last pooling leaves one
SUMMARY = (
    "The classifier is a network of six convolutions. It begins with random weights, and stops when the loss on "
    "validation images no longer falls."
)


def six_convolutions(shape: Shape, classes: int) -> Network:
    """The network for images of this shape. Raises UsageError for small ones."""
    c, h, w = shape
    if min(h, w) < LEAST:
        raise UsageError(
            f"the classifier of six convolutions takes images of {LEAST} x {LEAST} pixels or more, not {h} x {w}"
        )
    parts: list[nn.Module] = []
    for out, dropout in zip(CHANNELS, DROPOUT, strict=True):
        pair = [nn.Conv2d(c, out, 3, padding=1), nn.ELU(), nn.Conv2d(out, out, 3), nn.ELU()]
        parts += [*pair, nn.MaxPool2d(2), nn.Dropout(dropout)]
        c, h, w = out, (h - 2) // 2, (w - 2) // 2
    dense = [nn.Linear(c * h * w, DENSE), nn.ELU(), nn.Dropout(LAST), nn.Linear(DENSE, classes)]
    return Network(nn.Sequential(*parts, nn.Flatten(), *dense), classes)


def rmsprop(net: nn.Module) -> torch.optim.Optimizer:
    """The authors' optimiser of a network."""
    return torch.optim.RMSprop(net.parameters(), lr=LR, alpha=ALPHA, eps=EPS)


def fit(pixels: Pixels, labels: Labels, **more: Any) -> Classifier:
    """As `classifier.fit`, with this network and optimiser."""
    return fit_paper(pixels, labels, **more, network=six_convolutions, optimiser=rmsprop)
