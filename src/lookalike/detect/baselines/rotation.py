"""Self-supervision by rotation (Golan and El-Yaniv 2018): a network learns by how much known images were turned.

The score is the Mahalanobis distance of an image's features to those of the known images; its other part is how badly
the network tells the image's own turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from lookalike.base import checkpoint
from lookalike.base.arrays import Pixels
from lookalike.detect.baselines import networks
from lookalike.detect.detector import Scores
from lookalike.features.blocks import in_blocks

KIND = "rotation"
WIDTH, STEPS, BATCH, LR = 32, 300, 32, 1e-3
FEATURES = 4 * WIDTH


class Network(nn.Module):
    """Three convolutions, mean-pooled features, and a linear layer that names one of four turns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for i, o in ((channels, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, FEATURES)):
            parts += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        self.features = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.turn = nn.Linear(FEATURES, 4)
        networks.channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) -> (N, 4) logits of a turn by 0, 90, 180 and 270 degrees."""
        logits: Tensor = self.turn(self.features(x))
        return logits


class Rotation:
    """Mahalanobis distance on the features of a trained `Network`.

    Parameters
    ----------
    net : Module
        Trained.
    mean, precision : Tensor
        (F,) and (F, F) float64, of the known images' features.
    """

    kind = KIND
    paper = "rotation-2018"
    summary = (
        "A small network learns to tell by how much an image of the known class was turned; the score is the "
        "Mahalanobis distance of an image's features to the known ones. Strong where the class has an upright position."
    )

    def __init__(self, net: Network, mean: Tensor, precision: Tensor) -> None:
        self.net, self.mean, self.precision = net.eval(), mean, precision

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> Rotation:
        """Trains on known images (N, C, H, W) uint8, made square; UsageError for vectors."""
        channels, _, _ = networks.need_images(pixels.shape[1:], KIND)
        net = networks.seeded(lambda: Network(channels), seed, KIND).train()
        adam = torch.optim.Adam(net.parameters(), lr=LR)
        for x in networks.batches(pixels, BATCH, STEPS, seed, KIND):
            upright = _square(x)
            turned = torch.cat([torch.rot90(upright, k, (2, 3)) for k in range(4)])
            adam.zero_grad()
            cross_entropy(net(turned), torch.arange(4).repeat_interleave(len(x))).backward()
            adam.step()
        net.eval()
        fitted = LedoitWolf().fit(in_blocks(lambda x: net.features(_square(x)), pixels).double().numpy())
        mean, precision = (torch.from_numpy(np.ascontiguousarray(a)) for a in (fitted.location_, fitted.precision_))
        return cls(net, mean, precision)

    def score(self, pixels: Pixels) -> Scores:
        """Squared Mahalanobis distance ("features"), and the cross-entropy of the four turns ("turns")."""
        found = in_blocks(self._judged, pixels).numpy()
        return Scores(found[:, 0], {"features": found[:, 0], "turns": found[:, 1]})

    def _judged(self, x: Tensor) -> Tensor:
        """(N, 2) float64: the squared distance, and minus the log-probability of the right turn, over the four."""
        upright = _square(x)
        features = [self.net.features(torch.rot90(upright, k, (2, 3))) for k in range(4)]
        away = features[0].double() - self.mean
        right = [self.net.turn(f).double().log_softmax(1)[:, k] for k, f in enumerate(features)]
        return torch.stack([((away @ self.precision) * away).sum(1), -torch.stack(right).sum(0)], 1)

    def tensors(self) -> dict[str, Tensor]:
        """Weights, mean and precision."""
        return networks.state(self.net) | {"mean": self.mean, "precision": self.precision}

    def facts(self) -> dict[str, Any]:
        """Nothing else is needed."""
        return {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Rotation:
        """The detector of images of `shape` that gave `tensors`; raises ModelError for anything else."""
        networks.no_settings(facts, KIND)
        net = Network(networks.need_images(shape, KIND)[0])
        rest = {"mean": torch.zeros(FEATURES).double(), "precision": torch.zeros(FEATURES, FEATURES).double()}
        checkpoint.match(tensors, net.state_dict() | rest, KIND)
        net.load_state_dict({name: tensors[name] for name in net.state_dict()})
        return cls(net, tensors["mean"], tensors["precision"])


def _square(x: Tensor) -> Tensor:
    """Rectangles made square by their longer side, so that every turn has one shape."""
    side = max(x.shape[2:])
    return x if x.shape[2] == x.shape[3] else interpolate(x, (side, side), mode="bilinear")
