"""The one source of randomness: generators made from (seed, purpose, step), never a global state.

So a run that is resumed at any step draws the same bits.
"""

from __future__ import annotations

import hashlib

import torch


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any parts with a stable `repr`, such as (seed, "D", 12)."""
    # a hash: purposes and steps that are close have seeds that are unrelated
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator for one purpose. All draws are made on the CPU and then moved, so that devices agree."""
    return torch.Generator().manual_seed(seed_of(*parts))
