"""Deep SVDD (Ruff et al. 2018): a network pulls the known class into a small ball; far from its centre is unknown.

As its authors' own code has it: convolutions without biases, batch norm without shift or scale, weights from an
autoencoder, a centre from the first pass that is never moved, one-class loss, images under L1 global contrast
normalisation and scaled to [0, 1] by the known images' range.
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
DECAY_AE, DECAY = 5e-4, 5e-7  # weight decay of the autoencoder's and of its own training
NEAR_ZERO = 0.1  # a centre's entry nearer than this could be reached by zero weights


class Network(nn.Module):
    """(N, C, H, W) -> (N, 32): two convolutions and a linear layer, none with a bias.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W), at least 4 x 4.
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
        """The image's place in the ball's space."""
        x = max_pool2d(leaky_relu(self.norm1(self.conv1(x))), 2)
        x = max_pool2d(leaky_relu(self.norm2(self.conv2(x))), 2)
        place: Tensor = self.linear(x.flatten(1))
        return place


class Decoder(nn.Module):
    """(N, 32) -> (N, C, H, W) in [0, 1], for the first weights only."""

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
        """The image at a place."""
        x = leaky_relu(place.reshape(-1, 2, 4, 4))
        for size, layer, norm in zip(self.sizes, self.layers, [*self.norms, None], strict=True):
            x = layer(interpolate(x, size))
            x = leaky_relu(norm(x)) if norm else x
        return x.sigmoid()


class Contrast(nn.Module):
    """L1 global contrast normalisation, then [0, 1] by the known images' least and largest value."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))

    def normalised(self, x: Tensor) -> Tensor:
        """Each image minus its mean, over the mean size of what is left."""
        x = x - x.mean((1, 2, 3), keepdim=True)
        return x / x.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-8)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) as the network takes it."""
        return (self.normalised(x) - self.low) / (self.high - self.low)


class DeepSVDD:
    """Squared distance of an image's place from the centre.

    Parameters
    ----------
    contrast, net : Module
        Trained.
    centre : Tensor
        (32,).
    """

    kind = KIND
    paper = "deepsvdd-2018"
    summary = (
        "A small network without biases learns to map the known class into a ball around a fixed centre; the score is "
        "the squared distance from it. Weights come from an autoencoder first (Ruff et al. 2018)."
    )

    def __init__(self, contrast: nn.Module, net: nn.Module, centre: Tensor) -> None:
        self.contrast, self.net, self.centre = contrast.eval(), net.eval(), centre

    @classmethod
    def fit(cls, pixels: Pixels, seed: int) -> DeepSVDD:
        """Trains on known images (N, C, H, W) uint8; UsageError for vectors, and where a side is below 4.

        Raises
        ------
        DataError
            Where every image is of one value: nothing is left when its mean is taken away.
        """
        shape = networks.need_images(pixels.shape[1:], KIND)
        if min(shape[1:]) < 4:
            raise UsageError(f"{KIND} needs images of 4 x 4 or more, not {shape[1]} x {shape[2]}; give a larger --size")
        if not np.ptp(pixels.reshape(len(pixels), -1), axis=1).any():
            raise DataError(f"{KIND}: each known image is of one value, so there is nothing to learn; take knn")
        contrast = _contrast(pixels)
        net = networks.seeded(lambda: Network(shape), seed, KIND)
        decoder = networks.seeded(lambda: Decoder(shape), seed, "decoder")
        for images, step in _course([*net.parameters(), *decoder.parameters()], pixels, seed, DECAY_AE):
            x = contrast(images)
            step((decoder(net(x)) - x).square().flatten(1).sum(1).mean())
        net.eval()
        centre = in_blocks(lambda x: net(contrast(x)), pixels).mean(0)
        centre = torch.where(centre.abs() < NEAR_ZERO, torch.where(centre < 0, -NEAR_ZERO, NEAR_ZERO), centre)
        net.train()
        for x, step in _course([*net.parameters()], pixels, seed + 1, DECAY):
            step((net(contrast(x)) - centre).square().sum(1).mean())
        return cls(contrast, net, centre)

    def score(self, pixels: Pixels) -> Scores:
        """Squared distance from the centre."""
        far = in_blocks(lambda x: (self.net(self.contrast(x)) - self.centre).double().square().sum(1), pixels)
        return Scores(far.numpy())

    def tensors(self) -> dict[str, Tensor]:
        """Weights, the centre, and the range of the known images."""
        parts = {"net": self.net, "contrast": self.contrast}
        named = {f"{name}.{key}": value for name, net in parts.items() for key, value in networks.state(net).items()}
        return named | {"centre": self.centre.clone()}

    def facts(self) -> dict[str, Any]:
        """Nothing else is needed."""
        return {}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], shape: tuple[int, ...]) -> DeepSVDD:
        """The detector of images of `shape` that gave `tensors`; raises ModelError for anything else."""
        networks.no_settings(facts, KIND)
        parts = nn.ModuleDict({"net": Network(networks.need_images(shape, KIND)), "contrast": Contrast()})
        parts.register_buffer("centre", torch.zeros(CODE))
        networks.take(parts, tensors, KIND)
        return cls(parts["contrast"], parts["net"], parts.get_buffer("centre"))


def _contrast(pixels: Pixels) -> Contrast:
    """The normalisation whose range is that of the known images."""
    contrast = Contrast()
    extremes = in_blocks(lambda x: torch.stack(torch.aminmax(contrast.normalised(x).flatten(1), dim=1), 1), pixels)
    contrast.low, contrast.high = extremes[:, 0].min(), extremes[:, 1].max()
    return contrast


def _course(weights: list[nn.Parameter], pixels: Pixels, seed: int, decay: float) -> Iterator[tuple[Tensor, Any]]:
    """Batches and a function that takes Adam's step on a loss; the step size falls to a tenth after a third."""
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
