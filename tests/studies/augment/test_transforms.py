"""Affine transformations and MixUp against the same done by hand."""

from __future__ import annotations

import pytest
import torch

from lookalike.base.seeds import generator
from lookalike.data import scaled
from lookalike.studies.augment.transforms import BATCH, Affine, MixUp, one_pass

STILL = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0}


def batch(n=64, h=8, w=8, seed=0):
    """Images (n, 2, h, w) and one-hot classes (n, 3)."""
    random = generator(seed)
    return torch.rand(n, 2, h, w, generator=random) * 2 - 1, torch.eye(3)[torch.arange(n) % 3]


def test_a_transformation_that_does_nothing_changes_nothing():
    """With all limits 0 the images stay, to rounding, and so do their classes."""
    x, y = batch(h=6, w=10)
    moved, same = Affine(**STILL)(x, y, generator(1))
    assert torch.allclose(moved, x, atol=1e-5) and torch.equal(same, y)


@pytest.mark.parametrize(("flip", "axis"), [("flip", -1), ("flip_down", -2)])
def test_half_of_the_images_are_mirrored(flip, axis):
    """With one flip alone each image is itself or its mirror image, left to right or top to bottom; both occur."""
    x, y = batch()
    moved, _ = Affine(**STILL, **{flip: True})(x, y, generator(1))
    kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(moved, x, strict=True)]
    mirrored = [torch.allclose(a, b.flip(axis), atol=1e-5) for a, b in zip(moved, x, strict=True)]
    assert all(a != b for a, b in zip(kept, mirrored, strict=True)) and 16 < sum(kept) < 48


def point(h, w, row, column):
    """An image that is -1 but for one bright pixel."""
    image = torch.full((1, 1, h, w), -1.0)
    image[0, 0, row, column] = 1.0
    return image


@pytest.mark.parametrize(("h", "w"), [(9, 9), (9, 15)])
def test_a_rotation_turns_pixels_about_the_centre(h, w):
    """By up to 90 degrees: a point stays at its distance from the centre, also where sides differ."""
    x = point(h, w, h // 2, w // 2 + 3).repeat(200, 1, 1, 1)
    moved, _ = Affine(**(STILL | {"rotation": 90.0}))(x, torch.ones(200, 1), generator(2))
    weights = (moved + 1).squeeze(1)
    rows, columns = torch.arange(h) - h // 2, torch.arange(w) - w // 2
    total = weights.sum((1, 2))
    down = (weights.sum(2) * rows).sum(1) / total
    right = (weights.sum(1) * columns).sum(1) / total
    radius = torch.hypot(down, right)
    assert torch.all((radius - 3).abs() < 0.35)
    angles = torch.rad2deg(torch.atan2(down, right))
    assert angles.min() < -75 and angles.max() > 75 and angles.abs().max() < 95


def test_a_shift_stays_within_its_share():
    """A point moves by at most a tenth of height and width, and by nearly that somewhere."""
    x = point(21, 41, 10, 20).repeat(300, 1, 1, 1)
    moved, _ = Affine(**(STILL | {"shift": 0.1}))(x, torch.ones(300, 1), generator(3))
    weights = (moved + 1).squeeze(1)
    total = weights.sum((1, 2))
    down = (weights.sum(2) * (torch.arange(21) - 10)).sum(1) / total
    right = (weights.sum(1) * (torch.arange(41) - 20)).sum(1) / total
    assert 1.9 < down.abs().max() < 2.11 and 3.9 < right.abs().max() < 4.11


def test_what_comes_in_repeats_the_border():
    """A white image stays white, however it is moved."""
    x = torch.ones(20, 1, 8, 8)
    moved, _ = Affine(45.0, 0.3, 20.0, 0.3)(x, torch.ones(20, 1), generator(4))
    assert torch.allclose(moved, x)


def test_what_comes_in_may_be_black():
    """A white image that moved by up to 30 % has black at its edges, where values are -1, and is white elsewhere."""
    x = torch.ones(20, 1, 8, 8)
    moved, _ = Affine(0.0, 0.3, 0.0, 0.0, black=True)(x, torch.ones(20, 1), generator(4))
    assert torch.allclose(moved[:, :, 3:5, 3:5], x[:, :, 3:5, 3:5], atol=1e-6)
    assert moved.min() == -1 and (moved[:, :, [0, -1]].amin((1, 2, 3)) < 0).sum() > 10


def test_mixup_mixes_images_and_classes_by_the_same_weight():
    """Every image is lam x_i + (1 - lam) x_j for one lam and a permutation, and its classes are mixed alike."""
    x, y = torch.eye(30)[:, None, None, :], torch.eye(30)
    mixed, shares = MixUp(alpha=5.0)(x, y, generator(5))
    assert torch.allclose(mixed.flatten(1), shares)
    assert torch.allclose(shares.sum(1), torch.ones(30))
    lam = shares.diagonal().median()
    others = (shares - lam * torch.eye(30)) / (1 - lam)
    assert 0 < lam < 1 and torch.allclose(others.sum(0), torch.ones(30), atol=1e-5)
    assert torch.allclose(others.max(1).values, torch.ones(30), atol=1e-4)


def test_the_same_generator_gives_the_same_bits():
    """Both draw from the generator alone."""
    x, y = batch()
    for transform in (Affine(flip=True), MixUp()):
        one, other, third = (transform(x, y, generator(seed))[0] for seed in (6, 6, 7))
        assert torch.equal(one, other) and not torch.equal(one, third)


def test_a_pass_has_each_image_once():
    """In batches of 64, in an order of the generator's, scaled to [-1, 1], each with its own class."""
    x = torch.arange(150, dtype=torch.uint8).reshape(150, 1, 1, 1).expand(150, 1, 2, 2)
    batches = list(one_pass(x, torch.arange(150) % 3, 3, None, generator(8)))
    assert [len(images) for images, _ in batches] == [BATCH, BATCH, 150 - 2 * BATCH]
    images, shares = (torch.cat(found) for found in zip(*batches, strict=True))
    numbers = ((images[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert sorted(numbers.tolist()) == list(range(150)) != numbers.tolist()
    assert torch.equal(images, torch.from_numpy(scaled(x.numpy()))[numbers])
    assert torch.equal(shares, torch.eye(3)[numbers % 3])


def test_a_pass_transforms_each_batch():
    """The transformation gets the batch and its shares, and draws from the generator of the order."""
    x, mirrored = torch.zeros(100, 1, 2, 2, dtype=torch.uint8), []

    def transform(images, shares, random):
        mirrored.append((len(images), float(torch.rand(1, generator=random))))
        return images + 1, shares / 2

    for images, shares in one_pass(x, torch.zeros(100, dtype=torch.int64), 2, transform, generator(9)):
        assert torch.all(images == 0) and torch.equal(shares, torch.tensor([[0.5, 0.0]]).expand(len(images), 2))
    random = generator(9)
    torch.randperm(100, generator=random)
    assert mirrored == [(n, float(torch.rand(1, generator=random))) for n in (BATCH, 100 - BATCH)]
