"""How torch computes for a while: with how many CPU threads, and as it does where nobody changed its defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

DEVICES = ("cpu", "cuda")  # whose autocast a caller may have switched on


@contextmanager
def computing_with(number: int) -> Iterator[None]:
    """Computes with so many threads within the block, `as_usual`; the same bits need the same number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with as_usual():
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def as_usual() -> Iterator[None]:
    """Within the block torch computes in float32, on the CPU, with gradients and without autocast.

    A caller's `torch.autocast` or default type would change scores, and its `torch.inference_mode` would end a search.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
