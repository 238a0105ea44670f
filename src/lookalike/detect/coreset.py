"""A small set of rows that covers a large one: greedy k-centres (Roth et al. 2022, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor

PROJECTED = 32  # dimensions in which distances are compared


def coreset(rows: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """int64 numbers of `size` rows, or all: each next one is farthest from those that were chosen.

    Distances are compared after a random projection to fewer dimensions, which keeps them nearly (Johnson and
    Lindenstrauss). The first row is the one farthest from the mean.

    Parameters
    ----------
    rows : Tensor
        (N, F) float32.
    size : int
        At least 1.
    generator : torch.Generator
        Draws the projection.
    """
    if size >= len(rows):
        return torch.arange(len(rows))
    short = rows.shape[1] <= PROJECTED
    project = torch.eye(rows.shape[1]) if short else torch.randn(rows.shape[1], PROJECTED, generator=generator)
    points = rows @ project
    points -= points.mean(0)
    squares = (points**2).sum(1)
    chosen = [int(squares.argmax())]
    nearest = torch.full_like(squares, torch.inf)
    for _ in range(size - 1):
        last = points[chosen[-1]]
        nearest = torch.minimum(nearest, squares - 2 * (points @ last) + last @ last)
        nearest[chosen[-1]] = -torch.inf  # equal rows are taken once
        chosen.append(int(nearest.argmax()))
    return torch.tensor(chosen)
