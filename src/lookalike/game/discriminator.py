"""The discriminator D: a trunk of named stages from a net, then the layers of a head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lookalike.base.errors import UsageError
from lookalike.game.batch import Batch, Judgement
from lookalike.game.heads import Head
from lookalike.game.nets import Net, Shape, trunk


class Discriminator(nn.Module):
    """The discriminator of a method: the net's trunk, and the layers of its head.

    Parameters
    ----------
    net : Net
        Builds the trunk.
    head : Head
        Builds the last layers, and turns features into a `Judgement`.
    shape : tuple of int
        (C, H, W) of images or (F,) of vectors.
    classes, z_dim : int
        Number of known classes and entries of z, for the heads that use them.
    spectral : bool
        Divides the weights of all layers by their spectral norm (SN-GAN, Miyato et al. 2018).
    """

    def __init__(self, net: Net, head: Head, shape: Shape, classes: int, z_dim: int, *, spectral: bool = False) -> None:
        super().__init__()
        self.trunk, features = trunk(net, head.taken(shape))
        self.n_features = features
        self.head = head
        self.layers = head.build(features, shape, classes, z_dim)
        if spectral:
            # the list first: spectral_norm adds modules to those that the loop would walk over
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding)]:
                spectral_norm(layer)

    def forward(self, batch: Batch) -> Judgement:
        """D's answer to a batch of N images, (N, *shape) float32."""
        return self.head.answer(self.layers, self.trunk(self.shown(batch.x, batch.y)), batch)

    def shown(self, x: Tensor, y: Tensor | None) -> Tensor:
        """Input of the trunk for images (N, *shape) of classes y (N,) int64."""
        return self.head.shown(self.layers, x, y)

    def stages_to(self, layer: str) -> nn.Sequential:
        """The trunk up to and with the stage `layer`, with shared weights. Raises UsageError for an unknown stage."""
        names = [name for name, _ in self.trunk.named_children()]
        if layer not in names:
            raise UsageError(f"no discriminator layer {layer!r}; this network has: {', '.join(names)}")
        return nn.Sequential(*list(self.trunk)[: names.index(layer) + 1])
