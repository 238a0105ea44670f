"""Self-supervision by rotation (Golan and El-Yaniv 2018): a network learns by how much a known image was rotated.

The score is the Mahalanobis distance of an image's features from those of the known images (Lee et al. 2018), in place
of the paper's Dirichlet score. A second part is the network's cross-entropy on the image's own rotations.
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
    """Three convolutions, mean-pooled features, and a linear layer that classifies four rotations."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for i, o in ((channels, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, FEATURES)):
            parts += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
        self.features = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.turn = nn.Linear(FEATURES, 4)
        networks.channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, 4) of a rotation by 0, 90, 180 and 270 degrees, for images (N, C, S, S)."""
        logits: Tensor = self.turn(self.features(x))
        return logits


class Rotation:
    """A detector by the Mahalanobis distance of a trained `Network`'s features.

    Parameters
    ----------
    net : Module
        The trained network.
    mean, precision : Tensor
        Float64 (F,) and (F, F), the mean and the inverse covariance of the known images' features.
    """

    kind = KIND
    paper = "rotation-2018"
    side = None
    vectors = False
    most_images = None
    summary = (
        "A small network learns by how much an image of the known class was rotated; the score is the Mahalanobis "
        "distance of an image's features to the known ones. Strong where the class has an upright position."
    )

    def __init__(self, net: Network, mean: Tensor, precision: Tensor) -> None:
        self.net, self.mean, self.precision = net.eval(), mean, precision

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> Rotation:
        """Return a detector trained on known images (N, C, H, W) uint8, made square; UsageError for vectors."""
        channels, _, _ = networks.need_images(pixels.shape[1:], KIND)
        net = networks.seeded(lambda: Network(channels), seed, KIND).train()
        adam = torch.optim.Adam(net.parameters(), lr=LR)
        for x in networks.batches(pixels, BATCH, STEPS, seed, KIND):
            upright = _square(x)
            # Each image is in the batch once per rotation, as in the paper.
            turned = torch.cat([torch.rot90(upright, k, (2, 3)) for k in range(4)])
            adam.zero_grad()
            cross_entropy(net(turned), torch.arange(4).repeat_interleave(len(x))).backward()
            adam.step()
        net.eval()
        # Ledoit-Wolf shrinks the covariance, so that it has an inverse even for few images.
        fitted = LedoitWolf().fit(in_blocks(lambda x: net.features(_square(x)), pixels).double().numpy())
        mean, precision = (torch.from_numpy(np.ascontiguousarray(a)) for a in (fitted.location_, fitted.precision_))
        return cls(net, mean, precision)

    def score(self, pixels: Pixels) -> Scores:
        """Return the squared Mahalanobis distance ("features") and the cross-entropy of the rotations ("turns")."""
        found = in_blocks(self._judged, pixels).numpy()
        return Scores(found[:, 0], {"features": found[:, 0], "turns": found[:, 1]})

    def _judged(self, x: Tensor) -> Tensor:
        """Return float64 (N, 2): the squared distance, and the negative log-probability of all four rotations."""
        upright = _square(x)
        features = [self.net.features(torch.rot90(upright, k, (2, 3))) for k in range(4)]
        away = features[0].double() - self.mean
        right = [self.net.turn(f).double().log_softmax(1)[:, k] for k, f in enumerate(features)]
        # (f - mean)^T precision (f - mean), and -sum over k of log p(rotation k | image rotated by k)
        return torch.stack([((away @ self.precision) * away).sum(1), -torch.stack(right).sum(0)], 1)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights, the mean and the precision."""
        return networks.state(self.net) | {"mean": self.mean, "precision": self.precision}

    def facts(self) -> dict[str, Any]:
        """Return an empty dict: there are no settings."""
        return {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Rotation:
        """Return the detector for images of `shape` that gave `tensors`; raises ModelError for anything else."""
        networks.no_settings(facts, KIND)
        net = Network(networks.need_images(shape, KIND)[0])
        rest = {"mean": torch.zeros(FEATURES).double(), "precision": torch.zeros(FEATURES, FEATURES).double()}
        checkpoint.match(tensors, net.state_dict() | rest, KIND)
        net.load_state_dict({name: tensors[name] for name in net.state_dict()})
        return cls(net, tensors["mean"], tensors["precision"])


def _square(x: Tensor) -> Tensor:
    """Resize rectangles to squares of their longer side, so that all four rotations have one shape."""
    side = max(x.shape[2:])
    return x if x.shape[2] == x.shape[3] else interpolate(x, (side, side), mode="bilinear")
