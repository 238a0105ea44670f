"""Batch norms with a scale and a shift per class, and the layers that pass the class on to them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lookalike.game.growth import append
from lookalike.game.nets.residual import Residual
from lookalike.game.tree import Tree

OF_Z = 0.3  # gain of the first weights by which z moves scales and shifts


class PerClass(nn.Module):
    """Layers in a row, of which some are conditional on the class."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, y: Tensor, z: Tensor | None = None) -> Tensor:
        """(N, ...), (N,), (N, Z) -> (N, ...); of a whole G x is z."""
        z = x if z is None else z
        for layer in self.layers:
            x = layer(x, y, z) if isinstance(layer, Conditional) else layer(x)
        return x

    def only(self, mix: Tensor) -> PerClass | nn.Sequential:
        """A copy for a mixture (K,) of classes: of layers without a class as input, or of one class where z is one."""
        layers = [layer.only(mix) if isinstance(layer, Conditional) else copy.deepcopy(layer) for layer in self.layers]
        return PerClass(layers) if any(isinstance(one, Conditional) for one in layers) else nn.Sequential(*layers)


class ResidualPerClass(nn.Module):
    """A residual block whose main path is conditional on the class."""

    def __init__(self, main: PerClass, shortcut: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """(N, ...), (N,), (N, Z) -> (N, ...)."""
        total: Tensor = self.main(x, y, z) + self.shortcut(x)
        return total

    def only(self, mix: Tensor) -> ResidualPerClass | Residual:
        """The block for a mixture (K,) of classes."""
        main, shortcut = self.main.only(mix), copy.deepcopy(self.shortcut)
        return ResidualPerClass(main, shortcut) if isinstance(main, PerClass) else Residual(main, shortcut)


class NormPerClass(nn.Module):
    """Batch norm over all classes, then the scale gamma and the shift b of the image's class.

    For classes that were split, gamma and b are sums along the path from root to leaf: gamma_child = gamma_father +
    delta (splitting-gan-2017, section 3). The father's row trains on, so the halves share it.

    Parameters
    ----------
    norm : BatchNorm1d or BatchNorm2d
        The norm that it replaces.
    classes : int
        Rows of gamma and b.
    z_dim : int
        Entries of z, which also moves gamma and b, linearly and for all classes alike; 0: it does not.
    """

    paths: Tensor | None

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int, z_dim: int = 0) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, affine=False)  # one mean and variance for all classes
        # gamma and b start as the identity for every class
        self.scale = nn.Parameter(torch.ones(classes, norm.num_features))
        self.shift = nn.Parameter(torch.zeros(classes, norm.num_features))
        self.of_z = nn.Linear(z_dim, 2 * norm.num_features, bias=False) if z_dim else None
        if self.of_z is not None:
            nn.init.orthogonal_(self.of_z.weight, OF_Z)
        # not persistent: a model file has the tree, and the paths follow from it
        self.register_buffer("paths", None, persistent=False)

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """(N, C, ...), (N,), (N, Z) -> (N, C, ...)."""
        shape = (len(x), -1, *(1,) * (x.ndim - 2))  # the same for all places of a map
        scale, shift = self._of_leaves(self.scale)[y], self._of_leaves(self.shift)[y]
        if self.of_z is not None:
            more, further = self.of_z(z).chunk(2, 1)
            scale, shift = scale + more, shift + further
        normed: Tensor = self.norm(x) * scale.view(shape) + shift.view(shape)
        return normed

    @torch.no_grad()
    def only(self, mix: Tensor) -> nn.Module:
        """Batch norm with the scale and the shift of a mixture (K,) of classes; where z moves them, of one class."""
        scale, shift = mix @ self._of_leaves(self.scale), mix @ self._of_leaves(self.shift)
        if self.of_z is not None:
            alone = copy.deepcopy(self)
            alone.scale, alone.shift, alone.paths = nn.Parameter(scale[None]), nn.Parameter(shift[None]), None
            return alone
        norm = type(self.norm)(self.norm.num_features, device=self.scale.device)
        norm.load_state_dict(self.norm.state_dict() | {"weight": scale, "bias": shift})
        return norm

    def grow(self, tree: Tree, leaf: int, optimiser: Optimizer | None) -> None:
        """Adds a row of zeros for each half of `leaf`. Their Adam moments are copies of those of the leaf's row."""
        # both halves get a delta of 0, so G's images stay the same until the next step (section 3, item 2)
        for rows in (self.scale, self.shift):
            append(rows, rows.data.new_zeros(2, rows.shape[1]), tree.paths[leaf][-1], optimiser)
        self.paths = tree.split(leaf).index().to(self.scale.device)

    def _of_leaves(self, rows: Tensor) -> Tensor:
        """(K, C): the row of each class; after splits, the sum of the rows on the leaf's path."""
        if self.paths is None:
            return rows
        padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])  # -1 is the row of zeros
        # summed from the root on: a new row of zeros then changes no bit of the result
        return reduce(add, padded[self.paths].unbind(1))


class OfOneClass(nn.Module):
    """A generator of one class, whose layers take the class as an input: (N, Z) -> (N, *shape)."""

    def __init__(self, body: PerClass) -> None:
        super().__init__()
        self.body = body

    def forward(self, z: Tensor) -> Tensor:
        """(N, Z) -> (N, *shape)."""
        images: Tensor = self.body(z, torch.zeros(len(z), dtype=torch.int64, device=z.device))
        return images


Conditional = NormPerClass | ResidualPerClass  # layers that take the class


def per_class(body: nn.Sequential, classes: int, z_dim: int = 0) -> PerClass:
    """`body` with a scale and a shift per class in its batch norms, and in those on the main path of its blocks.

    See `NormPerClass` for `z_dim`.
    """
    layers: list[nn.Module] = []
    # only direct layers: a norm within a nested Sequential stays plain, as the last one of `Resnet`
    for layer in body:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layers.append(NormPerClass(layer, classes, z_dim))
        elif isinstance(layer, Residual):
            assert isinstance(layer.main, nn.Sequential)
            # the shortcut has no norm
            layers.append(ResidualPerClass(per_class(layer.main, classes, z_dim), layer.shortcut))
        else:
            layers.append(layer)
    return PerClass(layers)
