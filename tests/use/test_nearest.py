"""Nearest real images: those of scikit-learn, and a picture that holds them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
from sklearn.neighbors import NearestNeighbors

from lookalike.data import Images
from lookalike.use import nearest as beside
from lookalike.use.nearest import nearest


def some(n, seed, channels=1):
    """(n, C, 4, 4) random images without classes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, channels, 4, 4), np.uint8)
    return Images(pixels, np.full(n, -1), (), tuple(f"{seed}/{i}" for i in range(n)))


def rows(pixels):
    """Pixels as features."""
    return pixels.reshape(len(pixels), -1).astype(np.float64)


def test_neighbours_are_scikit_learns(monkeypatch):
    """Names and distances of 16 drawn images are those of brute-force neighbours, over blocks of real images too."""
    monkeypatch.setattr(beside, "BLOCK", 7)
    made, real = some(40, 0), some(50, 1)
    found = nearest(made, real, rows, seed=3)
    assert found.of == 50 and len({row["image"] for row in found.rows}) == 16
    known = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(rows(real.pixels))
    for row in found.rows:
        away, numbers = known.kneighbors(rows(made.pixels[[made.names.index(row["image"])]]))
        assert row["real"] == [real.names[i] for i in numbers[0]]
        np.testing.assert_allclose(row["distances"], away[0])
    first = [row["distances"][0] for row in found.rows]
    assert first == sorted(first)


def test_the_seed_draws_the_images():
    """The same seed draws the same images, another seed others."""
    made, real = some(200, 0), some(10, 1)
    drawn = [{row["image"] for row in nearest(made, real, rows, seed).rows} for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_copy_stands_on_top_beside_its_original():
    """The first row has the copy twice, then two others; pixels are 16 x 16, with lines between; in colour too."""
    for channels in (1, 3):
        made, real = some(16, 0, channels), some(30, 1, channels)
        real.pixels[20] = made.pixels[5]
        found = nearest(made, real, rows, seed=0)
        top = found.rows[0]
        assert (top["image"], top["real"][0], top["distances"][0]) == ("0/5", "1/20", 0)
        picture = np.asarray(PIL.Image.open(BytesIO(found.picture))).reshape(16 * 65, 4 * 65, channels)
        for column in (0, 1):
            cell = picture[:64:16, 65 * column : 65 * column + 64 : 16].transpose(2, 0, 1)
            np.testing.assert_array_equal(cell, made.pixels[5])
        second = real.pixels[real.names.index(top["real"][1])]
        np.testing.assert_array_equal(picture[:64:16, 130:194:16].transpose(2, 0, 1), second)
