"""More rows for a class that is split: a layer's weights grow, and Adam's moments with them (splitting-gan-2017, 3)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

MOMENTS = ("exp_avg", "exp_avg_sq")


def append(parameter: nn.Parameter, rows: Tensor, like: int, optimiser: torch.optim.Optimizer | None) -> None:
    """Appends rows (R, ...) to a parameter (N, ...); their moments are those of its row `like`."""
    state = {} if optimiser is None else optimiser.state.get(parameter, {})
    for key in [key for key in MOMENTS if key in state]:
        state[key] = torch.cat([state[key], *[state[key][like : like + 1]] * len(rows)])
    parameter.grad = None
    parameter.data = torch.cat([parameter.data, rows.to(parameter.data)])


@torch.no_grad()
def copy_row(layer: nn.Module, row: int, optimiser: torch.optim.Optimizer | None) -> None:
    """One more output of a linear layer, or one more vector of an embedding: a copy of `row`."""
    assert isinstance(layer, nn.Linear | nn.Embedding), "its weight has a row per class"
    for parameter in _of_rows(layer):
        append(parameter, parameter.data[row : row + 1].clone(), row, optimiser)
    if isinstance(layer, nn.Linear):
        layer.out_features += 1
    else:
        layer.num_embeddings += 1


def _of_rows(layer: nn.Linear | nn.Embedding) -> Iterator[nn.Parameter]:
    """The parameters with a row per output or vector; a spectral norm's singular vector gets its row too."""
    if is_parametrized(layer, "weight"):
        assert isinstance(layer.parametrizations, nn.ModuleDict)
        stored = layer.parametrizations["weight"]
        assert isinstance(stored, ParametrizationList)
        left = stored[0].get_buffer("_u")
        stored[0].register_buffer("_u", torch.cat([left, left.new_zeros(1)]))  # 0 leaves the norm as it is
        assert isinstance(stored.original, nn.Parameter)
        yield stored.original
    else:
        assert isinstance(layer.weight, nn.Parameter)
        yield layer.weight
    if isinstance(layer, nn.Linear) and layer.bias is not None:
        yield layer.bias
