"""Stand-ins for the unknown: what of an image changes, and that a seed gives the same ones."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.detect.standins import STAND_INS, stand_ins


@pytest.fixture(scope="module")
def photographs():
    """Random (12, 3, 60, 90) uint8."""
    return np.random.default_rng(0).integers(0, 256, (12, 3, 60, 90), np.uint8)


def test_a_blend_is_the_mean_of_two_images(photographs):
    """Each pixel is the rounded mean of the image's and of one other image's."""
    made = stand_ins("blend", photographs, 0).astype(int)
    for number, image in enumerate(photographs.astype(int)):
        means = [(image + other + 1) // 2 for i, other in enumerate(photographs.astype(int)) if i != number]
        assert sum(np.array_equal(made[number], mean) for mean in means) == 1


def test_only_a_part_of_the_image_changes(photographs):
    """Each of one to three pieces is 2 to 7 % of the longer side wide."""
    changed = (stand_ins("pieces", photographs, 0) != photographs).any(1).mean((1, 2))
    assert (changed >= 0.0003).all() and (changed <= 0.016).all()


@pytest.mark.parametrize("kind", STAND_INS)
def test_a_seed_gives_the_same_and_the_images_stay(photographs, kind):
    """The same seed gives the same bytes, another one others; the known images are not changed."""
    before = photographs.copy()
    first, again, other = (stand_ins(kind, photographs, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(photographs, before) and first.dtype == np.uint8


@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (3, 3, 200)])
def test_tiny_and_narrow_images_have_stand_ins_too(kind, shape):
    """Down to a single pixel the shape stays."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    assert stand_ins(kind, pixels, 0).shape == pixels.shape
