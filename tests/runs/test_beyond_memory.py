"""A training on images beyond memory draws rows from a file, and ends in the bits of one whose images are in memory."""

from __future__ import annotations

import numpy as np
import pytest
from clean_failure import tree
from sklearn.datasets import load_digits
from tiny import call, train

from lookalike.game.source import Stored
from lookalike.runs import plan as plans
from lookalike.runs import reading
from lookalike.runs.settings import train_settings


@pytest.fixture
def data(tmp_path):
    """Digits as an .npz file."""
    digits = load_digits()
    path = tmp_path / "digits.npz"
    np.savez(path, images=(digits.images * 15).astype(np.uint8), labels=digits.target)
    return path


@pytest.mark.parametrize("method", ["mcgan", "splitting", "auto-gan"])
def test_a_map_gives_the_same_bits(capsys, data, tmp_path, monkeypatch, method):
    """Model and metrics are the same with and without a map, also of a method that splits; a line says the map."""
    more = ("--batch=32",) if method == "mcgan" else ("--known=8", "--batch=32")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = []
    for most, name in ((1 << 40, "memory"), (0, "mapped")):
        monkeypatch.setattr(reading, "in_memory", lambda most=most: most)
        code, _, said = call(capsys, *train(tmp_path / name, *more, method=method, data=str(data)))
        assert code == 0, said
        lines.append([line for line in said.splitlines() if "they are read once into" in line])
    assert [len(said) for said in lines] == [0, 1]
    one, other = tree(tmp_path / "memory"), tree(tmp_path / "mapped")
    for name in ("model.safetensors", "split.json"):
        assert one[name] == other[name], name


def test_the_images_of_a_map_are_not_copied(data, tmp_path, monkeypatch):
    """The source of a mapped training holds no images, and gives the rows that are asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    how = train_settings(known=("3",), extra_fakes=("8",), method="mcgan", size="8,8")
    whole = plans.make(data, how).source()
    monkeypatch.setattr(reading, "in_memory", lambda: 0)
    mapped = plans.make(data, how).source()
    assert isinstance(mapped.known, Stored) and isinstance(mapped.others, Stored)
    for name, size in (("take_known", 40), ("take_others", 30)):
        one, other = (getattr(source.at("D", index=3), name)(size) for source in (whole, mapped))
        assert all(map(np.array_equal, one, other))
    assert [len(x) for x, _ in mapped.blocks(50)] == [len(x) for x, _ in whole.blocks(50)]
