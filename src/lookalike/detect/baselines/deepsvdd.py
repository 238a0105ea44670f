"""Deep SVDD (Ruff et al. 2018): a network maps the known class close to a centre; an image mapped far away is unknown.

Details follow the authors' code:

- Convolutions have no bias; batch norm has neither shift nor scale.
- The first weights come from an autoencoder.
- The centre is the mean of the first pass, and it stays fixed.
- The loss is the one-class loss.
- Images have L1 global contrast normalisation, and are then scaled to [0, 1] by the known images' range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, max_pool2d

from lookalike.base.arrays import Pixels
from lookalike.base.errors import DataError, UsageError
from lookalike.detect.baselines import networks
from lookalike.detect.detector import Scores
from lookalike.features.blocks import in_blocks

KIND = "deepsvdd"
CODE = 32
BATCH, LR, EPOCHS = 200, 1e-4, 150
DECAY_AE, DECAY = 5e-4, 5e-7  # weight decay in the autoencoder's training and in that of Deep SVDD
NEAR_ZERO = 0.1  # zero weights could reach a coordinate of the centre that is nearer to 0


class Network(nn.Module):
    """A map from (N, C, H, W) to (N, 32): two convolutions and a linear layer, all without a bias.

    With a bias, the network could map every image to the centre (section 3.3, Proposition 2).

    Parameters
    ----------
    shape : tuple of int
        (C, H, W), at least 4 x 4 pixels.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        c, h, w = shape
        self.conv1 = nn.Conv2d(c, 8, 5, padding=2, bias=False)
        self.norm1 = nn.BatchNorm2d(8, eps=1e-4, affine=False)
        self.conv2 = nn.Conv2d(8, 4, 5, padding=2, bias=False)
        self.norm2 = nn.BatchNorm2d(4, eps=1e-4, affine=False)
        self.linear = nn.Linear(4 * (h // 4) * (w // 4), CODE, bias=False)
        networks.channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return phi(x; W), float32 (N, 32)."""
        x = max_pool2d(leaky_relu(self.norm1(self.conv1(x))), 2)
        x = max_pool2d(leaky_relu(self.norm2(self.conv2(x))), 2)
        place: Tensor = self.linear(x.flatten(1))
        return place


class Decoder(nn.Module):
    """A map from (N, 32) to (N, C, H, W) in [0, 1]; it serves only to train the first weights."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        c, h, w = shape
        self.sizes = ((h // 4, w // 4), (h // 2, w // 2), (h, w))
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 5, padding=2, bias=False) for i, o in ((2, 4), (4, 8), (8, c))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-4, affine=False) for n in (4, 8))
        networks.channels_last(self)

    def forward(self, place: Tensor) -> Tensor:
        """Return the images (N, C, H, W) that belong to codes (N, 32)."""
        x = leaky_relu(place.reshape(-1, 2, 4, 4))  # 32 numbers as two maps of 4 x 4
        for size, layer, norm in zip(self.sizes, self.layers, [*self.norms, None], strict=True):
            x = layer(interpolate(x, size))
            x = leaky_relu(norm(x)) if norm else x
        return x.sigmoid()


class Contrast(nn.Module):
    """L1 global contrast normalisation, then a scale to [0, 1] by the known images' least and largest value."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))

    def normalised(self, x: Tensor) -> Tensor:
        """Return each image minus its mean, divided by the mean absolute value of the result."""
        x = x - x.mean((1, 2, 3), keepdim=True)
        return x / x.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-8)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W), normalised and scaled, as the network's input."""
        return (self.normalised(x) - self.low) / (self.high - self.low)


class DeepSVDD:
    """A detector whose score is the squared distance of an image's code from the centre.

    Parameters
    ----------
    contrast, net : Module
        The normalisation and the trained network.
    centre : Tensor
        Float32 (32,).
    """

    kind = KIND
    paper = "deepsvdd-2018"
    side = None
    vectors = False
    most_images = None
    summary = (
        "A small network without biases learns to map the known class close to a fixed centre; the score is the "
        "squared distance from it. Its first weights come from an autoencoder (Ruff et al. 2018)."
    )

    def __init__(self, contrast: nn.Module, net: nn.Module, centre: Tensor) -> None:
        self.contrast, self.net, self.centre = contrast.eval(), net.eval(), centre

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> DeepSVDD:
        """Return a detector trained on known images (N, C, H, W) uint8.

        Raises
        ------
        UsageError
            For vectors, and for images below 4 x 4 pixels.
        DataError
            Where every image is of one value, because nothing remains without its mean.
        """
        shape = networks.need_images(pixels.shape[1:], KIND)
        if min(shape[1:]) < 4:
            raise UsageError(
                f"{KIND} needs images of 4 x 4 or more, not {shape[1]} x {shape[2]}; give larger images (--size)"
            )
        if not np.ptp(pixels.reshape(len(pixels), -1), axis=1).any():
            raise DataError(f"{KIND}: each known image has one value only, so there is nothing to learn; use knn")
        contrast = _contrast(pixels)
        net = networks.seeded(lambda: Network(shape), seed, KIND)
        decoder = networks.seeded(lambda: Decoder(shape), seed, "decoder")
        # The autoencoder's weights are the first weights of the network.
        for images, step in _course([*net.parameters(), *decoder.parameters()], pixels, seed, DECAY_AE):
            x = contrast(images)
            step((decoder(net(x)) - x).square().flatten(1).sum(1).mean())
        net.eval()
        centre = in_blocks(lambda x: net(contrast(x)), pixels).mean(0)
        # A coordinate near 0 moves to +-0.1, else zero weights would be a solution (Proposition 1).
        centre = torch.where(centre.abs() < NEAR_ZERO, torch.where(centre < 0, -NEAR_ZERO, NEAR_ZERO), centre)
        net.train()
        # Equation (4), the one-class loss; Adam adds its weight decay.
        for x, step in _course([*net.parameters()], pixels, seed + 1, DECAY):
            step((net(contrast(x)) - centre).square().sum(1).mean())
        return cls(contrast, net, centre)

    def score(self, pixels: Pixels) -> Scores:
        """Return the squared distance from the centre."""
        return Scores(in_blocks(self.scored, pixels).numpy())

    def scored(self, x: Tensor) -> Tensor:
        """Return the scores, float64 (N,), of images (N, C, H, W) in [-1, 1]."""
        # Equation (5): s(x) = ||phi(x; W) - c||^2
        far: Tensor = (self.net(self.contrast(x)) - self.centre).double().square().sum(1)
        return far

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights, the centre, and the range of the known images."""
        parts = {"net": self.net, "contrast": self.contrast}
        named = {f"{name}.{key}": value for name, net in parts.items() for key, value in networks.state(net).items()}
        return named | {"centre": self.centre.clone()}

    def facts(self) -> dict[str, Any]:
        """Return an empty dict: there are no settings."""
        return {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> DeepSVDD:
        """Return the detector for images of `shape` that gave `tensors`; raises ModelError for anything else."""
        networks.no_settings(facts, KIND)
        parts = nn.ModuleDict({"net": Network(networks.need_images(shape, KIND)), "contrast": Contrast()})
        parts.register_buffer("centre", torch.zeros(CODE))
        networks.take(parts, tensors, KIND)
        return cls(parts["contrast"], parts["net"], parts.get_buffer("centre"))


def _contrast(pixels: Pixels) -> Contrast:
    """Return the normalisation with the range of the known images."""
    contrast = Contrast()
    extremes = in_blocks(lambda x: torch.stack(torch.aminmax(contrast.normalised(x).flatten(1), dim=1), 1), pixels)
    contrast.low, contrast.high = extremes[:, 0].min(), extremes[:, 1].max()
    return contrast


def _course(weights: list[nn.Parameter], pixels: Pixels, seed: int, decay: float) -> Iterator[tuple[Tensor, Any]]:
    """Yield batches, each with a function that makes one step of Adam; the step size falls to a tenth at a third."""
    steps = EPOCHS * -(-len(pixels) // BATCH)
    adam = torch.optim.Adam(weights, lr=LR, weight_decay=decay)
    fall = torch.optim.lr_scheduler.MultiStepLR(adam, [steps // 3])

    def step(loss: Tensor) -> None:
        adam.zero_grad()
        loss.backward()
        adam.step()
        fall.step()

    for x in networks.batches(pixels, BATCH, steps, seed, KIND):
        yield x, step
