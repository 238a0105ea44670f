"""D: a net's trunk of named stages, and a head's layers that answer from its features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lookalike.base.errors import UsageError
from lookalike.game.batch import Batch, Judgement
from lookalike.game.heads import Head
from lookalike.game.nets import Net, Shape, trunk


class Discriminator(nn.Module):
    """A trunk of named stages and a head's layers."""

    def __init__(self, net: Net, head: Head, shape: Shape, classes: int, z_dim: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.trunk, features = trunk(net, head.taken(shape))
        self.n_features = features
        self.head = head
        self.layers = head.build(features, shape, classes, z_dim)
        if spectral:
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding)]:
                spectral_norm(layer)

    def forward(self, batch: Batch) -> Judgement:
        """D's answer to a batch of N images."""
        return self.head.answer(self.layers, self.trunk(self.shown(batch.x, batch.y)), batch)

    def shown(self, x: Tensor, y: Tensor | None) -> Tensor:
        """What the trunk is shown of images (N, *shape) of classes y (N,)."""
        return self.head.shown(self.layers, x, y)

    def stages_to(self, layer: str) -> nn.Sequential:
        """The trunk from its start to `layer`, sharing weights; UsageError names the layers there are."""
        names = [name for name, _ in self.trunk.named_children()]
        if layer not in names:
            raise UsageError(f"no discriminator layer {layer!r}; this network has: {', '.join(names)}")
        return nn.Sequential(*list(self.trunk)[: names.index(layer) + 1])
