"""Folders and class names: rows B1 to B25 of the catalogue of faults that meet a folder."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from lookalike.base.errors import DataError
from lookalike.data import check, read, stream
from lookalike.data import folder as module


@pytest.fixture
def two(folder, make):
    """A folder of two classes with two images each."""
    return folder({f"{name}/{i}.png": make.photo(seed=i) for name in "ab" for i in range(2)})


def reasons(root):
    """Relative path -> why it is ignored."""
    return {entry.name: entry.reason for entry in check(root).ignored}


@pytest.mark.parametrize("use", [read, check, lambda source: list(stream(source, size=(4, 4), channels=1))])
def test_B1_a_missing_folder_is_refused(use, tmp_path, clean):
    """A path that is not there is named, with what is accepted."""
    with pytest.raises(DataError) as caught:
        use(tmp_path / "nowhere\x1b[2J")
    clean(
        caught.value, "nowhere\\x1b", "No such file", "a folder, .npz or IDX file, or digits, mnist-5k, fashion-mnist"
    )


def test_B1_a_file_in_place_of_a_folder_is_refused(tmp_path, clean):
    """A file of no known kind is refused."""
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(DataError) as caught:
        read(path)
    clean(caught.value, "notes.txt", "one sub-folder per class")


@pytest.mark.parametrize("place", ["", "b"])
def test_B1_an_unreadable_folder_is_refused(place, two, clean):
    """A folder without permission, the root or a class, is named."""
    closed = two / place
    closed.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read anything
        with pytest.raises(DataError) as caught:
            read(two)
    finally:
        os.seteuid(user)
        closed.chmod(0o755)
    clean(caught.value, "Permission denied")


def test_B2_no_class_folder_is_refused(folder, make, clean, tmp_path):
    """An empty folder, and one of loose images, are refused with the layout that is expected."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        read(tmp_path / "empty")
    clean(caught.value, "has no class folder; images must lie in", "CLASS/IMAGE")
    with pytest.raises(DataError) as caught:
        read(folder({"x.png": make.photo()}))
    clean(caught.value, "it holds images, but no folders")


def test_B3_one_class_folder_is_enough_to_read(folder, make):
    """One class is read; whether a command needs more is for the command to say."""
    assert read(folder({"only/x.png": make.photo()})).classes == ("only",)


@pytest.mark.parametrize("use", [read, check])
def test_B4_an_empty_class_is_refused(use, two, clean):
    """A class folder without image is named, and allowed on request with its number kept."""
    (two / "aa").mkdir()
    (two / "aa" / "list.txt").write_text("x")
    with pytest.raises(DataError) as caught:
        use(two)
    clean(caught.value, "class 'aa' has no image", "--allow-empty-class")
    assert read(two, allow_empty_class=True).classes == ("a", "aa", "b")
    assert read(two, allow_empty_class=True).labels.tolist() == [0, 0, 2, 2]
    assert check(two, allow_empty_class=True).classes == {"a": 2, "aa": 0, "b": 2}


def test_B5_one_image_per_class_is_read(folder, make):
    """Classes of one image are read as they are."""
    assert read(folder({"a/x.png": make.photo(), "b/x.png": make.photo()})).labels.tolist() == [0, 1]


def test_B6_fewer_images_than_a_block_are_streamed(two):
    """A stream shorter than a block gives one short block, and drops nothing."""
    assert [len(block) for block in stream(two, size=(4, 4), channels=3, block=512)] == [4]
    assert [len(block) for block in stream(two, size=(4, 4), channels=3, block=3)] == [3, 1]


def test_B9_system_entries_are_ignored_and_counted(two):
    """What systems leave in folders is no class and no image; class numbers stay the same."""
    for name in (".git", ".ipynb_checkpoints", "__MACOSX", "@eaDir", "a/@eaDir"):
        (two / name).mkdir()
        (two / name / "x.png").write_bytes(b"x")
    for name in ("Thumbs.db", "a/Thumbs.db", "a/._x.png", "a/.DS_Store", "b/desktop.ini"):
        (two / name).write_bytes(b"x")
    assert read(two).classes == ("a", "b")
    assert read(two).names == ("a/0.png", "a/1.png", "b/0.png", "b/1.png")
    assert check(two).ignored_reasons() == {"hidden or system entry": 10}


