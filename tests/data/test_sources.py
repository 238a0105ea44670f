"""Which reader a source gets, and the preset size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.base.errors import DataError, UsageError
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


@pytest.mark.parametrize("name", ["digits", "mnist-5k", "cifar-10", "fashion-mnist", "stl-10-unlabelled", "celeba"])
@pytest.mark.parametrize("kind", ["classes", "empty", "file", "link"])
def test_a_name_of_a_data_set_that_lies_here_too_is_refused(name, kind, folder, make, tmp_path, monkeypatch, clean):
    """Neither the data set nor what lies here under its name is taken in silence; the line says how to give each."""
    root = folder({"a/x.png": make.photo(), "b/y.png": make.photo(seed=1)})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    there = Path(name)
    if kind == "classes":
        root.rename(there)
    elif kind == "link":
        there.symlink_to(root)
    else:
        getattr(there, {"empty": "mkdir", "file": "touch"}[kind])()
    with pytest.raises(DataError) as caught:
        sources.open_source(name)
    clean(caught.value, f"'{name}'", f"'./{name}'", "rename it")


@pytest.mark.parametrize("given", ["./digits", "../here/digits", Path("digits"), "digits/"])
def test_a_path_is_never_the_name_of_a_data_set(given, folder, make, tmp_path, monkeypatch):
    """A folder with the name of a data set is read where it is given as a path."""
    root = folder({"mine/x.png": make.photo(), "yours/y.png": make.photo(seed=1)})
    (tmp_path / "here").mkdir()
    root.rename(tmp_path / "here" / "digits")
    monkeypatch.chdir(tmp_path / "here")
    assert read(given).classes == ("mine", "yours")


def test_the_folder_that_a_training_writes_never_hides_its_data_set(tmp_path, monkeypatch):
    """An output with the name of the data set is refused, or the same command could not resume; others are free."""
    monkeypatch.chdir(tmp_path)
    for out in ("digits", "./digits", tmp_path / "digits"):
        with pytest.raises(UsageError, match="would hide the data set of that name"):
            sources.refuse_inside(Path(out), "digits")
    sources.refuse_inside(Path("runs/digits"), "digits")
    sources.refuse_inside(Path("digits"), "mnist-5k")


@pytest.mark.parametrize("given", ["~/data", "~//data", "~/./data", "~/data/", "~/data/../data"])
def test_a_tilde_is_the_home_folder_of_data(given, folder, make, tmp_path, monkeypatch):
    """Data in the home folder are found by ~, as a text and as a path; a folder called ~ is ./~."""
    folder({"a/x.png": make.photo(), "b/y.png": make.photo(seed=1)})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "data")
    assert read(given).classes == read(Path(given)).classes == ("a", "b")
    with pytest.raises(DataError, match=r"cannot open '\./~/data'"):
        read("./~/data")


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
