"""An embedding by metric learning (mcgan-2021, section 4): images of one class get similar points, by cosine.

The papers describe a shallow CNN of three layers, pairs of one class, and cosines as the logits of a softmax. Their
sentences follow keras-io's example metric_learning, so we use its values where the papers give none. These are 3 x 3
convolutions of stride 2 with 32, 64 and 128 channels, ReLU, and mean pooling. The embedding has 8 dimensions, the
temperature is 0.2, and Adam has the step size 1e-3. Padding is our choice, so that images of any size can be read, and
so are torch's first weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from lookalike.base.arrays import Index, Report
from lookalike.base.seeds import generator
from lookalike.data import scaled
from lookalike.detect.baselines.networks import seeded

KIND = "embedding"
CHANNELS, LR = (32, 64, 128), 1e-3


class Embedding(nn.Module):
    """The shallow CNN of three layers: it maps (N, C, H, W) in [-1, 1] to (N, dimensions), each of length 1."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for i, o in zip((channels, *CHANNELS), CHANNELS, strict=False):
            parts += [nn.Conv2d(i, o, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS[-1], dimensions))

    def forward(self, x: Tensor) -> Tensor:
        """Return points (N, dimensions) on the unit sphere."""
        return normalize(self.layers(x))


def learn(
    pixels: npt.NDArray[Any],
    labels: Index,
    *,
    temperature: float = 0.2,
    dimensions: int = 8,
    steps: int = 3000,
    seed: int = 0,
    report: Report = lambda stage, done, of: None,
) -> Embedding:
    """Return an embedding trained on one pair of images of each class per step.

    Parameters
    ----------
    pixels, labels
        uint8 (N, C, H, W), and int64 (N,) with the classes 0 to K - 1, each at least once.
    temperature, dimensions, steps, seed
        Cosines are divided by the temperature. Each step updates the weights once, on 2 K images.
    report : callable
        Called with the progress.
    """
    net = seeded(lambda: Embedding(pixels.shape[1], dimensions), seed, KIND).train()
    adam = torch.optim.Adam(net.parameters(), lr=LR)
    members = [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]
    for step in range(steps):
        anchors, positives = draw(members, seed, step)
        points = net(torch.from_numpy(scaled(pixels[np.concatenate([anchors, positives])])))
        adam.zero_grad()
        contrast(points[: len(members)], points[len(members) :], temperature).backward()
        adam.step()
        report("training", step + 1, steps)
    return net.eval()


def draw(members: Sequence[Index], seed: int, step: int) -> tuple[Index, Index]:
    """Return an anchor (K,) of each class and a positive (K,): another image of the class where there are two."""
    counts = np.array([len(rows) for rows in members])
    u, v = torch.rand(2, len(counts), generator=generator(seed, KIND, step), dtype=torch.float64).numpy()
    anchors = (u * counts).astype(np.int64)
    # A step of 1 to count - 1 from the anchor, so that the positive is another image.
    positives = (anchors + 1 + (v * (counts - 1)).astype(np.int64)) % counts
    first, second = (np.array([rows[i] for rows, i in zip(members, n, strict=True)]) for n in (anchors, positives))
    return first, second


def contrast(anchors: Tensor, positives: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of the cosines over the temperature; anchor and positive are (K, F) of length 1.

    The label of anchor k is k: its own positive, among those of all classes.
    """
    return cross_entropy(anchors @ positives.T / temperature, torch.arange(len(anchors)))
