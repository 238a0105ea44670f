"""Images beyond memory: a file that is read once and mapped gives what reading into memory gives."""

from __future__ import annotations

import os
import time
from dataclasses import fields

import numpy as np
import pytest

from lookalike.base import cache
from lookalike.base.errors import DataError, OutputError
from lookalike.data import beyond
from lookalike.data.load import read


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def places():
    """The folders of mapped images."""
    folder = cache.folder() / "images"
    return sorted(folder.iterdir()) if folder.exists() else []


def assert_same(mapped, images):
    """Both have the same images and facts; only one says that it is mapped, and where its keys come from."""
    assert isinstance(mapped.pixels, np.memmap) and not isinstance(images.pixels, np.memmap)
    for field in fields(images):
        one, other = getattr(mapped, field.name), getattr(images, field.name)
        match field.name:
            case "pixels" | "labels":
                assert np.array_equal(one, other) and one.dtype == other.dtype
            case "content":
                assert mapped.keys == images.keys
            case "notes":
                assert one[:-1] == other and "they are read once into" in one[-1]
            case _:
                assert one == other, field.name


@pytest.mark.parametrize(
    "how",
    [
        {"size": (6, 5)},
        {"size": (8, 8), "key_size": (4, 4)},
        {"size": (6, 6), "aspect": "crop"},
        {"size": (6, 5), "channels": 1},
        {"size": (6, 5), "classes": "b"},
    ],
)
def test_a_map_is_what_memory_holds(folder, make, how):
    """Pixels, keys, labels, names, sizes and oddities are the same with a map; a colour image comes after grey ones."""
    files = {f"a/{i}.png": make.photo(9, 12, 1, seed=i) for i in range(4)}
    root = folder(files | {"b/x.png": make.photo(12, 9, 3, seed=8), "b/y.png": make.photo(7, 9, 1, seed=9)})
    assert_same(read(root, most=0, **how), read(root, **how))


def test_unreadable_images_are_left_out_of_a_map(folder, make):
    """With on_bad skip the map has the images that can be read, and says which were left out; else reading stops."""
    root = folder({"a/0.png": make.photo(seed=0), "a/1.png": b"nothing", "a/2.png": make.photo(seed=2)})
    how = {"size": (6, 6), "on_bad": "skip", "max_bad": 0.5}
    assert_same(read(root, most=0, **how), read(root, **how))
    with pytest.raises(DataError, match=r"1\.png"):
        read(root, size=(6, 6), most=0)
    assert sum((path / beyond.FOUND).exists() for path in places()) == 1


def test_images_are_read_once(folder, make):
    """A second reading decodes nothing; it does again where a file has changed, or another size is wanted."""
    root, said = folder({f"a/{i}.png": make.photo(seed=i) for i in range(3)}), []

    def reading(size=(6, 6)):
        said.clear()
        images = read(root, size=size, most=0, report=lambda stage, done, of: said.append((stage, done, of)))
        return images.pixels.copy()

    first = reading()
    assert said == [("reading for the first time", 0, 3)]
    assert np.array_equal(reading(), first) and said == []
    assert reading((5, 5)).shape == (3, 3, 5, 5) and said
    (root / "a" / "1.png").write_bytes(make.encode(make.photo(seed=7)))
    assert not np.array_equal(reading(), first) and said


def test_processes_that_share_read_once(folder, make, monkeypatch):
    """Within the block small images are mapped too, without a line on it; without a place they stay in memory."""
    root, said = folder({f"a/{i}.png": make.photo(seed=i) for i in range(3)}), []
    images = read(root, size=(6, 6))
    for number in range(2):
        with beyond.shared():
            mapped = read(root, size=(6, 6), report=lambda stage, *_: said.append(stage))
        assert isinstance(mapped.pixels, np.memmap) and np.array_equal(mapped.pixels, images.pixels)
        assert mapped.notes == images.notes and mapped.keys == images.keys
        assert said == ["reading for the first time"], number
    assert not isinstance(read(root, size=(6, 6)).pixels, np.memmap)
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "a" / "0.png"))
    with beyond.shared():
        assert np.array_equal(read(root, size=(5, 5)).pixels, read(root, size=(5, 5), most=1 << 40).pixels)
    with pytest.raises(OutputError):
        read(root, size=(5, 5), most=0)


def test_classes_of_one_file_have_maps_of_their_own(tmp_path):
    """Images of class a, of class b and of both are those that are read into memory, whichever is mapped first."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=pixels, labels=np.repeat(["a", "b"], 6))
    for classes in (("b",), ("a",), ("a", "b")):
        wanted = read(tmp_path / "d.npz", classes=classes, size=(6, 6))
        with beyond.shared():
            mapped = read(tmp_path / "d.npz", classes=classes, size=(6, 6))
        assert isinstance(mapped.pixels, np.memmap)
        assert np.array_equal(mapped.pixels, wanted.pixels) and np.array_equal(mapped.labels, wanted.labels)
        assert (mapped.keys, mapped.names) == (wanted.keys, wanted.names)


def test_few_images_vectors_and_a_cache_that_is_off_stay_in_memory(folder, make, tmp_path, monkeypatch):
    """Images of at most `most` bytes, vectors, and all where no cache folder is wanted, are no map."""
    root = folder({f"a/{i}.png": make.photo(seed=i) for i in range(3)})
    assert not isinstance(read(root, size=(4, 4), most=3 * 3 * 16).pixels, np.memmap)
    assert isinstance(read(root, size=(4, 4), most=3 * 3 * 16 - 1).pixels, np.memmap)
    np.savez(tmp_path / "v.npz", images=np.zeros((4, 5), np.float32), labels=np.zeros(4, np.int64))
    assert not isinstance(read(tmp_path / "v.npz", size=(4, 4), most=0).pixels, np.memmap)
    monkeypatch.setenv("LOOKALIKE_CACHE", "off")
    assert not isinstance(read(root, size=(4, 4), most=0).pixels, np.memmap)


def test_a_damaged_or_half_written_map_is_made_again(folder, make):
    """Where one of the two files is lost or damaged, the images are read again."""
    root = folder({f"a/{i}.png": make.photo(seed=i) for i in range(3)})
    first = read(root, size=(6, 6), most=0).pixels.copy()
    (place,) = places()
    for name, spoil in ((beyond.PIXELS, b"\x93NUMPY"), (beyond.FOUND, b"{")):
        (place / name).write_bytes(spoil)
        assert np.array_equal(read(root, size=(6, 6), most=0).pixels, first)


def test_maps_that_nobody_used_for_a_month_are_removed(folder, make):
    """A map of another size goes when it was not used for a month, and stays when it was."""
    root = folder({f"a/{i}.png": make.photo(seed=i) for i in range(3)})
    for size in ((6, 6), (7, 7)):
        read(root, size=size, most=0)
    old, fresh = places()
    before = time.time() - beyond.MONTH - 60
    os.utime(old / beyond.FOUND, (before, before))
    read(root, size=(8, 8), most=0)
    assert fresh in places() and old not in places() and len(places()) == 2


def test_the_limit_is_a_share_for_each_process_of_torchrun(monkeypatch):
    """Of several processes on a machine each may keep its part of the share that one may."""
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    alone = beyond.in_memory()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert alone > 1e8 and abs(4 * beyond.in_memory() - alone) <= 4
