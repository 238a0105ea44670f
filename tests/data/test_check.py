"""The look before training: everything counted, duplicates and contradictions found (rows J1 and J3)."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from PIL import Image

from lookalike.data import check


def test_a_mixed_folder_is_described(folder, make):
    """Classes, sizes, modes, formats, channels, unreadable and ignored entries are counted."""
    root = folder(
        {
            "a/x.png": make.photo(12, 10),
            "a/y.jpg": make.encode(make.photo(12, 10, seed=1), "JPEG"),
            "a/bad.png": b"broken",
            "b/x.png": make.photo(8, 8, 1),
            "b/Thumbs.db": b"x",
        }
    )
    found = check(root)
    assert found.classes == {"a": 2, "b": 1}
    assert found.images == 3
    assert found.channels == 3
    assert found.sizes == {"12 x 10": 2, "8 x 8": 1}
    assert found.modes == {"RGB": 2, "L": 1}
    assert found.formats == {"PNG": 2, "JPEG": 1}
    assert [skipped.name for skipped in found.unreadable] == ["a/bad.png"]
    assert found.ignored_reasons() == {"hidden or system entry": 1}
    assert found.official_test is None
    assert found.notes() == ("1 unreadable", "1 ignored (hidden or system entry)")


def test_J1_exact_duplicates_are_found_by_content(folder, make):
    """Equal pixels are one group whatever their files' format, and counted beyond the first."""
    pixels = make.photo(6, 6)
    files = {"a/x.png": pixels, "a/y.bmp": make.encode(pixels, "BMP"), "a/z.tif": make.encode(pixels, "TIFF")}
    found = check(folder(files | {"a/other.png": make.photo(6, 6, seed=1)}))
    assert found.duplicates == (("a/x.png", "a/y.bmp", "a/z.tif"),)
    assert found.two_labels == ()
    assert found.notes() == ("2 exactly like another image of the same class",)


def test_J3_the_same_image_under_two_labels_is_found(folder, make):
    """Equal pixels in two classes are a contradiction, not a mere duplicate."""
    found = check(folder({"a/x.png": make.photo(), "b/y.png": make.photo(), "b/z.png": make.photo(seed=1)}))
    assert found.two_labels == (("a/x.png", "b/y.png"),)
    assert found.duplicates == ()
    assert found.notes() == ("1 under two labels or more",)


def test_J1_repeats_over_the_official_parts_are_found(tmp_path):
    """An image in both the official training and test part is found."""
    pixels = np.arange(4 * 4, dtype=np.uint8).reshape(4, 2, 2)
    for part, rows in (("train", pixels[:3]), ("t10k", pixels[2:])):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *rows.shape) + rows.tobytes())
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, len(rows)) + bytes(len(rows)))
    found = check(tmp_path)
    assert found.repeated_in_test == (("train/00002", "t10k/00000"),)
    assert found.official_test == 2
    assert found.classes == {"0": 5}


def test_many_sizes_take_one_line(folder, make):
    """Least, largest and median size with the spread of aspects, whatever the number of sizes; and the colours."""
    files = {f"a/{i:03}.png": make.photo(10 + i, 20, 1, seed=i) for i in range(21)}
    found = check(folder(files | {"a/red.png": make.photo(20, 20)}))
    assert found.about() == (
        "sizes: 10 x 20 to 30 x 20, median 20 x 20; width / height of nine in ten 0.69 to 1.82",
        "colours: 1 in colour, 21 grey",
    )


@pytest.mark.parametrize(
    ("channels", "stored", "said"),
    [
        (1, "L", "grey"),
        (1, "RGB", "grey, though stored in colour: --grey makes training cheaper"),
        (3, "RGB", "colour"),
    ],
)
def test_one_size_and_one_kind_of_colour_are_said_in_a_word(channels, stored, said, folder, make):
    """Grey pixels count as grey in a file of colour too, where one channel would do."""
    pixels = make.photo(12, 10, channels)
    found = check(folder({"a/x.png": np.asarray(Image.fromarray(pixels.squeeze()).convert(stored))}))
    assert found.about() == ("sizes: 12 x 10", f"colours: {said}")


def test_vectors_have_no_sizes(tmp_path):
    """Nothing is said of the sizes and colours of vectors."""
    np.savez(tmp_path / "v.npz", images=np.zeros((4, 7), np.float32), labels=[0, 0, 1, 1])
    found = check(tmp_path / "v.npz")
    assert found.about() == () and found.json()["spread"] is None


def test_json_holds_every_field(folder, make):
    """The values survive JSON, and hold what was found."""
    found = check(folder({"a/x.png": make.photo(), "a/bad.png": b""}))
    values = json.loads(json.dumps(found.json(), allow_nan=False))
    assert values["unreadable"] == [{"name": "a/bad.png", "reason": "empty, 0 bytes"}]
    assert values["classes"] == {"a": 1}
    assert values["ignored_reasons"] == {}
    assert values["spread"] == {"least": [12, 10], "median": [12, 10], "largest": [12, 10], "aspects": [10 / 12] * 2}
