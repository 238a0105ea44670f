"""Images in memory: keys, selection by class and index, scaling."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import scaled


def test_keys_are_hashes_of_shape_type_and_pixels(make):
    """A key is 16 hex digits of SHA-256 over shape, dtype and bytes: equal pixels in another shape differ."""
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 1, 2, 3)
    images = make.images(pixels, [0, 1])
    assert images.keys[0] == hashlib.sha256(b"(1, 2, 3) |u1 " + bytes(range(6))).hexdigest()[:16]
    turned = make.images(pixels.reshape(2, 1, 3, 2), [0, 1])
    assert turned.keys[0] != images.keys[0]
    assert make.images(pixels[::-1], [0, 1]).keys == images.keys[::-1]
    assert "keys" not in vars(turned.select([0]))


def test_select_keeps_the_order_asked_for(make):
    """Indices, a mask and an empty list give those images, their labels, names and official parts."""
    pixels = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    images = make.images(pixels, [0, 1, 0, 1], test=np.array([True, False, False, True]))
    chosen = images.select([3, 0])
    assert chosen.pixels.ravel().tolist() == [3, 0]
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.names == ("00003", "00000")
    assert chosen.test.tolist() == [True, True]
    assert chosen.classes == ("a", "b")
    assert images.select(images.labels == 1).names == ("00001", "00003")
    assert images.select([]).pixels.shape == (0, 1, 1, 1)
    assert len(images.select(np.zeros(4, bool))) == 0


def test_of_takes_classes_by_name(make):
    """`of` keeps the order and the numbers of the labels."""
    images = make.images(np.zeros((4, 1, 1, 1), np.uint8), [0, 1, 2, 1], ("a", "b", "c"))
    assert images.of("c", "b").names == ("00001", "00002", "00003")
    assert images.of("b").labels.tolist() == [1, 1]


def test_without_leaves_classes_out(make):
    """The others keep their order and are renumbered, no label stays none; a class that is not there is no fault."""
    images = make.images(np.zeros((5, 1, 1, 1), np.uint8), [0, 1, 2, -1, 1], ("a", "b", "c"))
    rest = images.without(("a,nowhere",))
    assert rest.classes == ("b", "c") and rest.labels.tolist() == [0, 1, -1, 0]
    assert rest.names == ("00001", "00002", "00003", "00004")
    assert images.without(()) is images
    tested = make.images(np.zeros((3, 1, 1, 1), np.uint8), [0, 1, 0], test=np.array([True, False, False]))
    assert tested.without(("b",)).test.tolist() == [True, False]


def test_of_an_unknown_class_names_those_there_are(make, clean):
    """A name with a slip gets the nearest one and the list, escaped."""
    images = make.images(np.zeros((2, 1, 1, 1), np.uint8), [0, 1], ("Coat", "Shi\x1brt"))
    with pytest.raises(DataError) as caught:
        images.of("Coast")
    clean(caught.value, "no class 'Coast'", "did you mean 'Coat'?", "there are 'Coat', 'Shi\\x1brt'")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ((), ()),
        (("b",), ("b",)),
        (("c", "a"), ("c", "a")),
        (("c,a",), ("c", "a")),
        (("a,b",), ("a,b",)),
        (("a,b", "c,b", "c"), ("a,b", "c", "b")),
    ],
    ids=str,
)
def test_names_of_takes_names_whole_or_by_commas(make, given, names):
    """A class whose own name has a comma counts whole; repeated names count once, in order."""
    images = make.images(np.zeros((4, 1, 1, 1), np.uint8), [0, 1, 2, 3], ("a", "b", "c", "a,b"))
    assert images.names_of(given) == names


@pytest.mark.parametrize("given", [("Coat", "Coast"), ("Coat,Coast",), ("Coast,,",)])
def test_names_of_refuses_as_of_does(make, clean, given):
    """An unknown name is named with the nearest one and those there are."""
    images = make.images(np.zeros((2, 1, 1, 1), np.uint8), [0, 1], ("Coat", "Shirt"))
    with pytest.raises(DataError) as caught:
        images.names_of(given)
    clean(caught.value, "no class 'Coast'; did you mean 'Coat'? there are 'Coat', 'Shirt'")


def test_names_of_says_how_to_give_a_name_with_a_comma(make, clean):
    """Where a text falls apart at commas and a class has one, the refusal says to give it alone."""
    images = make.images(np.zeros((2, 1, 1, 1), np.uint8), [0, 1], ("red, dry", "white"))
    with pytest.raises(DataError) as caught:
        images.names_of(("red, dry,white",))
    clean(caught.value, "no class 'red'; there are 'red, dry', 'white'; give a name that holds a comma alone")


def test_names_of_copies_no_pixels(make, monkeypatch):
    """No image is selected to look up a name."""
    images = make.images(np.zeros((2, 1, 1, 1), np.uint8), [0, 1])
    monkeypatch.setattr(type(images), "select", None)
    assert images.names_of(("b", "a")) == ("b", "a")


def test_scaled_is_minus_one_to_one():
    """0, 127.5 and 255 would be -1, 0 and 1; floats are already scaled; the input is unchanged."""
    pixels = np.array([0, 51, 255], np.uint8)
    assert scaled(pixels).dtype == np.float32
    np.testing.assert_allclose(scaled(pixels), [-1, -0.6, 1], atol=1e-7)
    vectors = np.array([-1, 0.5], np.float32)
    assert scaled(vectors).tolist() == [-1, 0.5]
    assert pixels.tolist() == [0, 51, 255]


def test_shape_is_that_of_one_image(make):
    """(C, H, W) for images, (F,) for vectors."""
    assert make.images(np.zeros((2, 3, 4, 5), np.uint8), [0, 1]).shape == (3, 4, 5)
    assert make.images(np.zeros((2, 7), np.float32), [0, 1]).shape == (7,)
