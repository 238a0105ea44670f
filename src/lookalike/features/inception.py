"""Features of Inception-v3 in the published form of FID, from a weights file that the user gives.

The file is pytorch-fid's pt_inception-2015-12-05-6726825d.pth, checked by its SHA-256; torch-fidelity's file has the
same bytes. Images are resized as in pytorch-fid. The logits for the inception score have no bias, as in its first code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lookalike.base.arrays import Pixels
from lookalike.features import statedict
from lookalike.features.blocks import in_blocks
from lookalike.features.nets.inception import FEATURES, Inception

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
LIMIT = 1 << 27  # bytes; the file has 95,628,359
SIDE = 299  # pixels
ROWS = 32  # images per batch, which take 0.4 GB


@dataclass(frozen=True)
class Published:
    """2,048 features, and probabilities of 1,008 classes; `name` says which weights, and how images are resized."""

    name: str
    net: Inception

    def features(self, pixels: Pixels) -> npt.NDArray[np.float64]:
        """Return features float64 (N, 2048) of images (N, C, H, W) uint8 with C 1 or 3."""
        return np.asarray(in_blocks(self._seen, pixels, ROWS).double().numpy())

    def probabilities(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return float64 (N, 1008) from features (N, 2048), for the inception score, without the layer's bias."""
        weights = self.net.fc.weight.detach().double()
        return np.asarray((torch.from_numpy(features) @ weights.T).softmax(1).numpy())

    def _seen(self, x: Tensor) -> Tensor:
        """Return features (N, 2048) of images (N, C, H, W) in [-1, 1]."""
        x = interpolate(x.expand(-1, 3, -1, -1), (SIDE, SIDE), mode="bilinear", align_corners=False)
        found: Tensor = self.net(x)
        return found


def published(path: Path, shape: tuple[int, ...]) -> Published:
    """Return the extractor for images of `shape` (C, H, W) from the weights file; ModelError for any other file."""
    stored = statedict.read(path, LIMIT, SHA256)
    with torch.random.fork_rng(devices=[]):  # the random first weights are replaced below
        net = Inception().eval()
    statedict.fill(net, stored)
    grey = ", grey in three channels" if shape[0] == 1 else ""
    how = f"{shape[1]} x {shape[2]} pixels resized to {SIDE} x {SIDE} (bilinear){grey}"
    return Published(f"{FEATURES:,} features of Inception-v3, FID's weights of 2015-12-05, {how}", net)
