"""The encoder E: from an image to its z (ALI, Dumoulin et al. 2017; gan-augmentation-2020, section V.B)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from lookalike.game.nets import Net, Shape, trunk
from lookalike.game.nets.classmap import beside, beside_shape, class_map

LOG_VARIANCE = -3.0  # of the posterior before the first step (ours): a standard deviation of 0.22


@dataclass(frozen=True)
class Encoder:
    """The net's trunk, then a dense layer to mean and log-variance of z. The class is an input where it is one of G.

    The means go through batch norm and the variances start small (ours). So different images have different z from the
    first step. Otherwise E starts near the prior for every image. D detects no fault in that while G ignores its z, and
    E stays there.

    Parameters
    ----------
    size : int
        Entries of the class's vector, an input as in D of `LabelAware` (64 in the authors' code).
    """

    size: int = 50

    def __str__(self) -> str:
        return f"an encoder of the network's trunk; a class as a learnt vector of {self.size} entries"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> Posterior:
        """E for images (N, *shape). `classes` is 0 where E is not conditional on the class."""
        return Posterior(net, shape, z_dim, classes, self.size)


class Posterior(nn.Module):
    """The posterior of z: (N, *shape), and classes (N,) or None -> mean and log-variance, each (N, z_dim)."""

    def __init__(self, net: Net, shape: Shape, z_dim: int, classes: int, size: int) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        if classes:
            layers["vector"] = nn.Embedding(classes, size)
            if len(shape) == 3:
                layers["map"] = class_map(size, shape)
        self.layers = nn.ModuleDict(layers)
        self.trunk, features = trunk(net, beside_shape(shape, size) if classes else shape)
        self.out = nn.Linear(features, 2 * z_dim)
        self.norm = nn.BatchNorm1d(z_dim, eps=1e-8)  # a small eps, because its inputs start small

    def forward(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each (N, z_dim) float32."""
        # the log-variance needs no range, while a variance would have to stay above 0
        mean, log_variance = self.out(self.trunk(x if y is None else beside(self.layers, x, y))).chunk(2, 1)
        return self.norm(mean), log_variance + LOG_VARIANCE
