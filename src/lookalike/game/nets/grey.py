"""Convolutions from or to a single channel, for grey images: `Conv2d`'s function, faster when searching.

CPU libraries are slow where one side of a convolution has one channel, forwards or backwards. As a depthwise
convolution of many channels, whose input is one image repeated or whose outputs are summed, it computes the same sums.
In training mode the plain form is kept: the gradient of depthwise weights is slow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class FromGrey(nn.Conv2d):
    """1 -> C channels; (N, 1, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, its input repeated for each output channel."""
        if self.training:
            return super().forward(x)
        repeated = x.expand(-1, self.out_channels, -1, -1).contiguous(memory_format=torch.channels_last)
        return conv2d(repeated, self.weight, self.bias, padding=self.padding, groups=self.out_channels)


class ToGrey(nn.Conv2d):
    """C -> 1 channel; (N, C, H, W) -> (N, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, summed over the channels at its end."""
        if self.training:
            return super().forward(x)
        apart = conv2d(x, self.weight.transpose(0, 1), padding=self.padding, groups=self.in_channels)
        total = apart.sum(1, keepdim=True)
        return total if self.bias is None else total + self.bias.view(1, -1, 1, 1)


def convolution(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    kind = FromGrey if inputs == 1 < outputs else ToGrey if outputs == 1 < inputs else nn.Conv2d
    return kind(inputs, outputs, size, padding=size // 2)
