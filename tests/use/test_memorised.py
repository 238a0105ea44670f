"""Closeness to training images, by hand on a line of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lookalike.use import memorised
from lookalike.use.memorised import Memory


def column(*values):
    """Vectors of one entry."""
    return np.array(values, np.float32)[:, None]


LINE = column(0, 1, 2, 3, 4, 5, 6)


def test_closeness_is_the_nearest_distance_over_the_mean_of_the_next_five():
    """Of 0.25 on the line 0..6: 0.25 over the mean of .75, 1.75, 2.75, 3.75, 4.75; a training image itself has 0."""
    ratios, nearest = Memory(LINE).closeness(column(0.25, 3))
    assert ratios.tolist() == pytest.approx([0.25 / 2.75, 0.0])
    assert nearest.tolist() == [0, 3]


def test_the_scale_is_the_closeness_of_training_images_to_the_others():
    """Each left out of 0..6: the ends have 1 over the mean of 2 to 6, the middle 1 over that of 1, 2, 2, 3, 3."""
    usual = Memory(LINE).usual.tolist()
    assert usual == pytest.approx([1 / 4, 1 / (15 / 5), 1 / (12 / 5), 1 / (11 / 5), 1 / (12 / 5), 1 / (15 / 5), 1 / 4])


def test_a_copy_is_closer_than_every_one_of_few_training_images():
    """The least of the line is 1 / 4: 0.25 with 1 / 11 is a copy, 0.5 with 1 / 5 too, -1 with 1 / 4 and 10 are none."""
    memory = Memory(LINE)
    made = memory.closeness(column(0.25, 0.5, -1, 10))[0]
    assert memory.copies(made).tolist() == [True, True, False, False]
    assert memory.by_chance == 1 / 8


def test_of_many_training_images_the_closest_hundredth_sets_no_limit():
    """Of 299 points three lie below the limit, also where one pair is equal but for a hair."""
    points = np.sort(np.random.default_rng(0).normal(size=(299, 2)).astype(np.float32), axis=0)
    points[1] = points[0] + 1e-6
    memory = Memory(points)
    assert memory.by_chance == 3 / 300
    assert memory.copies(memory.usual).sum() == 2 and memory.copies(np.array([1e-3])).all()


def test_new_images_are_seldom_copies_and_copies_always():
    """Of digits: about 2 in 100 new ones, where 1 in 61 is expected, and every training image."""
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    flagged, aucs = [], []
    for k in range(10):
        rows = np.random.default_rng(k).permutation(np.flatnonzero(digits.target == k))
        memory = Memory(pixels[rows[:60]])
        new = memory.closeness(pixels[rows[60:]])[0]
        flagged.append(memory.copies(new).mean())
        aucs.append(memory.auc(new))
        assert memory.copies(memory.closeness(memory.training)[0]).all()
    assert 0.005 < np.mean(flagged) < 0.04 and np.mean(aucs) == pytest.approx(0.5, abs=0.03)


def test_of_very_many_training_images_some_at_equal_steps_are_left_out(monkeypatch):
    """Three of the seven: the first, the third and the fifth, each compared with all six others."""
    monkeypatch.setattr(memorised, "MOST", 3)
    assert Memory(LINE).usual.tolist() == pytest.approx([1 / 4, 1 / (12 / 5), 1 / (12 / 5)])


def test_the_auc_is_the_chance_of_being_closer_than_a_training_image():
    """Copies are closer than all, a far image than none."""
    memory = Memory(LINE)
    assert memory.auc(memory.closeness(column(0, 3))[0]) == 1
    assert memory.auc(memory.closeness(column(0, 30))[0]) == 0.5


def test_equal_training_images_give_no_division_by_zero():
    """Where all distances are 0 the closeness is 0."""
    ratios, _ = Memory(np.zeros((7, 1), np.float32)).closeness(column(0))
    assert ratios.tolist() == [0.0]
