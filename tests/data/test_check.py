"""The look before training: everything counted, duplicates and contradictions found (rows J1 and J3)."""

from __future__ import annotations

import json
import struct

import numpy as np

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


def test_json_holds_every_field(folder, make):
    """The values survive JSON, and hold what was found."""
    found = check(folder({"a/x.png": make.photo(), "a/bad.png": b""}))
    values = json.loads(json.dumps(found.json(), allow_nan=False))
    assert values["unreadable"] == [{"name": "a/bad.png", "reason": "empty, 0 bytes"}]
    assert values["classes"] == {"a": 1}
    assert values["ignored_reasons"] == {}
