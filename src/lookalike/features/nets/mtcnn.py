"""MTCNN (Zhang et al. 2016): three small networks that give a face's probability and a correction of its box.

The parameters stand in the order of the published weights (facenet-pytorch's).
"""

from __future__ import annotations

from torch import Tensor, nn

PROPOSAL, REFINED, FINAL = 12, 24, 48  # pixels, the side of each network's input
STRIDE = 2  # pixels between the windows of the proposal network


class Stage(nn.Module):
    """A network that gives the probability of a face and shifts of the box, as shares of its sides."""

    def __init__(self, trunk: nn.Sequential, heads: list[nn.Module]) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities (N, ...) and shifts (N, 4, ...) of left, top, right, bottom, for (N, 3, H, W)."""
        y = self.trunk(x)
        return self.heads[0](y).softmax(1)[:, 1], self.heads[1](y)


class Turned(nn.Module):
    """A map from (N, C, H, W) to (N, W * H * C), the order in which the published linear layers get their inputs."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the values with columns before rows."""
        return x.permute(0, 3, 2, 1).flatten(1)


def proposal() -> Stage:
    """Return the network for every window of 12 x 12 pixels, two pixels apart."""
    trunk = nn.Sequential(*_seen(3, 10, 3), _halved(2), *_seen(10, 16, 3), *_seen(16, 32, 3))
    return Stage(trunk, [nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)])


def refined() -> Stage:
    """Return the network for boxes of 24 x 24 pixels."""
    trunk = nn.Sequential(
        *(*_seen(3, 28, 3), _halved(3), *_seen(28, 48, 3), _halved(3), *_seen(48, 64, 2)),
        *(Turned(), nn.Linear(576, 128), nn.PReLU(128)),
    )
    return Stage(trunk, [nn.Linear(128, 2), nn.Linear(128, 4)])


def final() -> Stage:
    """Return the network for boxes of 48 x 48 pixels; its third head, the places of eyes and mouth, is not used."""
    trunk = nn.Sequential(
        *(*_seen(3, 32, 3), _halved(3), *_seen(32, 64, 3), _halved(3), *_seen(64, 64, 3), _halved(2)),
        *(*_seen(64, 128, 2), Turned(), nn.Linear(1152, 256), nn.PReLU(256)),
    )
    return Stage(trunk, [nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)])


def _seen(into: int, out: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(into, out, kernel), nn.PReLU(out)


def _halved(kernel: int) -> nn.Module:
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)
