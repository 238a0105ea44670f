"""Whether G memorised its training images: how close its images are to them, compared with held-out real images.

The closeness of an image is the distance to its nearest training image over the mean distance to the next five (after
Carlini et al. 2023, section 4.2). A copy is much closer to one image than to all others. A blurred image is close to
many. Held-out real images give the scale: a new image is closer than all n of them with probability 1 / (n + 1).
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

NEXT = 5  # neighbours after the nearest one
BLOCK = 256  # images compared at one time


@dataclass(frozen=True)
class Memory:
    """The training images of a class, and the images of the class that are held out from training.

    Parameters
    ----------
    training : Pixels
        (M, C, H, W) uint8 or (M, F) float32, without repeats, M at least 6.
    held_out : Pixels
        (n, ...), the held-out images of the same class.
    """

    training: Pixels
    held_out: Pixels

    @cached_property
    def _flat(self) -> Tensor:
        return flat(self.training)

    def closeness(self, images: Pixels) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return the closeness (N,), 0 for a copy and about 1 at most, and the row (N,) of the nearest image."""
        ratios, nearest = [], []
        for i in range(0, len(images), BLOCK):
            far = torch.cdist(flat(images[i : i + BLOCK]), self._flat, compute_mode="donot_use_mm_for_euclid_dist")
            near = far.topk(1 + NEXT, largest=False)
            # A tiny minimum avoids 0 / 0 where six training images are equal to the image.
            usual = near.values[:, 1:].mean(1).clamp(min=torch.finfo(torch.float32).tiny)
            ratios.append((near.values[:, 0] / usual).double())
            nearest.append(near.indices[:, 0])
        return torch.cat(ratios).numpy(), torch.cat(nearest).numpy()

    @cached_property
    def usual(self) -> Floats:
        """The closeness (n,) of the held-out images."""
        return self.closeness(self.held_out)[0] if len(self.held_out) else np.zeros(0)

    def copies(self, closeness: Floats) -> npt.NDArray[np.bool_]:
        """Return bool (N,), True where an image is closer to a training image than every held-out image is."""
        return np.asarray(closeness < (self.usual.min() if len(self.usual) else -np.inf))

    def auc(self, closeness: Floats) -> float:
        """Return the probability that a generated image is closer than a held-out one; it is 0.5 for new images."""
        return area(-self.usual, -closeness)


def flat(images: Pixels) -> Tensor:
    """Return the images as rows (N, D) float32, scaled to [-1, 1] where they are uint8."""
    return torch.from_numpy(np.ascontiguousarray(scaled(images))).flatten(1)
