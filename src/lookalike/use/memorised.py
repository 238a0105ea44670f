"""Did G learn its training images by heart? How near its images lie to them, beside how near unseen real ones lie.

An image's closeness is the distance to its nearest training image over the mean distance to the next five (after
Carlini et al. 2023, section 4.2): a copy is much nearer to one image than to all others, a blurred image is near to
many. Unseen real images set the scale: of images that are new, each as good as another, 1 in n + 1 is closer than all
of n unseen ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import scaled
from lookalike.detect.auc import area

NEXT = 5
BLOCK = 256  # images compared at once


@dataclass(frozen=True)
class Memory:
    """The training images of a class, and what of it was never trained on.

    Parameters
    ----------
    training : Pixels
        (M, C, H, W) uint8 or (M, F) float32, without repetitions, M at least 6.
    unseen : Pixels
        (n, ...) of the same class.
    """

    training: Pixels
    unseen: Pixels

    @cached_property
    def _flat(self) -> Tensor:
        return _rows(self.training)

    def closeness(self, images: Pixels) -> tuple[Floats, npt.NDArray[np.int64]]:
        """(N,) closeness, 0 for a copy to about 1, and (N,) the row of the nearest training image."""
        ratios, nearest = [], []
        for i in range(0, len(images), BLOCK):
            far = torch.cdist(_rows(images[i : i + BLOCK]), self._flat, compute_mode="donot_use_mm_for_euclid_dist")
            near = far.topk(1 + NEXT, largest=False)
            usual = near.values[:, 1:].mean(1).clamp(min=torch.finfo(torch.float32).tiny)
            ratios.append((near.values[:, 0] / usual).double())
            nearest.append(near.indices[:, 0])
        return torch.cat(ratios).numpy(), torch.cat(nearest).numpy()

    @cached_property
    def usual(self) -> Floats:
        """(n,) closeness of the unseen images."""
        return self.closeness(self.unseen)[0] if len(self.unseen) else np.zeros(0)

    def copies(self, closeness: Floats) -> npt.NDArray[np.bool_]:
        """(N,) True where an image is closer to a training image than every unseen one is."""
        return np.asarray(closeness < (self.usual.min() if len(self.usual) else -np.inf))

    def auc(self, closeness: Floats) -> float:
        """Chance that a made image is closer than an unseen one: 0.5 where made images are as good as new ones."""
        return area(-self.usual, -closeness)


def _rows(images: Pixels) -> Tensor:
    """(N, D) float32."""
    return torch.from_numpy(np.ascontiguousarray(scaled(images))).flatten(1)
