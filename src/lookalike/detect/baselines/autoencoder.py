"""A convolutional autoencoder trained on the known class: an image that it cannot reconstruct is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lookalike.base.arrays import Pixels
from lookalike.data.images import as_pixels
from lookalike.detect.baselines import networks
from lookalike.detect.detector import Scores
from lookalike.features.blocks import in_blocks

KIND = "autoencoder"
CODE, WIDTH, STEPS, BATCH, LR = 32, 16, 2000, 64, 1e-3


class Network(nn.Module):
    """Two strided convolutions to a code of 32 numbers, and a decoder back to the image.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W).
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        c, h, w = shape
        small = (2 * WIDTH, -(-h // 4), -(-w // 4))  # sides after two strides of 2, rounded up
        entries = small[0] * small[1] * small[2]
        self.encode = nn.Sequential(
            nn.Conv2d(c, WIDTH, 3, 2, 1), nn.ReLU(), nn.Conv2d(WIDTH, 2 * WIDTH, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(entries, CODE),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.Linear(CODE, entries), nn.ReLU(), nn.Unflatten(1, small),
            nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(WIDTH, c, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.sides = (h, w)
        networks.channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of (N, C, H, W) in [-1, 1]."""
        rebuilt: Tensor = self.decode(self.encode(x))
        # The decoder's sides are multiples of 4; what goes beyond the image is cut off.
        return rebuilt[..., : self.sides[0], : self.sides[1]]


class Autoencoder:
    """A detector whose score is the reconstruction error of a trained `Network`."""

    kind = KIND
    paper = "autoencoder-2006"
    side = None
    vectors = False
    most_images = None
    summary = (
        "A small convolutional autoencoder compresses images of the known class to 32 numbers; the score is the "
        "squared error of its reconstruction."
    )

    def __init__(self, net: nn.Module) -> None:
        self.net = net.eval()

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> Autoencoder:
        """Return a detector trained on known images (N, C, H, W) uint8; raises UsageError for vectors."""
        shape = networks.need_images(pixels.shape[1:], KIND)
        net = networks.seeded(lambda: Network(shape), seed, KIND).train()
        adam = torch.optim.Adam(net.parameters(), lr=LR)
        for x in networks.batches(pixels, BATCH, STEPS, seed, KIND):
            adam.zero_grad()
            (net(x) - x).square().flatten(1).sum(1).mean().backward()
            adam.step()
        return cls(net)

    def score(self, pixels: Pixels) -> Scores:
        """Return the sum of squared differences on [-1, 1]; the nearest image is the reconstruction."""
        rebuilt = in_blocks(self.net, pixels)
        return Scores(in_blocks(self.scored, pixels).numpy(), {}, as_pixels(rebuilt))

    def scored(self, x: Tensor) -> Tensor:
        """Return the scores, float64 (N,), of images (N, C, H, W) in [-1, 1]."""
        error: Tensor = (self.net(x) - x).double().square().flatten(1).sum(1)
        return error

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights."""
        return networks.state(self.net)

    def facts(self) -> dict[str, Any]:
        """Return an empty dict: there are no settings."""
        return {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Autoencoder:
        """Return the detector for images of `shape` that gave `tensors`; raises ModelError for anything else."""
        networks.no_settings(facts, KIND)
        net = Network(networks.need_images(shape, KIND))
        networks.take(net, tensors, KIND)
        return cls(net)
