"""Rows of a bench where images have groups: no unknown image is of a group that teaches."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.data import Images, split
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.cast import cast
from lookalike.studies.detect.parts import WHOLE, images_of


@pytest.fixture
def slides():
    """40 images of each of two classes, from ten slides that have images of both."""
    pixels = np.random.default_rng(0).integers(0, 256, (80, 1, 8, 8), dtype=np.uint8)
    names = tuple(f"slide{i % 10}-{i}.png" for i in range(80))
    return Images(pixels, np.repeat([0, 1], 40), ("a", "b"), names)


def test_the_unknown_class_has_the_groups_of_the_test_part(slides):
    """With a known, the images of b are those of slides that have no image of a in training or held out."""
    settings, said = train_settings(known=("a",), group=r"slide\d+", calibration=0.1), []
    images = slides.grouped(settings.group)
    found = cast(images, [settings], ("a",), said.append)
    assert found.rows == {"b": ("a",)} and said[0].startswith("seed 0, groups of images: ")
    scored = images_of(images, settings, "b", WHOLE)
    rows = [i for i in split(images, test=0.2, calibration=0.1, seed=0).test if images.labels[i] == 1]
    assert 0 < len(rows) < 40 and np.array_equal(scored, images.pixels[rows])


def test_without_groups_all_images_of_the_unknown_class_count(slides):
    """The images of b are all 40."""
    settings = train_settings(known=("a",), calibration=0.1)
    assert cast(slides, [settings], ("a",), pytest.fail).whole == ("b",)
    assert len(images_of(slides, settings, "b", WHOLE)) == 40
