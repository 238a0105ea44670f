"""How many CPU threads torch computes with, for a while: the caller's process keeps its own number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing_with(number: int) -> Iterator[None]:
    """Computes with so many threads within the block; the same bits need the same number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
