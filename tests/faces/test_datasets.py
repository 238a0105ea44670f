"""Data sets of PyTorch and Hugging Face are read as they are, and generated images are one of PyTorch's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

import lookalike
from lookalike.base.errors import DataError, UsageError
from lookalike.detect.model import Model
from lookalike.use.generate import generators

SHORT = {"images": 96, "batch": 16, "width": 4, "calibration": 0.0, "size": "8,8", "threads": 1}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The run folder of a GAN of two classes."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    lookalike.fit("digits", known=("3", "8"), method="acgan", out=folder, **SHORT)
    return folder


def test_generated_images_are_those_of_generate(both):
    """Images and labels stand class by class, with the pixels that `generate` writes for the seed."""
    made = lookalike.Generated(both, 5, seed=7)
    able = generators(Model.load(both))
    wanted = np.concatenate([next(able[name].images(5, seed=7)) for name in ("3", "8")])
    assert made.classes == ("3", "8") and len(made) == 10
    assert made.labels.tolist() == [0] * 5 + [1] * 5
    assert np.array_equal(made.images.numpy(), wanted)
    image, label = made[6]
    assert label == 1 and image.dtype == torch.float32
    assert torch.equal(image, torch.from_numpy(wanted[6]) / 255)


def test_a_loader_of_pytorch_takes_them_with_a_transform(both):
    """A DataLoader makes batches of one class alone, after the transform."""
    made = lookalike.Generated(both, 6, classes=("8",), transform=lambda image: image.flip(-1))
    (x, y), (rest, _) = DataLoader(made, batch_size=4)
    assert x.shape == (4, 1, 8, 8) and y.tolist() == [0] * 4 and len(rest) == 2
    assert torch.equal(x, made.images[:4].flip(-1) / 255)


def test_what_cannot_be_generated_is_refused(both):
    """A class that the run does not make, and no images at all, are refused in a sentence that says what there is."""
    with pytest.raises(UsageError, match="makes no images of 5; it makes 3, 8"):
        lookalike.Generated(both, 5, classes=("5",))
    with pytest.raises(UsageError, match="n is 0; 1 and more are accepted"):
        lookalike.Generated(both, 0)


class Pictures(Dataset):
    """As torchvision's data sets: (picture of Pillow, label), with the names of the classes."""

    classes = ("cat", "dog")

    def __init__(self, transform=lambda picture: picture, target=lambda label: label):
        random = np.random.default_rng(0)
        self.arrays = random.integers(0, 256, (6, 5, 4, 3), np.uint8)
        self.transform, self.target = transform, target

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.arrays[i % 6])), self.target(i % 2)


def tensor(picture):
    """As torchvision's ToTensor."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


@pytest.mark.parametrize("transform", [lambda picture: picture, np.asarray, tensor], ids=["pillow", "array", "tensor"])
def test_a_data_set_is_read_in_each_form_of_image(transform):
    """Pictures, arrays and float tensors of one data set give the same pixels, labels and names."""
    images = lookalike.from_dataset(Pictures(transform))
    assert np.array_equal(images.pixels, Pictures().arrays.transpose(0, 3, 1, 2))
    assert images.labels.tolist() == [0, 1] * 3 and images.classes == ("cat", "dog")


def test_rows_of_hugging_face_are_read():
    """Mappings with image and label are read; the feature of the labels gives the names."""
    rows = SimpleNamespace(features={"label": SimpleNamespace(names=["no", "yes"])})
    pictures = Pictures()

    class Rows(list):
        features = rows.features

    images = lookalike.from_dataset(Rows({"image": pictures[i][0], "label": i % 2} for i in range(6)))
    assert images.classes == ("no", "yes") and images.shape == (3, 5, 4)


@pytest.mark.parametrize(("given", "names"), [(["b", "a"], ("a", "b")), ([8, 3], ("3", "8"))], ids=["texts", "numbers"])
def test_labels_without_names_are_their_own(given, names):
    """Texts and numbers of a data set without class names become the classes that there are, in their order."""
    images = lookalike.from_dataset([(Pictures()[i][0], given[i % 2]) for i in range(6)])
    assert images.classes == names and images.labels.tolist() == [1, 0] * 3


def test_names_of_classes_are_labels_too():
    """A label may be the name of a class that the data set names."""
    assert lookalike.from_dataset(Pictures(target=Pictures.classes.__getitem__)).labels.tolist() == [0, 1] * 3


def test_a_data_set_trains_and_is_judged(tmp_path):
    """A detector that learnt a data set gives the scores of the same images read by name."""
    digits = lookalike.read("digits")
    theirs = TensorDataset(torch.from_numpy(digits.pixels), torch.from_numpy(digits.labels))
    images = lookalike.from_dataset(theirs, classes=digits.classes)
    how = {"known": "3", "method": "knn", "size": "8,8", "threads": 1}
    scores = [
        lookalike.fit(data, out=tmp_path / name, **how).score(digits.of("8")).score
        for name, data in {"theirs": images, "digits": "digits"}.items()
    ]
    assert np.array_equal(*scores)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], r"a sample of the data set is int; \(image, label\) or a mapping"),
        (TensorDataset(torch.zeros(2, 1, 4, 4) - 1, torch.zeros(2)), "an image goes from -1 to -1; 0 to 1 is accepted"),
        (TensorDataset(torch.zeros(2, 4, 4), torch.zeros(2)), r"a tensor of shape \(4, 4\)"),
        ([(np.zeros((2, 2), np.uint8), 0), (np.zeros((3, 2), np.uint8), 0)], "different sizes, 2 x 2 and 3 x 2"),
        (Pictures(target=lambda label: label + 1), "the label 2 is not of the classes cat, dog"),
        ([], "different sizes, none"),
        (iter([]), "has no length"),
    ],
    ids=["no pairs", "normalised", "no channels", "sizes", "no class", "empty", "stream"],
)
def test_what_cannot_be_read_is_refused(given, words):
    """Samples of another form are refused in a sentence that says what is accepted."""
    with pytest.raises(DataError, match=words):
        lookalike.from_dataset(given)
