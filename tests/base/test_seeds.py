"""The one source of randomness: stable seeds, generators of their own."""

from __future__ import annotations

import hashlib

import torch

from lookalike.base.seeds import generator, seed_of


def test_seed_is_sha256_of_the_parts():
    """A seed is the first 63 bits of SHA-256 over the parts' repr, so that runs on different machines agree."""
    digest = hashlib.sha256(b"(3, 'D', 12)").digest()
    assert seed_of(3, "D", 12) == int.from_bytes(digest[:8], "little") >> 1


def test_seeds_differ():
    """Seeds of many neighbouring purposes and steps all differ and fit 63 bits."""
    seeds = {seed_of(seed, purpose, step) for seed in range(10) for purpose in ("D", "G", "z") for step in range(100)}
    assert len(seeds) == 3000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_do_not_run_together():
    """Moving a character from one part to the next, or a number to a text, is another seed."""
    assert len({seed_of("ab", "c"), seed_of("a", "bc"), seed_of("abc"), seed_of(1), seed_of("1"), seed_of(1, "")}) == 6


def test_generator_is_its_own():
    """A generator repeats its draws and neither reads nor moves torch's global state."""
    torch.manual_seed(1)
    first = torch.randn(5, generator=generator(7, "z", 0))
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(first, torch.randn(5, generator=generator(7, "z", 0)))
    assert not torch.equal(first, torch.randn(5, generator=generator(7, "z", 1)))
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
