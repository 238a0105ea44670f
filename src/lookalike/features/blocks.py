"""The outputs of a network for many images, in blocks of one size so that bits do not depend on their number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lookalike.base.arrays import Pixels
from lookalike.data import scaled

# Images; convolutions of another batch size give other bits. One image costs as much as a block, and in blocks of 32
# networks for small images are as fast as in larger ones.
BLOCK = 32


def in_blocks(of: Callable[[Tensor], Tensor], pixels: Pixels, block: int = BLOCK) -> Tensor:
    """Return the outputs (N, ...) of `of` without gradients; an image's output does not depend on the others."""
    found = []
    with torch.no_grad():
        for i in range(0, len(pixels), block):
            x = torch.from_numpy(np.ascontiguousarray(scaled(pixels[i : i + block])))
            n = len(x)
            # Zeros fill the last block up to the common size; their outputs are dropped.
            found.append(of(torch.cat([x, x.new_zeros(block - n, *x.shape[1:])]))[:n])
    return torch.cat(found)
