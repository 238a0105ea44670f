"""Which reader a source gets, and the preset size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import aspect_size, read, sources


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((28, 28), (32, 32)), ((50, 100), (16, 32)), ((100, 30), (32, 8)), ((1000, 1), (32, 8)), ((9, 12), (24, 32))],
)
def test_preset_size_keeps_the_aspect(shape, expected, make):
    """The longer side is 32, the other follows the aspect in multiples of 8, at least 8."""
    assert aspect_size(make.images(np.zeros((2, 1, *shape), np.uint8), [0, 1]), 32, 8) == expected


def test_preset_size_follows_the_most_common_image(folder, make):
    """Of a folder the most common size counts, read from headers; a tie takes the smaller, whatever the order."""
    root = folder(
        {"a/x.png": make.photo(50, 100), "b/x.png": make.photo(10, 10), "b/y.png": make.photo(10, 10, seed=1)}
    )
    assert aspect_size(root, 32, 4) == (32, 32)
    (root / "b/y.png").write_bytes(b"broken")
    assert aspect_size(root, 32, 4) == (32, 32)
    (root / "b/x.png").unlink()
    assert aspect_size(root, 32, 4) == (16, 32)


def test_A1_a_folder_without_one_sound_image_names_the_first(folder, clean):
    """The preset size does not stop before reading says which file is damaged."""
    root = folder({"a/x.png": b"broken"})
    with pytest.raises(DataError) as caught:
        read(root, size=aspect_size(root, 32, 4))
    clean(caught.value, "a/x.png")


def test_vectors_have_no_size(make):
    """The preset size of vectors is refused."""
    with pytest.raises(DataError, match="vectors, which have no image size"):
        aspect_size(make.images(np.zeros((2, 5), np.float32), [0, 1]), 32, 8)


def test_a_path_with_a_NUL_is_refused(clean):
    """A path no system can hold is a clean error."""
    with pytest.raises(DataError) as caught:
        sources.open_source("a\0b")
    clean(caught.value, "a\\x00b", "null byte")


def test_the_package_imports_neither_torch_nor_scikit_learn():
    """Reading data costs no import of torch, scikit-learn or mlxtend."""
    code = (
        "import sys, lookalike.data; print([m for m in ('torch', 'sklearn', 'mlxtend', 'pandas') if m in sys.modules])"
    )
    src = str(Path(sources.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": src}
    )
    assert done.stdout == "[]\n"
