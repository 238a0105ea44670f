"""The grey levels that images use: what is said where few are left, and which value range would leave more."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.data import check, oddities, read
from lookalike.data.levels import Levels, suggested
from lookalike.faces.cli import main

STRIPES = (120 + 60 * (np.mgrid[:16, :16][1] // 3 % 2)).astype(np.uint16)  # 120 and 180


def tiffs(make, dtype, factor):
    """A folder of two classes with two images each, of values `factor` times those of `STRIPES` and noise."""
    noise = np.random.default_rng(0).integers(0, 8, (4, 16, 16))
    kind, ends = ("PNG", "png") if dtype == np.uint16 else ("TIFF", "tif")
    images = [((STRIPES + one) * factor).astype(dtype) for one in noise]
    return {f"{'ab'[i % 2]}/{i}.{ends}": make.encode(image, kind) for i, image in enumerate(images)}


DIM = {
    "12 bits in a PNG": (np.uint16, 8, None, "--value-range 0,2047"),
    "10 bits in a PNG": (np.uint16, 4, None, "--value-range 0,1023"),
    "32-bit integers": (np.int32, 8, (0, 100_000), "--value-range 0,2047"),
    "floats": (np.float32, 1e-4, (0, 1), "--value-range 0,0.0187"),
    "a range that is too wide": (np.uint16, 8, (0, 65_535), "--value-range 0,2047"),
}


@pytest.mark.parametrize("case", DIM)
def test_few_levels_are_said_with_the_range_to_give(case, folder, make):
    """Image files whose values fill little of their range are said, with a value range that leaves many levels."""
    dtype, factor, given, advice = DIM[case]
    root = folder(tiffs(make, dtype, factor))
    images = read(root, value_range=given)
    (line,) = oddities.levels(images.levels)
    low, high = images.levels.stored
    assert advice in line and f"from {low:,g} to {high:,g}" in line
    assert line in check(root, value_range=given).notes()
    bottom, top = (float(end) for end in advice.split()[1].split(","))
    better = read(root, value_range=(bottom, top))
    assert list(oddities.levels(better.levels)) == []
    assert len(np.unique(better.pixels)) > 2 * len(np.unique(images.pixels))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((312, 1500), (0, 2047)),
        ((0, 4095), (0, 4095)),
        ((29_003, 31_007), (29_000, 31_100)),
        ((0.0, 0.0213), (0, 0.0213)),
        ((-1004, -950), (-1010, -950)),
        ((0.51234, 0.52), (0.512, 0.52)),
        ((7, 7), (7, 8)),
        ((0, 0), (0, 1)),
        ((960, 1496), (0, 2047)),
    ],
)
def test_the_range_that_is_suggested_holds_all_values(values, expected):
    """It begins at 0 where that leaves 64 levels, and is rounded away from the values elsewhere."""
    assert suggested(values) == pytest.approx(expected)
    assert suggested(values)[0] <= values[0] <= values[1] <= suggested(values)[1] + 1e-9


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "float32", "float64", "int64"])
def test_arrays_are_like_files(dtype, tmp_path):
    """Few levels are said of an .npz too, and 16 bits where it has them."""
    values = np.stack([STRIPES + i for i in range(4)]).astype(float)
    scale, given = (8, None) if "u" in dtype else (1e-4, None) if dtype.startswith("f") else (8, (0, 65_535))
    np.savez(tmp_path / "d.npz", images=(values * scale).astype(dtype), labels=[0, 0, 1, 1])
    notes = check(tmp_path / "d.npz", value_range=given).notes()
    assert ("4 have 16 bits; 8 are kept" in notes) == ("u" in dtype)
    assert sum("of 256 grey levels" in note for note in notes) == 1


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.arange(17).repeat(16), "from 0 to 15 of 0 to 255, which is nearly black"),
        (np.tile([0, 1], 128), "from 0 to 1 of 0 to 255"),
        (np.zeros(256), "from 0 to 0 of 0 to 255"),
        (np.tile([0, 40], 128), None),
        (np.arange(256), None),
    ],
)
def test_8_bits_on_another_scale_are_nearly_black(pixels, said, tmp_path):
    """Class numbers and 0 to 1 in uint8 are said; a dim picture is not."""
    pixels = pixels[:256].astype(np.uint8).reshape(16, 16)
    np.savez(tmp_path / "d.npz", images=np.stack([pixels, pixels]), labels=[0, 1])
    lines = list(oddities.levels(read(tmp_path / "d.npz").levels))
    assert (said is None and lines == []) or (len(lines) == 1 and said in lines[0])


def test_16_bit_colour_is_seen_by_its_8_bits(folder, make):
    """Pillow keeps the highest 8 bits of 16-bit colour; where they are nearly black, that is said."""
    rows = b"".join(b"\0" + (np.full((8, 3), 900, ">u2")).tobytes() for _ in range(8))
    png = make.png(8, 8, __import__("zlib").compress(rows), depth=16, colour=2)
    root = folder({"a/x.png": png, "b/y.png": png})
    (line,) = oddities.levels(read(root).levels)
    assert "from 3 to 3 of 0 to 255, which is nearly black" in line


def test_a_value_range_that_nothing_takes_is_said(folder, make, capsys):
    """--value-range on 8-bit images has no effect, and check says so; on 16 bits it has one."""
    root = folder({"a/x.png": make.photo(), "b/y.png": make.photo(seed=1)})
    assert main(["check", str(root), "--value-range", "0,1"]) == 0
    assert "--value-range has no effect: these images have 8 bits" in capsys.readouterr().out
    assert not Levels((0, 255), (0, 65_535), (0, 65_535)).idle
    assert not Levels((0, 255)).idle
    assert not Levels(None, None, (0, 1)).idle  # of no image, or of vectors


def test_the_levels_of_several_blocks_are_joined():
    """The spans of both sides, whether they have stored values or not."""
    joined = Levels((3, 9)) | Levels((0, 5), (100, 900)) | Levels((7, 8), (50, 60))
    assert (joined.grey, joined.stored) == ((0, 9), (50, 900))
    assert (Levels() | Levels((1, 2))).grey == (1, 2)
