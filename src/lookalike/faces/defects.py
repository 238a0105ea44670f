"""Crops of the two photographs that scikit-learn brings, some with a drawn defect, and masks of the defects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lookalike.base import files
from lookalike.base.arrays import Pixels
from lookalike.base.seeds import seed_of
from lookalike.runs.samples import png

CLASSES = ("temple", "flower")  # the photographs china.jpg and flower.jpg
DEFECTIVE = "{}-defect"  # the class of a photograph's crops with a defect
IMAGES, MASKS = "images", "masks"  # folders of class folders
SIDE = 200  # pixels of a crop
SOUND, WITH_DEFECT = 200, 20  # crops of each photograph; of few known images auto cannot choose well
DARK, BRIGHT = (70, 35, 20), (235, 225, 200)  # colours of the defects

Draw = Callable[[ImageDraw.ImageDraw, tuple[int, int, int], np.random.Generator], None]


def write(folder: Path) -> None:
    """Write the crops as PNGs to `folder`/images, and a mask of each defect to `folder`/masks under the same name.

    The crops without a defect are of the classes "temple" and "flower"; those with one of "temple-defect" and
    "flower-defect". A mask is white where the defect changed the crop. `folder` must be new or empty, and is written
    as a whole or not at all.

    Raises
    ------
    UsageError
        If `folder` is not empty.
    OutputError
        If it cannot be written.
    """
    from sklearn.datasets import load_sample_images

    files.make_folder(folder.parent)
    with files.atomic_folder(folder) as part:
        for name, photograph in zip(CLASSES, load_sample_images().images, strict=True):
            random = np.random.default_rng(seed_of("defects", name))
            _save(part / IMAGES / name, [crop(photograph, random) for _ in range(SOUND)])
            sound = [crop(photograph, random) for _ in range(WITH_DEFECT)]
            spoilt = [with_defect(one, (scratch, spot)[i % 2], random) for i, one in enumerate(sound)]
            masks = [np.uint8(255) * (a != b).any(-1, keepdims=True) for a, b in zip(sound, spoilt, strict=True)]
            _save(part / IMAGES / DEFECTIVE.format(name), spoilt)
            _save(part / MASKS / DEFECTIVE.format(name), masks)


def crop(photograph: Pixels, random: np.random.Generator) -> Pixels:
    """A square of SIDE pixels at a random place of a photograph (H, W, 3), up to 10 % darker or brighter."""
    top, left = (int(random.integers(side - SIDE + 1)) for side in photograph.shape[:2])
    square = photograph[top : top + SIDE, left : left + SIDE] * random.uniform(0.9, 1.1)
    return np.rint(square).clip(0, 255).astype(np.uint8)


def with_defect(crop: Pixels, draw: Draw, random: np.random.Generator) -> Pixels:
    """The crop (SIDE, SIDE, 3) with a defect: dark where a photograph is bright, and bright where it is dark."""
    # where the defect lies is known when it is drawn, so both colours draw the same one
    seed = int(random.integers(1 << 32))
    drawn = {}
    for colour in (DARK, BRIGHT):
        picture = Image.fromarray(crop)
        draw(ImageDraw.Draw(picture), colour, np.random.default_rng(seed))
        drawn[colour] = np.asarray(picture)
    under = crop[(drawn[DARK] != drawn[BRIGHT]).any(-1)]
    return drawn[DARK if under.mean() > 128 else BRIGHT]


def scratch(canvas: ImageDraw.ImageDraw, colour: tuple[int, int, int], random: np.random.Generator) -> None:
    """Draws a straight scratch of 30 to 60 pixels, 2 or 3 wide, within the picture."""
    length, angle = random.uniform(30, 60), random.uniform(0, np.pi)
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = random.uniform(32, SIDE - 32, 2)
    canvas.line([*(middle - half), *(middle + half)], fill=colour, width=int(random.integers(2, 4)))


def spot(canvas: ImageDraw.ImageDraw, colour: tuple[int, int, int], random: np.random.Generator) -> None:
    """Draws a round spot of 8 to 14 pixels within the picture."""
    radius = random.uniform(4, 7)
    middle = random.uniform(8, SIDE - 8, 2)
    canvas.ellipse([*(middle - radius), *(middle + radius)], fill=colour)


def _save(folder: Path, pictures: list[Pixels]) -> None:
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        files.write_new(folder / f"{i:03d}.png", png(picture))
