"""Near-duplicates: the pattern by hand, copies that are found again, and different images that are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike.data.check import check
from lookalike.data.similar import near_duplicates, pattern


def picture(seed, side=64):
    """A smooth colour image of its own, as a photograph is."""
    coarse = np.random.default_rng(seed).integers(0, 200, (9, 9, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def compressed(image):
    """The image from a JPEG of middling quality."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


COPIES = {
    "the same": lambda image: image,
    "compressed": compressed,
    "at half the size": lambda image: np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)),
    "brighter": lambda image: (image * 1.2).astype(np.uint8),
    "in grey": lambda image: image.mean(2, keepdims=True).round().astype(np.uint8),
}


def test_a_pattern_is_the_mean_grey_of_cells_without_its_mean_and_length():
    """Of 32 x 32 pixels each cell is the mean of 2 x 2 pixels and three colours; 256 numbers, length 1."""
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    cells = image.astype(float).mean(2).reshape(16, 2, 16, 2).mean((1, 3)).ravel()
    cells -= cells.mean()
    np.testing.assert_allclose(pattern(image), cells / np.linalg.norm(cells), atol=1e-3)


def test_one_grey_has_no_pattern():
    """Nothing is divided by 0, and two such images are no near duplicates: each is like nothing."""
    flat = [pattern(np.full((8, 8, 1), value, np.uint8)) for value in (9, 200)]
    assert not np.any(flat) and near_duplicates(flat) == []


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_J2_a_copy_is_found_among_others(copy):
    """Of 50 images and a changed copy of image 7, the copy alone has an earlier one, which is image 7."""
    images = [*map(picture, range(50)), copy(picture(7))]
    assert near_duplicates([*map(pattern, images)]) == [(50, 7)]


def test_each_later_copy_is_named_with_the_first_image():
    """Three copies of one image are two pairs."""
    rows = [pattern(picture(seed)) for seed in (0, 1, 0, 2, 0)]
    assert near_duplicates(rows) == [(2, 0), (4, 0)]


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_pairs(n):
    """Nothing is compared."""
    assert near_duplicates([pattern(picture(0))] * n) == []


def test_J2_check_names_near_duplicates_and_equal_images_once(folder, make):
    """An equal copy is a duplicate, a compressed one is near; both are counted, with their names in the JSON."""
    image = picture(0)
    files = {"a/x.png": image, "a/y.png": image, "a/z.png": compressed(image), "a/w.png": picture(1)}
    found = check(folder({name: make.encode(pixels, "PNG") for name, pixels in files.items()}))
    assert found.duplicates == (("a/x.png", "a/y.png"),) and found.near == (("a/z.png", "a/x.png"),)
    said = [line for line in found.notes() if "nearly" in line]
    assert len(said) == 1 and said[0].startswith("1 nearly like an earlier image: the same photograph again")
    assert found.json()["near"] == (("a/z.png", "a/x.png"),)