@pytest.mark.parametrize("links", [1, 2], ids=["B10-once", "B10-twice"])
def test_B10_link_loops_end(links, two):
    """Links that lead back up are left out and counted, at once."""
    for i in range(links):
        (two / "a" / f"loop{i}").symlink_to(two)
    (two / "b" / "self").symlink_to("self")
    began = time.monotonic()
    assert len(read(two)) == 4
    assert time.monotonic() - began < 1
    expected = {f"a/loop{i}": "link to a folder above it" for i in range(links)} | {"b/self": "dangling link"}
    assert reasons(two) == expected


def test_B11_links_that_leave_the_folder_are_followed_and_said(two, tmp_path, make):
    """A link to a file, inside or elsewhere, is read; those that lead out are counted."""
    (tmp_path / "other.png").write_bytes(make.encode(make.photo()))
    (two / "a" / "out.png").symlink_to(tmp_path / "other.png")
    (two / "a" / "up.png").symlink_to("../../other.png")
    (two / "a" / "in.png").symlink_to("../b/0.png")
    assert reasons(two) == {}
    assert read(two).names == ("a/0.png", "a/1.png", "a/in.png", "a/out.png", "a/up.png", "b/0.png", "b/1.png")
    assert read(two).notes == (f"links that lead out of {two} are followed: 2",)


def test_B12_dangling_links_are_left_out(two):
    """A link to nothing is ignored and counted."""
    (two / "a" / "gone.png").symlink_to("nothing.png")
    assert reasons(two) == {"a/gone.png": "dangling link"}


def test_B13_hard_links_are_duplicates(two):
    """Two names of one file are two images with one content."""
    os.link(two / "a" / "0.png", two / "a" / "again.png")
    images = read(two)
    assert images.keys[0] == images.keys[2]
    assert ("a/0.png", "a/again.png", "b/0.png") in check(two).two_labels  # seeds repeat over classes


def test_B14_pipes_sockets_and_devices_never_block(two):
    """What is no regular file is left out by its kind, in the listing and again when it is opened."""
    os.mkfifo(two / "a" / "pipe.png")
    os.mkfifo(two / "a" / "pipe.npz")
    (two / "a" / "device.png").symlink_to("/dev/zero")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(two / "a")  # the name of a socket is short
    try:
        listener.bind("socket.png")
    finally:
        os.chdir(here)
        listener.close()
    assert len(read(two)) == 4
    expected = dict.fromkeys(["a/pipe.npz", "a/pipe.png", "a/socket.png"], "not a regular file")
    assert reasons(two) == {"a/device.png": "not a regular file", **expected}
    for name in ("pipe.png", "pipe.npz"):
        with pytest.raises(DataError, match="not a regular file"):
            list(stream(two / "a" / name, size=(4, 4), channels=1))


