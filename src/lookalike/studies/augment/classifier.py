"""The classifier of gan-augmentation-2020, section V.D: three convolutions with max-pooling, dropout, dense layers.

Adam 1e-3, batch 64, cross-entropy; it stops when the validation loss has not fallen for ten epochs, and the weights of
the best epoch count. Channels, dense units and the places of dropout are those of the authors' code for Fashion-MNIST
and for histopathology.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.seeds import generator, seed_of
from lookalike.detect.baselines import networks
from lookalike.features.blocks import in_blocks
from lookalike.studies.augment.transforms import Transform, one_pass

CHANNELS, DENSE, DROPOUT = (16, 32, 64), 512, 0.2
LR, EPOCHS, PATIENCE = 1e-3, 100, 10
Shape = tuple[int, int, int]
SUMMARY = (
    "The classifier is a network of three convolutions. It begins with random weights, and stops when the loss on "
    "validation images no longer falls."
)


class Network(nn.Module):
    """(N, C, H, W) -> (N, K) logits."""

    def __init__(self, layers: nn.Sequential, classes: int) -> None:
        super().__init__()
        self.layers, self.classes = layers, classes
        networks.channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """The logits (N, K) of images."""
        logits: Tensor = self.layers(x)
        return logits


def three_convolutions(shape: Shape, classes: int) -> Network:
    """The network of the paper for images of this shape, with a dropout after the first and the last pooling."""
    c, h, w = shape
    blocks: list[list[nn.Module]] = []
    for out in CHANNELS:  # pooled before ReLU: the same values, fewer to compute
        blocks.append([nn.Conv2d(c, out, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()])
        c, h, w = out, math.ceil(h / 2), math.ceil(w / 2)
    first, *others = blocks
    parts = [*first, nn.Dropout(DROPOUT), *(part for block in others for part in block), nn.Dropout(DROPOUT)]
    dense = [nn.Linear(c * h * w, DENSE), nn.ReLU(), nn.Linear(DENSE, classes)]
    return Network(nn.Sequential(*parts, nn.Flatten(), *dense), classes)


def adam(net: nn.Module) -> torch.optim.Optimizer:
    """The paper's optimiser of a network."""
    return torch.optim.Adam(net.parameters(), lr=LR, fused=True)


@dataclass(frozen=True)
class Classifier:
    """A trained network, and how its training went."""

    net: Network
    epochs: int  # until it stopped
    best: int  # epoch whose weights count, from 1
    loss: float  # its validation loss

    def facts(self) -> dict[str, Any]:
        """How the training went, as JSON values."""
        return {"epochs": self.epochs, "best_epoch": self.best}

    def probabilities(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """(N, K) of images (N, C, H, W) uint8."""
        if not len(pixels):
            return np.zeros((0, self.net.classes), np.float32)
        return np.asarray(in_blocks(lambda x: self.net(x).softmax(1), pixels).numpy())


def fit(
    pixels: Pixels,
    labels: Labels,
    *,
    classes: int,
    validation: tuple[Pixels, Labels],
    seed: int,
    transform: Transform | None = None,
    epochs: int = EPOCHS,
    report: Callable[[int, int], None] = lambda done, of: None,
    network: Callable[[Shape, int], Network] = three_convolutions,
    optimiser: Callable[[nn.Module], torch.optim.Optimizer] = adam,
) -> Classifier:
    """Trains on images (N, C, H, W) uint8 with labels (N,).

    Parameters
    ----------
    pixels, labels
        Training images and their classes, 0 to `classes` - 1.
    classes : int
        The number of classes.
    validation : tuple
        Images and labels that decide when to stop.
    seed : int
        The seed of the weights, the order and the transformations.
    transform : Transform or None
        The transformation of each batch.
    epochs : int
        The largest number of epochs.
    report : callable
        A callable that gets the number of epochs done, and how many there are at most.
    network, optimiser : callable
        The network for a shape and a number of classes, and the optimiser of a network.

    Raises
    ------
    UsageError
        For vectors.
    """
    shape = networks.need_images(pixels.shape[1:], "the classifier")
    net = networks.seeded(lambda: network(shape, classes), seed, "classifier")
    steps = optimiser(net)
    x, y = torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels)
    best, kept, epoch = (math.inf, 0), copy.deepcopy(net.state_dict()), 0
    for epoch in range(1, epochs + 1):
        report(epoch - 1, epochs)
        _pass(net.train(), steps, x, y, classes, transform, seed, epoch)
        loss = _loss(net.eval(), *validation)
        if loss < best[0]:
            best, kept = (loss, epoch), copy.deepcopy(net.state_dict())
        if epoch - best[1] >= PATIENCE:
            break
    net.load_state_dict(kept)
    return Classifier(net.eval(), epoch, best[1], best[0])


def _pass(
    net: Network,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    classes: int,
    transform: Transform | None,
    seed: int,
    epoch: int,
) -> None:
    """One epoch; dropout, order and transformations depend on the seed and the epoch alone."""
    random = generator(seed, "classifier", "epoch", epoch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "dropout", epoch))
        for images, shares in one_pass(x, y, classes, transform, random):
            optimiser.zero_grad()
            cross_entropy(net(images), shares).backward()
            optimiser.step()


def _loss(net: Network, pixels: Pixels, labels: Labels) -> float:
    """Mean cross-entropy of the validation images."""
    logits = in_blocks(net, pixels).double()
    return float(cross_entropy(logits, torch.from_numpy(labels)))
