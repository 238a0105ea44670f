"""CIFAR's binary files: what is read, by folder and by name, and what is refused."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from official import cifar_files

from lookalike.base.errors import DataError
from lookalike.data import aspect_size, cifar, named, read, stream

LAYOUTS = {"cifar-10": cifar.CIFAR_10, "cifar-100": cifar.CIFAR_100, "cifar-100-coarse": cifar.CIFAR_100_COARSE}
FOLDERS = {"cifar-10": "cifar-10-batches-bin", "cifar-100": "cifar-100-binary", "cifar-100-coarse": "cifar-100-binary"}


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100"])
def test_a_folder_is_read(name, tmp_path):
    """Pixels, labels and names come in file order, the official test part last; CIFAR-100 has its fine labels."""
    layout, folder = LAYOUTS[name], tmp_path / "any name"
    written = cifar_files(folder, layout)
    images = read(folder)
    assert (images.pixels == np.concatenate([pixels for _, pixels in written.values()])).all()
    assert (images.labels == np.concatenate([labels[:, -1] for labels, _ in written.values()])).all()
    assert images.classes[7] == ("batc_7" if name == "cifar-10" else "fine_7")
    assert len(images.classes) == layout.classes
    assert images.test.tolist() == [False] * 5 * layout.classes + [True] * layout.classes
    assert images.names[0] == f"{layout.train[0]}/00000"
    assert images.names[-1] == f"{layout.test}/{layout.classes - 1:05d}"
    assert aspect_size(folder, 32, 8) == (32, 32)
    blocks = list(stream(folder, size=(32, 32), channels=3, block=7))
    assert (np.concatenate([block.pixels for block in blocks]) == images.pixels).all()


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_names_are_found_by_the_variable(name, above, tmp_path, monkeypatch):
    """LOOKALIKE_DATA names the folder of the files, or the one above it; the coarse labels have a name of their own."""
    written = cifar_files(tmp_path / FOLDERS[name], LAYOUTS[name])
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path if above else tmp_path / FOLDERS[name]))
    images = read(name)
    byte = 0 if name == "cifar-100-coarse" else -1
    assert images.labels.tolist() == np.concatenate([labels[:, byte] for labels, _ in written.values()]).tolist()
    assert images.classes[0] == {"cifar-10": "batc_0", "cifar-100": "fine_0", "cifar-100-coarse": "coar_0"}[name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_name_without_files_says_which_to_get(name, tmp_path, monkeypatch, clean):
    """The message names the official file, the variable and where was looked; the other CIFAR's files do not count."""
    other = "cifar-10" if name != "cifar-10" else "cifar-100"
    cifar_files(tmp_path / FOLDERS[other], LAYOUTS[other])
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(DataError) as caught:
        read(name)
    clean(caught.value, f"'{name}'", LAYOUTS[name].archive, "not the Python one", named.FOLDER_VARIABLE, str(tmp_path))


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100"])
def test_the_python_version_is_never_loaded(name, tmp_path, clean):
    """A folder of pickles is refused by what to download instead, and nothing in it runs."""

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = tmp_path / "python"
    folder.mkdir()
    for file in LAYOUTS[name].pickled:
        (folder / file).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(DataError) as caught:
        read(folder)
    clean(caught.value, "a pickle, which is never loaded", LAYOUTS[name].archive)
    assert not (tmp_path / "ran").exists()


def _cut(path, count):
    path.write_bytes(path.read_bytes()[:count])


BROKEN = {
    "cut": ("cifar-10", "data_batch_3.bin", lambda path: _cut(path, -1), "is truncated or damaged: 30,729 bytes"),
    "cut at a row": ("cifar-10", "data_batch_3.bin", lambda path: _cut(path, -3073), "holds 9 images, but the 10 in"),
    "test cut at a row": ("cifar-100", "test.bin", lambda path: _cut(path, -3074), "but the 99 in test.bin need"),
    "empty": ("cifar-100", "test.bin", lambda path: _cut(path, 0), "0 bytes"),
    "missing": ("cifar-10", "data_batch_5.bin", lambda path: path.unlink(), "is missing"),
    "test missing": ("cifar-100", "test.bin", lambda path: path.unlink(), "is missing"),
    "names missing": ("cifar-100", "fine_label_names.txt", lambda path: path.unlink(), "is missing"),
    "a name lost": (
        "cifar-10",
        "batches.meta.txt",
        lambda path: _cut(path, -8),
        "names 9 classes, but 10 are needed",
    ),
    "one name twice": ("cifar-10", "batches.meta.txt", lambda path: path.write_text("a\n" * 10), "differ only in case"),
    "names too long": (
        "cifar-10",
        "batches.meta.txt",
        lambda path: path.write_bytes(bytes(20_000)),
        "not a list of 10",
    ),
    "label": ("cifar-10", "test_batch.bin", lambda path: _write(path, 4 * 3073, 10), "image 4 has label 10, but"),
    "fine label": ("cifar-100", "train.bin", lambda path: _write(path, 3074 + 1, 100), "image 1 has label 100, but"),
}


def _write(path, place, value):
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused(case, tmp_path, clean):
    """Every kind of damage is one line that names the file, what is wrong and the official file."""
    name, file, damage, words = BROKEN[case]
    folder = tmp_path / "files"
    cifar_files(folder, LAYOUTS[name])
    damage(folder / file)
    with pytest.raises(DataError) as caught:
        read(folder)
    named_file = "train.bin" if case == "test cut at a row" else file
    clean(caught.value, str(folder / named_file), words, *([] if "twice" in case else [LAYOUTS[name].archive]))


def test_a_damaged_coarse_label_is_refused(tmp_path, clean):
    """The coarse labels, which only cifar-100-coarse reads, are checked against twenty classes."""
    folder = tmp_path / "files"
    cifar_files(folder, cifar.CIFAR_100)
    _write(folder / "train.bin", 0, 20)
    assert len(read(folder)) == 600
    with pytest.raises(DataError) as caught:
        cifar.read_folder(folder, cifar.CIFAR_100_COARSE)
    clean(caught.value, "image 0 has label 20, but there are 20 classes")


def test_a_fifo_for_a_file_does_not_block(tmp_path, clean):
    """B14: a FIFO named like a batch counts as missing."""
    folder = tmp_path / "files"
    cifar_files(folder, cifar.CIFAR_10)
    (folder / "data_batch_2.bin").unlink()
    os.mkfifo(folder / "data_batch_2.bin")
    with pytest.raises(DataError) as caught:
        read(folder)
    clean(caught.value, "data_batch_2.bin", "is missing")


def test_class_folders_beside_a_stray_file_are_class_folders(folder, make):
    """One file of CIFAR's names does not turn a folder of classes into CIFAR."""
    root = folder({"a/x.png": make.photo(), "b/y.png": make.photo(seed=1), "train.bin": b"x"})
    assert read(root).classes == ("a", "b")
