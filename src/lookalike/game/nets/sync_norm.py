"""Batch norm over the images of all processes that train one GAN, in place of those of each process."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lookalike.base.ranks import ALONE, Ranks


class _Shared(nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the base of all batch norms
    """A batch norm whose mean and variance are those of the images of all processes, which have equally many."""

    ranks: Ranks = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...). In eval mode it is the batch norm that it was."""
        if not self.training:
            return super().forward(x)
        values, axes = x.to(torch.promote_types(x.dtype, torch.float32)), [0, *range(2, x.ndim)]
        shape = (1, -1, *(1,) * (x.ndim - 2))
        mean = values.mean(axes)
        square = (values - mean.view(shape)).square().mean(axes) + mean.square()
        # float64: the difference of two numbers that are nearly equal
        mean, square = (self.ranks.sum(torch.stack([mean, square]).double()) / self.ranks.size).unbind()
        mean, variance = mean.to(values), (square - mean.square()).to(values)
        self._keep(mean.detach(), variance.detach(), self.ranks.size * x.numel() // x.shape[1])
        normed = (values - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed.to(x.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Moves the running statistics towards those of a batch of `n` values per channel."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * n / (n - 1), self.momentum)  # without bias, as torch keeps it


class SyncNorm1d(_Shared, nn.BatchNorm1d):
    """Of vectors (N, F)."""


class SyncNorm2d(_Shared, nn.BatchNorm2d):
    """Of images (N, C, H, W)."""


SHARED: dict[type[nn.Module], type[_Shared]] = {nn.BatchNorm1d: SyncNorm1d, nn.BatchNorm2d: SyncNorm2d}


def share_norms(net: nn.Module, ranks: Ranks) -> None:
    """Makes every batch norm of `net` one over the images of all processes. Weights and statistics stay as they are."""
    for layer in net.modules():
        if type(layer) in SHARED:
            layer.__class__ = SHARED[type(layer)]  # in place: optimisers and other modules refer to it
            assert isinstance(layer, _Shared)
            layer.ranks = ranks
