"""Photographs with drawn defects, and their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.spatial.distance import pdist

from lookalike.base.errors import UsageError
from lookalike.faces import defects


def pictures(folder: Path) -> np.ndarray:
    """The PNGs of a folder in the order of their names."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])


def test_the_folders_hold_the_crops_and_a_mask_of_each_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask is white exactly where the defect changed the crop; sound crops are the same with and without defects."""
    monkeypatch.setattr(defects, "SOUND", 3)
    monkeypatch.setattr(defects, "WITH_DEFECT", 4)
    defects.write(tmp_path / "drawn")
    monkeypatch.setattr(defects, "with_defect", lambda crop, _draw, random: (random.integers(1 << 32), crop)[1])
    defects.write(tmp_path / "sound")
    for name in ("temple", "flower"):
        drawn, plain = (pictures(tmp_path / which / "images" / f"{name}-defect") for which in ("drawn", "sound"))
        assert drawn.shape == (4, 200, 200, 3)
        masks = pictures(tmp_path / "drawn" / "masks" / f"{name}-defect")
        assert np.array_equal(masks == 255, (drawn != plain).any(-1))
        assert set(np.unique(masks)) == {0, 255}
        of_class = [pictures(tmp_path / which / "images" / name) for which in ("drawn", "sound")]
        assert of_class[0].shape == (3, 200, 200, 3)
        assert np.array_equal(*of_class)
    assert sorted(path.name for path in (tmp_path / "drawn" / "masks").iterdir()) == ["flower-defect", "temple-defect"]


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    """`write` refuses a folder with a file in it, and changes nothing there."""
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        defects.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("draw", "least", "most"), [(defects.scratch, 28, 63), (defects.spot, 7, 15)])
def test_a_defect_is_of_the_size_that_a_person_would_draw(draw: defects.Draw, least: int, most: int) -> None:
    """A scratch is 30 to 60 pixels long, a spot 8 to 14 wide, give or take the roundness of pixels; both lie within."""
    for seed in range(50):
        picture = Image.new("L", (defects.SIDE, defects.SIDE))
        draw(ImageDraw.Draw(picture), 255, np.random.default_rng(seed))
        rows = np.argwhere(np.asarray(picture))
        assert least <= pdist(rows).max() <= most
        assert 0 < rows.min() <= rows.max() < defects.SIDE - 1


@pytest.mark.parametrize(("grey", "colour"), [(200, defects.DARK), (50, defects.BRIGHT)])
def test_a_defect_differs_from_what_it_lies_on(grey: int, colour: tuple[int, int, int]) -> None:
    """On a bright crop a defect is dark, on a dark one bright, and the rest of the crop stays."""
    crop = np.full((defects.SIDE, defects.SIDE, 3), grey, np.uint8)
    drawn = defects.with_defect(crop, defects.spot, np.random.default_rng(0))
    changed = (drawn != crop).any(-1)
    assert 40 < changed.sum() < 200
    assert np.array_equal(np.unique(drawn[changed], axis=0), [colour])
    assert (crop == grey).all()


def test_a_crop_is_a_part_of_the_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places vary within the photograph, and brightness by up to 10 %."""
    monkeypatch.setattr(defects, "SIDE", 2)
    photograph = np.repeat(np.arange(100, 112, dtype=np.uint8).reshape(3, 4, 1), 3, 2)
    random = np.random.default_rng(0)
    crops = np.stack([defects.crop(photograph, random) for _ in range(200)]).astype(float)
    assert crops.shape == (200, 2, 2, 3)
    assert 89.5 <= crops.min() < 95
    assert 118 < crops.max() <= 122.5
    assert np.allclose(crops[:, 1] - crops[:, 0], 4, atol=1.5)
    assert len(np.unique(crops.mean(axis=(1, 2, 3)))) > 20
