"""Tensors on their way to a GPU, and the check of an update there, neither of which makes the host wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Figures = Mapping[str, float | Tensor]  # losses, gradient norms and shares; scalar tensors where they are not read yet


def sent(x: Tensor, device: torch.device) -> Tensor:
    """`x` on the device. To CUDA it goes from pinned memory, so that the host need not wait for earlier work there."""
    if device.type != "cuda" or x.device.type == "cuda":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


def unfit(losses: Sequence[Tensor], norm: Tensor, huge: float) -> Tensor:
    """1 where a loss is not finite or as large as `huge`, or the gradient's norm not finite; else 0. Both float32.

    It is a scalar on the device of `norm`, for the `found_inf` of a fused Adam, which then leaves the update out.
    """
    # a loss of nothing is a 0 on the CPU
    values = torch.stack([loss.detach().float().to(norm.device, non_blocking=True) for loss in losses])
    return (~((values.abs() < huge).all() & norm.isfinite())).float()


def read(steps: Sequence[Figures]) -> list[dict[str, float]]:
    """The figures of each step as numbers, in one transfer from their device."""
    waiting = [value for figures in steps for value in figures.values() if isinstance(value, Tensor)]
    device = next((value.device for value in waiting if value.device.type != "cpu"), torch.device("cpu"))
    there = [value.detach().float().to(device, non_blocking=True) for value in waiting]
    values = iter(torch.stack(there).tolist() if there else [])
    return [{k: next(values) if isinstance(v, Tensor) else v for k, v in figures.items()} for figures in steps]
