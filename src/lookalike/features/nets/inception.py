"""Inception-v3 (Szegedy et al. 2016) in the form of FID: the network of 2015-12-05, which pools in its own way.

It differs from the usual Inception-v3 in three points. The mean over a pooling window leaves the padding out. The last
block takes the largest value instead of the mean. There are 1,008 classes. Parameters have the published names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

FEATURES, CLASSES = 2048, 1008
Kernel = int | tuple[int, int]
Layer = tuple[int, Kernel]  # (channels out, kernel); a list of layers at the end of a branch runs in parallel
Branches = dict[str, Sequence[Layer | list[Layer]]]


class Convolution(nn.Module):
    """Convolution without bias, batch norm and ReLU; with stride 1 the size stays unless `padded` is false."""

    def __init__(self, into: int, out: int, kernel: Kernel, stride: int = 1, *, padded: bool = True) -> None:
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (high // 2, wide // 2) if padded else 0
        self.conv = nn.Conv2d(into, out, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, H', W') for (N, into, H, W)."""
        y: Tensor = self.bn(self.conv(x))
        return y.relu_()


class Mixed(nn.Module):
    """Parallel branches, the last of which gets the pooled input; with stride 2 nothing is padded.

    Parameters
    ----------
    into : int
        Channels of the input.
    branches : mapping
        Name -> its convolutions in sequence. "branch_pool" has none, which keeps the pooled values, or one.
    pool : callable
        A map from (N, C, H, W) to (N, C, H', W').
    stride : {1, 2}
        Stride of the last convolution of each branch.
    """

    def __init__(self, into: int, branches: Branches, pool: Callable[[Tensor], Tensor], stride: int = 1) -> None:
        super().__init__()
        self.pool, self.chains = pool, list[tuple[str, list[list[str]]]]()
        for branch, layers in branches.items():
            channels, chain = into, list[list[str]]()
            for i, layer in enumerate(layers):
                side = layer if isinstance(layer, list) else [layer]
                last = i == len(layers) - 1
                names = [
                    branch + (f"_{i + 1}" if len(layers) > 1 else "") + ("ab"[j] if len(side) > 1 else "")
                    for j in range(len(side))
                ]
                for name, (out, kernel) in zip(names, side, strict=True):
                    by, padded = (stride, stride == 1) if last else (1, True)
                    self.add_module(name, Convolution(channels, out, kernel, by, padded=padded))
                channels = sum(out for out, _ in side)
                chain.append(names)
            self.chains.append((branch, chain))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, sum of the branches' channels, H', W') for (N, into, H, W)."""
        found = []
        for branch, chain in self.chains:
            y = self.pool(x) if branch == "branch_pool" else x
            for names in chain:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            found.append(y)
        return torch.cat(found, 1)


def _mean(x: Tensor) -> Tensor:
    # FID's network leaves the padding out of the mean.
    return avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _largest(x: Tensor) -> Tensor:
    return max_pool2d(x, 3, 1, 1)


def _halved(x: Tensor) -> Tensor:
    return max_pool2d(x, 3, 2)


def _squares(into: int, pooled: int) -> Mixed:
    """Return a block for 35 x 35 pixels."""
    branches: Branches = {
        "branch1x1": [(64, 1)],
        "branch5x5": [(48, 1), (64, 5)],
        "branch3x3dbl": [(64, 1), (96, 3), (96, 3)],
        "branch_pool": [(pooled, 1)],
    }
    return Mixed(into, branches, _mean)


def _lines(between: int) -> Mixed:
    """Return a block for 17 x 17 pixels, with each 7 x 7 convolution split into a row and a column."""
    row, column = (1, 7), (7, 1)
    branches: Branches = {
        "branch1x1": [(192, 1)],
        "branch7x7": [(between, 1), (between, row), (192, column)],
        "branch7x7dbl": [(between, 1), (between, column), (between, row), (between, column), (192, row)],
        "branch_pool": [(192, 1)],
    }
    return Mixed(768, branches, _mean)


def _wide(into: int, pool: Callable[[Tensor], Tensor]) -> Mixed:
    """Return a block for 8 x 8 pixels, with a row and a column convolution in parallel."""
    both: list[Layer] = [(384, (1, 3)), (384, (3, 1))]
    branches: Branches = {
        "branch1x1": [(320, 1)],
        "branch3x3": [(384, 1), both],
        "branch3x3dbl": [(448, 1), (384, 3), both],
        "branch_pool": [(192, 1)],
    }
    return Mixed(into, branches, pool)


class Inception(nn.Module):
    """A map from images to features; the layer `fc` gives logits of 1,008 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2, padded=False)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _squares(192, 32), _squares(256, 64), _squares(288, 64)
        halving: Branches = {"branch3x3": [(384, 3)], "branch3x3dbl": [(64, 1), (96, 3), (96, 3)], "branch_pool": []}
        self.Mixed_6a = Mixed(288, halving, _halved, stride=2)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(_lines, (128, 160, 160, 192))
        halving = {
            "branch3x3": [(192, 1), (320, 3)],
            "branch7x7x3": [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)],
            "branch_pool": [],
        }
        self.Mixed_7a = Mixed(768, halving, _halved, stride=2)
        self.Mixed_7b, self.Mixed_7c = _wide(1280, _mean), _wide(2048, _largest)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 2048) of images (N, 3, 299, 299) in [-1, 1]."""
        for name, layer in self.named_children():
            # Max pooling stands before these two layers, as in the published graph.
            if name in {"Conv2d_3b_1x1", "Mixed_5b"}:
                x = _halved(x)
            if name != "fc":
                x = layer(x)
        return x.mean((2, 3))
