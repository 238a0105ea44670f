"""STL-10's binary files: what is read, by folder and by name, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from official import stl_files

from lookalike.base.errors import DataError
from lookalike.data import named, read, stl10, stream


def test_a_folder_is_read(tmp_path):
    """Pixels upright, labels from 1 and names in file order, the official test part last; unlabelled ones stay out."""
    written = stl_files(tmp_path / "any name")
    images = read(tmp_path / "any name")
    (train, first), (test, second) = written["train"], written["test"]
    assert (images.pixels == np.concatenate([first, second])).all()
    assert images.labels.tolist() == [*train, *test]
    assert images.classes == tuple(f"stl_{i}" for i in range(10))
    assert images.test.tolist() == [False] * 20 + [True] * 20
    assert (images.names[0], images.names[-1]) == ("train/00000", "test/00019")
    blocks = list(stream(tmp_path / "any name", size=(96, 96), channels=3, block=7))
    assert (np.concatenate([block.pixels for block in blocks]) == images.pixels).all()


def test_columns_come_before_rows(tmp_path):
    """The second byte of a channel is the pixel below the first, as in the official files."""
    stl_files(tmp_path / "stl")
    image = np.zeros((3, 96, 96), np.uint8).reshape(-1)
    image[1], image[96] = 200, 100
    path = tmp_path / "stl" / "train_X.bin"
    path.write_bytes(image.tobytes() + path.read_bytes()[stl10.ROW :])
    pixels = read(tmp_path / "stl").pixels[0]
    assert pixels[0, 1, 0] == 200 and pixels[0, 0, 1] == 100 and pixels.sum() == 300


@pytest.mark.parametrize("folder", ["stl-10", "stl10_binary", "."])
def test_names_are_found_by_the_variable(folder, tmp_path, monkeypatch):
    """LOOKALIKE_DATA names the folder of the files or the one above; those without labels are a set of one class."""
    written = stl_files(tmp_path / "data" / folder)
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path / "data"))
    assert read("stl-10").labels.tolist() == [*written["train"][0], *written["test"][0]]
    more = read("stl-10-unlabelled")
    assert (more.pixels == written["unlabeled"][1]).all()
    assert (more.classes, set(more.labels.tolist()), more.test) == (("any",), {0}, None)
    half = read("stl-10-unlabelled", size=(48, 48))
    assert half.pixels.shape == (7, 3, 48, 48)
    means = more.pixels.reshape(7, 3, 48, 2, 48, 2).mean((3, 5))
    assert np.corrcoef(half.pixels.ravel(), means.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("name", ["stl-10", "stl-10-unlabelled"])
def test_a_name_without_files_says_which_to_get(name, tmp_path, monkeypatch, clean):
    """The message names the official file, the variable and where was looked."""
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(DataError) as caught:
        read(name)
    clean(caught.value, f"'{name}'", "stl10_binary.tar.gz", named.FOLDER_VARIABLE, str(tmp_path))


BROKEN = {
    "train_X.bin": (lambda old: old[:-1], "truncated or damaged"),
    "test_X.bin": (lambda old: b"", "truncated or damaged: 0 bytes"),
    "train_y.bin": (lambda old: old[:-1], "holds 19 labels, but there are 20 images"),
    "test_y.bin": (lambda old: b"\0" + old[1:], "image 0 has label 0, but labels are 1 to 10"),
    "class_names.txt": (lambda old: old[6:], "names 9 classes, but 10 are needed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_is_named(name, tmp_path, clean):
    """Cut short, empty, with other labels or names: one line with the file and the archive to unpack again."""
    stl_files(tmp_path / "stl")
    path, (change, words) = tmp_path / "stl" / name, BROKEN[name]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        read(tmp_path / "stl")
    clean(caught.value, name, words, "stl10_binary.tar.gz")


def test_eleven_is_no_class(tmp_path, clean):
    """A label above 10 is refused with its image."""
    stl_files(tmp_path / "stl")
    path = tmp_path / "stl" / "train_y.bin"
    path.write_bytes(path.read_bytes()[:3] + bytes([11]) + path.read_bytes()[4:])
    with pytest.raises(DataError) as caught:
        read(tmp_path / "stl")
    clean(caught.value, "image 3 has label 11")


@pytest.mark.parametrize("name", BROKEN)
def test_a_missing_file_is_named(name, tmp_path, clean):
    """Each of the five labelled files is needed."""
    stl_files(tmp_path / "stl")
    (tmp_path / "stl" / name).unlink()
    with pytest.raises(DataError) as caught:
        read(tmp_path / "stl")
    clean(caught.value, name, "is missing")
