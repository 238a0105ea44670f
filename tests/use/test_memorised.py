"""Closeness to training images, by hand on a line of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.use.memorised import Memory


def column(*values):
    """Vectors of one entry."""
    return np.array(values, np.float32)[:, None]


LINE = column(0, 1, 2, 3, 4, 5)


def test_closeness_is_the_nearest_distance_over_the_mean_of_the_next_five():
    """Of 0.25 on the line 0..5: 0.25 over the mean of .75, 1.75, 2.75, 3.75, 4.75; a training image itself has 0."""
    ratios, nearest = Memory(LINE, column()).closeness(column(0.25, 3))
    assert ratios.tolist() == pytest.approx([0.25 / 2.75, 0.0])
    assert nearest.tolist() == [0, 3]


def test_a_copy_is_closer_than_every_unseen_image():
    """Unseen 0.5 has closeness 0.5 / 2.5 = 0.2: 0.25 is a copy, 0.5 itself and 10 are none."""
    memory = Memory(LINE, column(0.5, 7))
    assert memory.usual.tolist() == pytest.approx([0.2, 2 / 5])
    made = memory.closeness(column(0.25, 0.5, 10))[0]
    assert memory.copies(made).tolist() == [True, False, False]


def test_the_auc_is_the_chance_of_being_closer_than_an_unseen_image():
    """Of the pairs (made, unseen) with closeness (.09, .71) against (.2, .4) two of four are closer."""
    memory = Memory(LINE, column(0.5, 7))
    made = memory.closeness(column(0.25, 10))[0]
    assert memory.auc(made) == 0.5


def test_equal_training_images_give_no_division_by_zero():
    """Where all distances are 0 the closeness is 0."""
    ratios, _ = Memory(np.zeros((6, 1), np.float32), column()).closeness(column(0))
    assert ratios.tolist() == [0.0]


def test_without_unseen_images_nothing_is_a_copy():
    """No scale, no verdict."""
    assert Memory(LINE, column()).copies(np.array([0.0])).tolist() == [False]
