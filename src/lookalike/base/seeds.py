"""The one source of randomness: generators made from (seed, purpose, step), never a global state.

A run that is resumed at any step, with any number of loader workers, therefore draws the same bits.
"""

from __future__ import annotations

import hashlib

import torch


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any parts with a stable `repr`, such as (seed, "D", 12)."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator for one purpose: every draw is made on the CPU and moved, so that devices agree."""
    return torch.Generator().manual_seed(seed_of(*parts))
