"""Images of another aspect than that of the size: squashed, cropped or padded, and maps of them back again."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.data import read, stream
from lookalike.data.aspect import fitted, seen, unfitted
from lookalike.data.oddities import oddities, shrunk
from lookalike.data.source import Picture

ASPECTS = ("squash", "crop", "pad")


@pytest.mark.parametrize(
    ("own", "size", "parts"),
    [
        ((100, 200), (50, 50), [(100, 200), (100, 100), (200, 200)]),
        ((300, 100), (10, 20), [(300, 100), (50, 100), (300, 600)]),
        ((90, 120), (24, 32), [(90, 120)] * 3),
        ((3, 7), (3, 7), [(3, 7)] * 3),
    ],
)
def test_how_much_of_an_image_is_seen(own, size, parts):
    """All of it squashed; cropped, a part of the size's aspect within it; padded, one that has it within."""
    assert [seen(own, size, aspect) for aspect in ASPECTS] == parts


def test_squashing_is_plain_resizing():
    """The bits are those of Pillow's resize, with antialiasing and without a box."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (57, 91, 3), dtype=np.uint8))
    plain = image.resize((16, 24), Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(fitted(image, (24, 16), "squash")), np.asarray(plain))


def test_a_crop_keeps_the_middle():
    """Of three stripes side by side the middle one fills a square; only its border blends with what was beside it."""
    stripes = np.repeat(np.array([10, 120, 250], np.uint8), 40)[None].repeat(40, 0)
    found = np.asarray(fitted(Image.fromarray(stripes), (20, 20), "crop"))
    assert (found[:, 1:-1] == 120).all() and found.min() > 90 and found.max() < 150
    assert np.asarray(fitted(Image.fromarray(stripes.T), (20, 20), "crop")).shape == (20, 20)


@pytest.mark.parametrize("channels", [1, 3])
def test_padding_repeats_the_edge(channels):
    """A wide image stands in the middle of a square; above it its first row is repeated, below it its last."""
    pixels = np.full((10, 40), 120, np.uint8)
    pixels[:5] = 40
    given = pixels if channels == 1 else np.repeat(pixels[..., None], 3, 2)
    found = np.asarray(fitted(Image.fromarray(given), (40, 40), "pad"))
    assert found.shape == (40, 40, *given.shape[2:])
    assert np.array_equal(found[15:25], given)
    assert (found[:15] == 40).all() and (found[25:] == 120).all()


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("own", [(60, 200), (200, 60), (90, 90), (1, 400), (65, 33)])
def test_images_of_any_size_fit(own, aspect):
    """The result has the size, and stays within the values of the image."""
    pixels = np.random.default_rng(1).integers(50, 200, own, dtype=np.uint8)
    for size in ((32, 24), (64, 64), (7, 1)):
        found = np.asarray(fitted(Image.fromarray(pixels), size, aspect))
        assert found.shape == size and found.min() >= 50 and found.max() < 200
        assert unfitted(found.astype(np.float32), own, aspect).shape == own


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("own", [(120, 240), (240, 120)])
def test_a_map_lies_over_the_image_again(own, aspect):
    """What is bright in a fitted image is bright at the same place when it is brought back."""
    pixels = np.zeros(own, np.uint8)
    pixels[own[0] // 2 - 34 : own[0] // 2 - 20, own[1] // 2 + 20 : own[1] // 2 + 34] = 255
    heat = np.asarray(fitted(Image.fromarray(pixels), (48, 48), aspect)).astype(np.float32)
    back = unfitted(heat, own, aspect)
    assert back.dtype == np.float32 and back.shape == own
    assert np.abs(np.argwhere(back > 127).mean(0) - np.argwhere(pixels).mean(0)).max() < 1.5
    assert abs((back > 127).sum() - 14 * 14) < 14 * 14 / 3


def test_what_a_crop_has_cut_off_is_clear():
    """There the map has its least value, though the middle be bright."""
    heat = np.full((10, 10), 5, np.float32)
    heat[0, 0] = 2
    back = unfitted(heat, (100, 300), "crop")
    assert (back[:, :100] == 2).all() and (back[:, 200:] == 2).all() and back[50, 150] == 5


def test_shrinking_counts_what_is_seen():
    """A long image shrinks ten times when it is squashed or padded, and twice when it is cropped."""
    sizes = {(64, 320): 3}
    assert [shrunk(sizes, (32, 32), aspect) for aspect in ASPECTS] == [3, 0, 3]
    picture = Picture(np.zeros((64, 320, 1), np.uint8), "PNG", "L")
    assert [list(oddities(picture, (32, 32), aspect)) for aspect in ASPECTS] == [
        ["shrunk", "squashed"],
        [],
        ["shrunk"],
    ]


def test_the_aspect_changes_pixels_and_no_content_key(folder, make):
    """Images are split alike in all three ways; `stream` gives the pixels of `read`."""
    root = folder({f"a/{i}.png": make.photo(20, 20 + 10 * i, 3, seed=i) for i in range(4)})
    found = {aspect: read(root, size=(16, 16), aspect=aspect) for aspect in ASPECTS}
    assert len({images.keys for images in found.values()}) == 1
    assert [images.key_size for images in found.values()] == [None, (16, 16), (16, 16)]
    assert [images.aspect for images in found.values()] == list(ASPECTS)
    assert all(np.array_equal(images.pixels[0], found["squash"].pixels[0]) for images in found.values())
    assert len({images.pixels[3].tobytes() for images in found.values()}) == 3
    for aspect, images in found.items():
        (block,) = stream(root, size=(16, 16), channels=3, aspect=aspect)
        assert np.array_equal(block.pixels, images.pixels)


def test_the_aspect_of_the_images_own_size_is_nothing(folder, make):
    """Without a size no image is changed, whatever is asked for."""
    images = read(folder({"a/x.png": make.photo(), "a/y.png": make.photo(seed=1)}), aspect="crop")
    assert images.aspect == "squash" and images.key_size is None
