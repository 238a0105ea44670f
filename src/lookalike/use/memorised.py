"""Whether G memorised its training images: how close its images are to them, compared with how close these lie.

The closeness of an image is the distance to its nearest training image over the mean distance to the next five (after
Carlini et al. 2023, section 4.2). A copy is much closer to one image than to all others. A blurred image is close to
many. The training images give the scale, each left out in turn: its closeness is that to all others. So no image needs
to be held out. A new image lies below the k-th smallest of m such values with probability about k / (m + 1). Where
training images are near-copies of each other, as frames of a film are, copies look as new images do.
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
RARE = 0.01  # share of new images that count as copies; more where the training images are few
BLOCK = 256  # images compared at one time
MOST = 1000  # training images that are left out in turn


@dataclass(frozen=True)
class Memory:
    """The training images of a class.

    Parameters
    ----------
    training : Pixels
        (n, C, H, W) uint8 or (n, F) float32, without repeats, n at least 7.
    """

    training: Pixels

    @cached_property
    def _flat(self) -> Tensor:
        return flat(self.training)

    def closeness(self, images: Pixels) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return the closeness (N,), 0 for a copy and about 1 at most, and the row (N,) of the nearest image."""
        return self._compared(flat(images))

    def _compared(self, rows: Tensor, own: Tensor | None = None) -> tuple[Floats, npt.NDArray[np.int64]]:
        """As `closeness`, of rows (N, D); `own` (N,) are their places among the training images, which do not count."""
        ratios, nearest = [], []
        for i in range(0, len(rows), BLOCK):
            far = torch.cdist(rows[i : i + BLOCK], self._flat, compute_mode="donot_use_mm_for_euclid_dist")
            if own is not None:
                far[torch.arange(len(far)), own[i : i + BLOCK]] = torch.inf
            near = far.topk(1 + NEXT, largest=False)
            # A tiny minimum avoids 0 / 0 where six training images are equal to the image.
            usual = near.values[:, 1:].mean(1).clamp(min=torch.finfo(torch.float32).tiny)
            ratios.append((near.values[:, 0] / usual).double())
            nearest.append(near.indices[:, 0])
        return torch.cat(ratios).numpy(), torch.cat(nearest).numpy()

    @cached_property
    def usual(self) -> Floats:
        """The closeness (m,) of training images to the others: of all, or of 1,000 at equal steps."""
        m = min(len(self.training), MOST)
        own = torch.arange(m) * len(self.training) // m
        return self._compared(self._flat[own], own)[0]

    @property
    def _below(self) -> int:
        """How many of `usual` are no more than the limit of a copy."""
        return max(1, int(RARE * (len(self.usual) + 1)))

    @property
    def by_chance(self) -> float:
        """The share of new images that count as copies."""
        return self._below / (len(self.usual) + 1)

    def copies(self, closeness: Floats) -> npt.NDArray[np.bool_]:
        """Return bool (N,), True where an image is closer to a training image than nearly all of these to another."""
        return np.asarray(closeness < np.sort(self.usual)[self._below - 1])

    def auc(self, closeness: Floats) -> float:
        """Return the probability that a generated image is closer than a training image; it is 0.5 for new images."""
        return area(-self.usual, -closeness)


def flat(images: Pixels) -> Tensor:
    """Return the images as rows (N, D) float32, scaled to [-1, 1] where they are uint8."""
    return torch.from_numpy(np.ascontiguousarray(scaled(images))).flatten(1)