def test_B15_100000_files_are_listed_soon():
    """A class of 100,000 files is listed in less than 5 s of processor time, in the order of bytes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as root:
        (Path(root) / "a").mkdir()
        for number in range(100_000):
            os.close(os.open(f"{root}/a/{number}.png", os.O_CREAT | os.O_WRONLY))
        began = time.process_time()
        source = module.class_folders(Path(root))
        assert time.process_time() - began < 5
    assert len(source) == 100_000
    assert source.names[:3] == ("a/0.png", "a/1.png", "a/10.png")


def test_B16_B17_long_paths_and_deep_folders_are_read(folder, make):
    """A path of more than 255 bytes, 100 folders deep, is read under its full name."""
    name = "/".join(["a", *["deeper"] * 100, "x.png"])
    assert len(name) > 255
    assert read(folder({name: make.photo()})).names == (name,)


STRANGE = {
    "B18-NFC": "caf\u00e9.png",
    "B18-NFD": "cafe\u0301.png",
    "B18-RTL": "\u05e9\u05dc\u05d5\u05dd \u202egnp.png",
    "B18-emoji": "\U0001f9e5.png",
    "B19-newline": "a\nb\tc\"d,e'.png",
    "B20": os.fsdecode(b"bad\xff.png"),
    "B21": "-rf ..x .png",
    "B22": "\x1b[31mred\x1b]0;t\x07.png",
}


@pytest.mark.parametrize("case", STRANGE)
def test_B18_to_B22_strange_names_round_trip(case, folder, make, clean):
    """Any name is read, comes back from ASCII JSON unchanged, and is printed escaped when its file is bad."""
    name = f"a/{STRANGE[case]}"
    root = folder({name: make.photo()})
    names = read(root).names
    assert names == (name,)
    assert json.loads(json.dumps(names[0])) == name
    assert json.loads(json.dumps(check(root).json(), allow_nan=False))["classes"] == {"a": 1}
    (root / name).write_bytes(b"broken")
    with pytest.raises(DataError) as caught:
        read(root)
    clean(caught.value, ".png'", "--on-bad skip")


def test_B18_both_Unicode_forms_of_a_name_are_two_files(folder, make):
    """Files whose names differ only in Unicode form are both read, in the order of bytes."""
    forms = (f"a/{STRANGE['B18-NFD']}", f"a/{STRANGE['B18-NFC']}")
    assert read(folder({name: make.photo() for name in forms})).names == forms


@pytest.mark.parametrize("pair", [("Coat", "coat"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "stra\u00dfe")])
def test_B23_colliding_class_names_are_refused(pair, folder, make, clean):
    """Class names that differ only in case or Unicode form are refused, both named."""
    with pytest.raises(DataError) as caught:
        read(folder({f"{name}/x.png": make.photo() for name in pair}))
    clean(caught.value, *(f"'{name}'" for name in pair), "rename one")


def test_B25_a_file_that_vanishes_is_skipped_by_name(two, monkeypatch):
    """A file removed between listing and reading is reported like a bad one."""
    listed = module.class_folders(two)
    (two / "b" / "1.png").unlink()
    monkeypatch.setattr("lookalike.data.load.open_source", lambda *args, **options: listed)
    with pytest.raises(DataError, match=r"b/1\.png': cannot be opened \(No such file or directory\)"):
        read(two)
    kept = read(two, on_bad="skip", max_bad=0.5)
    assert [skipped.name for skipped in kept.skipped] == ["b/1.png"]


def test_files_of_other_suffixes_are_counted(two):
    """Notes and tables beside the images are no images, and neither are loose files beside the classes."""
    for name in ("a/notes.txt", "b/table.csv", "b/photo.cr2"):
        (two / name).write_text("x")
    (two / "loose.png").write_bytes(b"x")
    raw = ".cr2 files are not read: convert them to JPEG or PNG"
    assert Counter(reasons(two).values()) == {"no image suffix": 2, "beside the class folders": 1, raw: 1}
    assert f"4 ignored (no image suffix, {raw}, beside the class folders)" in check(two).notes()


def test_numbers_do_not_depend_on_the_disk(two, monkeypatch):
    """Whatever order the system lists entries in, classes and images come in the order of their bytes."""
    forward = read(two)
    real = os.scandir

    class Backward:
        def __init__(self, path):
            self.entries = real(path)

        def __enter__(self):
            return sorted(self.entries, key=lambda entry: entry.name, reverse=True)

        def __exit__(self, *error):
            self.entries.close()

    monkeypatch.setattr(os, "scandir", Backward)
    assert read(two).names == forward.names
    assert read(two).classes == forward.classes


def test_a_flat_folder_and_one_file_are_streamed_without_labels(folder, make):
    """For scoring a folder of images or one image will do; the label is -1."""
    root = folder({"y.png": make.photo(seed=1), "x.png": make.photo(seed=0)})
    (block,) = stream(root, size=(12, 10), channels=3)
    assert block.names == ("x.png", "y.png")
    assert block.labels.tolist() == [-1, -1]
    assert block.classes == ()
    (one,) = stream(root / "y.png", size=(12, 10), channels=3)
    assert (one.pixels[0] == block.pixels[1]).all()
    assert one.names == ("y.png",)


def test_loose_images_beside_folders_are_streamed_too(folder, make):
    """For scoring nothing is left out: loose images have no label, and a folder may be called anything."""
    root = folder({"x.png": make.photo(), "unknown/y.png": make.photo(), "Fake/z.png": make.photo()})
    (block,) = stream(root, size=(12, 10), channels=3)
    assert block.names == ("x.png", "Fake/z.png", "unknown/y.png")
    assert block.labels.tolist() == [-1, 0, 1]
    assert block.classes == ("Fake", "unknown")


def test_an_empty_flat_folder_is_refused(tmp_path, clean):
    """A folder without any image has nothing to score."""
    with pytest.raises(DataError) as caught:
        list(stream(tmp_path, size=(4, 4), channels=1))
    clean(caught.value, "holds no image")


def test_a_bad_single_file_is_named(tmp_path, clean):
    """The path of a single bad file is shown once."""
    path = tmp_path / "bad.png"
    path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        list(stream(path, size=(4, 4), channels=1))
    clean(caught.value, f"'{path}': empty, 0 bytes")
