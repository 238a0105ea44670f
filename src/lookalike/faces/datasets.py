"""Data sets of PyTorch and of Hugging Face: theirs as `Images`, and generated images as one of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lookalike.base.arrays import Labels, Pixels
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data import Images
from lookalike.data.arrays import numbered
from lookalike.data.pictures import picture_of
from lookalike.detect.model import Model
from lookalike.use.generate import generators

SAMPLES = "(image, label) or a mapping with image and label is accepted"


class Generated(Dataset[tuple[Any, int]]):
    """Images that a run's GAN makes, as a data set of PyTorch. They are made at once, class by class.

    Parameters
    ----------
    run : str or Path
        The folder of a GAN's training.
    n : int
        Number of images of each class.
    seed : int
        Seed of all images: image i of a class is that of `lookalike generate`.
    classes : sequence of str, optional
        The classes that are made; all known ones where it is left out.
    transform : callable, optional
        Is given each image, and what it returns takes the image's place.

    Attributes
    ----------
    images : Tensor, uint8 (N, C, H, W)
    labels : Tensor, int64 (N,), the index into `classes`
    classes : the class names in order

    A sample is an image, float32 (C, H, W) from 0 to 1, and its label.

    Raises
    ------
    UsageError
        For a run without a GAN of images, and a class that it does not make.
    """

    def __init__(
        self,
        run: str | Path,
        n: int,
        *,
        seed: int = 0,
        classes: Sequence[str] | None = None,
        transform: Callable[[Tensor], Any] | None = None,
    ) -> None:
        model = Model.load(run)
        able = generators(model)
        if len(model.shape) != 3:
            raise UsageError(f"{show(run)} makes vectors; take a run on images")
        if unable := set(classes or ()) - set(able):
            raise UsageError(f"{show(run)} makes no images of {listed(sorted(unable))}; it makes {listed(able)}")
        if n < 1:
            raise UsageError(f"n is {n}; 1 and more are accepted")
        self.classes = tuple(classes or able)
        made = [block for name in self.classes for block in able[name].images(n, seed=seed)]
        self.images = torch.from_numpy(np.concatenate(made))
        self.labels = torch.arange(len(self.classes)).repeat_interleave(n)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        image = self.images[i].float() / 255
        return image if self.transform is None else self.transform(image), int(self.labels[i])


def from_dataset(dataset: Any, classes: Sequence[str] | None = None) -> Images:
    """Reads a data set of PyTorch, such as torchvision's, or a `datasets.Dataset` of Hugging Face.

    Parameters
    ----------
    dataset : sequence
        Its samples are (image, label), or mappings with "image" and "label". An image is one of Pillow, an array (H, W)
        or (H, W, C) uint8, or a tensor (C, H, W), uint8 or float from 0 to 1. A label is the index into the classes, or
        the name of one.
    classes : sequence of str, optional
        The class names in order. Without them they are the data set's own, `dataset.classes` or those of its feature
        "label", or else the labels that there are.

    Returns
    -------
    Images
        For `lookalike.fit` and `Model.score`.

    Raises
    ------
    DataError
        For samples of another form, images of several sizes, and labels without a class.
    """
    if not hasattr(dataset, "__len__"):
        raise DataError(f"{type(dataset).__name__} has no length; write a stream to a folder, and give that")
    pairs = [_pair(sample) for sample in islice(dataset, len(dataset))]  # some data sets never stop by themselves
    pixels = _stacked([_pixels(image) for image, _ in pairs])
    labels, names = _labels([label for _, label in pairs], classes or _names(dataset))
    return Images(pixels, labels, names, numbered(len(labels)))


def _pair(sample: Any) -> tuple[Any, Any]:
    match sample:
        case {"image": image, "label": label} | (image, label):
            return image, label
    raise DataError(f"a sample of the data set is {type(sample).__name__}; {SAMPLES}")


def _pixels(image: Any) -> Pixels:
    """(H, W, 1 or 3) uint8."""
    if isinstance(image, Tensor):
        array = image.detach().cpu().numpy()
        if array.ndim != 3 or array.shape[0] not in (1, 3):
            raise DataError(f"an image is a tensor of shape {array.shape}; (C, H, W) is accepted, where C is 1 or 3")
        if array.dtype != np.uint8:
            if not 0 <= array.min(initial=0) <= array.max(initial=0) <= 1:
                raise DataError(
                    f"an image goes from {array.min():g} to {array.max():g}; 0 to 1 is accepted: leave out transforms "
                    "that normalise"
                )
            array = np.rint(array * 255).astype(np.uint8)
        image = np.ascontiguousarray(array.transpose(1, 2, 0))
    return picture_of(image).pixels


def _labels(given: list[Any], names: Sequence[str] | None) -> tuple[Labels, tuple[str, ...]]:
    """The labels as numbers, and the classes: those named, or else the labels that there are."""
    labels = [label if isinstance(label, str) else int(label) for label in given]
    own = sorted(set(labels), key=lambda label: (isinstance(label, str), label)) if names is None else names
    of: dict[str | int, int] = {} if names is None else {number: number for number in range(len(names))}
    of |= {name: number for number, name in enumerate(own)}
    if strangers := set(labels) - set(of):
        raise DataError(f"the label {show(min(strangers, key=str))} is not of the classes {listed(map(str, own))}")
    return np.array([of[label] for label in labels], np.int64), tuple(map(str, own))


def _stacked(pictures: list[Pixels]) -> Pixels:
    """(N, C, H, W) uint8, of which all have colour where one has."""
    if len(sizes := {picture.shape[:2] for picture in pictures}) != 1:
        two = " and ".join(f"{height} x {width}" for height, width in sorted(sizes)[:2]) or "none"
        raise DataError(f"the images of the data set have different sizes, {two}; resize them in its transform")
    channels = max(picture.shape[2] for picture in pictures)
    full = [np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in pictures]
    return np.stack(full).transpose(0, 3, 1, 2)


def _names(dataset: Any) -> Sequence[str] | None:
    """The class names that a data set of torchvision or Hugging Face brings."""
    features = getattr(dataset, "features", None)
    own = getattr(features.get("label"), "names", None) if isinstance(features, Mapping) else None
    names = own or getattr(dataset, "classes", None)
    return [str(name) for name in names] if names else None
