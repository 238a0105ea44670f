"""A new row of a layer when a class is split: in its weights and in Adam's moments (splitting-gan-2017, section 3)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

MOMENTS = ("exp_avg", "exp_avg_sq")


def append(parameter: nn.Parameter, rows: Tensor, like: int, optimiser: torch.optim.Optimizer | None) -> None:
    """Appends rows (R, ...) to a parameter (N, ...). Their Adam moments are copies of those of its row `like`.

    The step count stays: it belongs to the whole parameter.
    """
    state = {} if optimiser is None else optimiser.state.get(parameter, {})
    # without the parent's moments the first steps of the new rows would be too long
    for key in [key for key in MOMENTS if key in state]:
        state[key] = torch.cat([state[key], *[state[key][like : like + 1]] * len(rows)])
    parameter.grad = None  # it has the old shape
    # `data` is replaced and the parameter stays, because the optimiser refers to it
    parameter.data = torch.cat([parameter.data, rows.to(parameter.data)])


@torch.no_grad()
def copy_row(layer: nn.Module, row: int, optimiser: torch.optim.Optimizer | None) -> None:
    """Adds an output to a linear layer, or a vector to an embedding, as a copy of `row` (same section)."""
    assert isinstance(layer, nn.Linear | nn.Embedding), "its weight has a row per class"
    for parameter in _of_rows(layer):
        append(parameter, parameter.data[row : row + 1].clone(), row, optimiser)
    if isinstance(layer, nn.Linear):
        layer.out_features += 1
    else:
        layer.num_embeddings += 1


def _of_rows(layer: nn.Linear | nn.Embedding) -> Iterator[nn.Parameter]:
    """The parameters with one row per output or vector. A spectral norm's singular vector gets its new row here."""
    if is_parametrized(layer, "weight"):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        stored = layer.parametrizations["weight"]
        assert isinstance(stored, ParametrizationList)
        left = stored[0].get_buffer("_u")
        stored[0].register_buffer("_u", torch.cat([left, left.new_zeros(1)]))  # 0: the norm's estimate stays
        assert isinstance(stored.original, nn.Parameter)
        yield stored.original
    else:
        assert isinstance(layer.weight, nn.Parameter)
        yield layer.weight
    if isinstance(layer, nn.Linear) and layer.bias is not None:
        yield layer.bias
