"""EfficientNet-Lite (Tan and Le 2019); "Lite" (2020) has ReLU6 and no squeeze-and-excitation.

It consists of inverted residual blocks: a 1 x 1 convolution widens, a depthwise one mixes neighbouring pixels, and a
1 x 1 one narrows. At stride 2 the padding is TensorFlow's "SAME", which puts the odd pixel below and to the right.
"""

from __future__ import annotations

from math import ceil

from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

STEM, HEAD, CLASSES = 32, 1280, 1000
STAGES = (  # of Lite0: (number of blocks, kernel, stride of the first, widening factor, channels out)
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EIGHT = 8  # channels are multiples of it


def scaled(width: float, depth: float) -> tuple[tuple[int, int, int, int, int], ...]:
    """The stages with `width` times the channels, and in all but the first and last `depth` times the blocks."""
    ends = STAGES[0], STAGES[-1]
    return tuple(
        (
            *(stage[0] if stage in ends else ceil(stage[0] * depth), *stage[1:4]),
            int(stage[4] * width + EIGHT / 2) // EIGHT * EIGHT,
        )
        for stage in STAGES
    )


class Convolution(nn.Sequential):
    """A padded convolution without bias, batch norm and, unless it narrows, ReLU6."""

    def __init__(
        self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True
    ) -> None:
        layers: list[nn.Module] = [nn.Conv2d(into, out, kernel, stride, groups=groups, bias=False)]
        layers.append(nn.BatchNorm2d(out, eps=1e-3))
        super().__init__(*layers, *([nn.ReLU6()] if relu else []))
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, ceil(H / stride), ceil(W / stride)) for (N, C, H, W)."""
        # Padding of width and height, so that the output has ceil(n / stride) pixels.
        needs = [max((-(-n // self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[:1:-1]]
        if any(needs):
            x = pad(x, [side for n in needs for side in (n // 2, n - n // 2)])
        for layer in self:
            x = layer(x)
        return x

    def fold(self) -> None:
        """Let the batch norm, as it is in inference, be a part of the convolution's weights and bias."""
        convolution, norm = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        self[0], self[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
        if len(self) > 2:
            self[2] = nn.ReLU6(inplace=True)


class Block(nn.Module):
    """An inverted residual block; the input is added where its shape does not change."""

    def __init__(self, into: int, out: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = widening * into
        layers = [Convolution(into, wide, 1)] if widening > 1 else []
        layers += [Convolution(wide, wide, kernel, stride, groups=wide), Convolution(wide, out, 1, relu=False)]
        self.layers, self.adds = nn.Sequential(*layers), stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, ceil(H / stride), ceil(W / stride)) for (N, into, H, W)."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """Features, and logits of ImageNet's classes; the parameters stand in the order of the published weights.

    `width` and `depth` scale the stages of Lite0, but neither stem nor head.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = [Convolution(3, STEM, 3, 2)]
        channels, ends = STEM, []
        for times, kernel, stride, widening, out in scaled(width, depth):
            for i in range(times):
                layers.append(Block(channels, out, kernel, 1 if i else stride, widening))
                channels = out
            ends.append(len(layers))
        layers.append(Convolution(channels, HEAD, 1))
        self.ends = tuple(ends)  # of each stage, the number of layers up to its last one
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classes = nn.Linear(HEAD, CLASSES)
