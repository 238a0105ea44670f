"""Every gate takes foreign bytes or refuses them with an error of ours: those it has met, and changed ones (G-8)."""

from __future__ import annotations

import random

import pytest
from gates import CORPUS, GATES, passes

MET = sorted(path for path in CORPUS.glob("*/*"))
CHANGED = 60  # of each gate


@pytest.mark.parametrize("path", MET, ids=[f"{path.parent.name}-{path.name}" for path in MET])
def test_bytes_that_a_gate_has_met_are_taken_or_refused(path, tmp_path):
    """Each file of the corpus is an answer or an error of ours, and no bug."""
    passes(path.parent.name, path.read_bytes(), tmp_path)


@pytest.mark.parametrize("gate", GATES)
def test_changed_bytes_are_taken_or_refused(gate, tmp_path):
    """Bytes cut, doubled, set and joined: an answer or an error of ours. `benchmarks/fuzz.py` does millions."""
    draw, seeds = random.Random(gate), [path.read_bytes() for path in MET if path.parent.name == gate]
    assert seeds
    for i in range(CHANGED):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 4)):
            at, end = sorted(draw.randint(0, len(data)) for _ in "ab")
            other = draw.choice(seeds)
            data[at:end] = draw.choice(
                [b"", bytes(data[at:end]) * 2, draw.randbytes(end - at), other[at:], b"\xff" * 8]
            )
        (folder := tmp_path / str(i)).mkdir()
        passes(gate, bytes(data[:100_000]), folder)
