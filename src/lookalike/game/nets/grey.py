"""Convolutions from or to one channel, for grey images: the function of `Conv2d`, faster in the latent search.

CPU libraries are slow where a convolution has one input or one output channel, forwards and backwards. A depthwise
convolution of many channels computes the same sums: its input is the image repeated, or its outputs are summed.
In training mode the plain form stays, because the gradient by depthwise weights is slow.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class FromGrey(nn.Conv2d):
    """A convolution from one channel to C: (N, 1, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution; in eval mode, with the input repeated for each output channel."""
        if self.training:
            return super().forward(x)
        # groups: channel c of the output reads copy c of the image alone
        repeated = x.expand(-1, self.out_channels, -1, -1).contiguous(memory_format=torch.channels_last)
        return conv2d(repeated, self.weight, self.bias, padding=self.padding, groups=self.out_channels)


class ToGrey(nn.Conv2d):
    """A convolution from C channels to one: (N, C, H, W) -> (N, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution; in eval mode, one per channel, summed over channels afterwards."""
        if self.training:
            return super().forward(x)
        # the sum over channels is exchanged with the convolution: the same value, other rounding
        apart = conv2d(x, self.weight.transpose(0, 1), padding=self.padding, groups=self.in_channels)
        total = apart.sum(1, keepdim=True)
        return total if self.bias is None else total + self.bias.view(1, -1, 1, 1)


def convolution(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    """A convolution that keeps height and width: (N, inputs, H, W) -> (N, outputs, H, W)."""
    kind = FromGrey if inputs == 1 < outputs else ToGrey if outputs == 1 < inputs else nn.Conv2d
    return kind(inputs, outputs, size, padding=size // 2)
