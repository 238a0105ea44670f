"""E of Adversarially Learned Inference (Dumoulin et al. 2017; gan-augmentation-2020, section V.B): images -> z."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from lookalike.game.nets import Net, Shape, trunk
from lookalike.game.nets.classmap import beside, beside_shape, class_map

LOG_VARIANCE = -3.0  # of the posterior before the first step


@dataclass(frozen=True)
class Encoder:
    """The net's trunk and a dense layer to the mean and the log-variance of z; told the class where G is.

    The means go through batch norm and the variances begin small (ours): from the first step on different images have
    different z. Otherwise E begins near the prior, whatever the image; D cannot object to that as long as G does not
    use its z, and E stays there.

    Parameters
    ----------
    size : int
        Entries of the class's vector, which is shown as D of `LabelAware` is shown it (the authors' code has 64).
    """

    size: int = 50

    def __str__(self) -> str:
        return f"an encoder of the network's trunk; a class as a learnt vector of {self.size} entries"

    def build(self, net: Net, shape: Shape, z_dim: int, classes: int) -> Posterior:
        """E of images (N, *shape); `classes` 0 where it is told none."""
        return Posterior(net, shape, z_dim, classes, self.size)


class Posterior(nn.Module):
    """(N, *shape) and classes (N,) or None -> mean and log-variance of z, each (N, z_dim)."""

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
        self.norm = nn.BatchNorm1d(z_dim, eps=1e-8)  # its inputs begin small

    def forward(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        mean, log_variance = self.out(self.trunk(x if y is None else beside(self.layers, x, y))).chunk(2, 1)
        return self.norm(mean), log_variance + LOG_VARIANCE
