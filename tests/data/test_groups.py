"""Groups of images by their names or by a CSV file, and every way in which these can be wrong."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

from lookalike.base.errors import DataError, UsageError
from lookalike.data import read
from lookalike.data.check import check
from lookalike.data.groups import Rule, digest, stamp


@pytest.fixture
def slides(folder, make):
    """Three slides with two images of each of two classes."""
    names = [f"{label}/slide{slide}_{i}.png" for label in ("normal", "tumour") for slide in (1, 2, 3) for i in (0, 1)]
    return folder({name: make.photo(5, 5, seed=i) for i, name in enumerate(names)})


def table(tmp_path, text, name="groups.csv"):
    """The path of a CSV file of this text."""
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def rows(images, group="s"):
    """A CSV file that has each image in a group of its slide."""
    return "file,group\n" + "".join(f"{name},{group}{name.split('slide')[1][0]}\n" for name in images.names)


@pytest.mark.parametrize(
    ("given", "group"),
    [(r"slide(\d)", "1"), (r"slide\d", "slide1"), (r"(?:normal|tumour)/(\w)\w+(\d)", "s"), (r"(x)?slide\d|(y)", "")],
)
def test_the_first_group_of_the_expression_counts_or_all_that_it_matches(given, group):
    """Without parentheses the whole match is the group; a group that took no part is none."""
    assert Rule.of(given)("normal/slide1_0.png") == group


def test_images_have_the_groups_of_their_names(slides):
    """Of the classes that are read; what the whole source has in each group is there too."""
    images = read(slides, group=r"slide(\d)", classes=("tumour",))
    assert images.groups.of == ("1", "1", "2", "2", "3", "3")
    assert images.groups.counts == {slide: {"normal": 2, "tumour": 2} for slide in "123"}
    assert images.select([4, 0]).groups.of == ("3", "1")
    assert read(slides).groups is None


def test_a_file_gives_the_same_groups(slides, tmp_path):
    """Whatever its other columns, its byte order mark, its suffix's case, and the ./ that score writes before names."""
    images = read(slides)
    text = "\ufeffscore," + rows(images).replace("\n", "\n0,").removesuffix("0,")
    for path in (table(tmp_path, text), table(tmp_path, text.replace("0,normal", "0,./normal"), "other.CSV")):
        assert read(slides, group=path).groups.of == tuple(
            name.split("slide")[1][0].join(("s", "")) for name in images.names
        )


def test_names_that_are_not_utf_8_have_rows(tmp_path, folder, make):
    """A file's bytes are its name, in the table too."""
    root = folder({f"a/{i}.png": make.photo(4, 4, seed=i) for i in range(4)})
    odd = os.fsdecode(b"a/\xff.png")
    os.rename(os.fsencode(root) + b"/a/0.png", os.fsencode(root) + b"/" + os.fsencode(odd))
    names = read(root).names
    assert odd in names
    path = table(tmp_path, "file,group\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names)))
    assert read(root, group=path).groups.of == ("0", "1", "0", "1")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("(", UsageError, r"--group \( is no regular expression .* give one that finds the group"),
        ("slide", UsageError, "puts all 12 images into one group, slide; a split needs two or more groups"),
        (r"slide([12])", DataError, "finds no group in the name of 4 of 12 images, first normal/slide3_0.png; write"),
        ("x*", DataError, "finds no group in the name of 12 of 12 images, first normal/slide1_0.png"),
        ("absent.csv", UsageError, "absent.csv: there is no such file; give a CSV file with the columns file,group"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused(slides, given, error, words):
    """One line says what is wrong, counts the images and names the first."""
    with pytest.raises(error, match=words) as found:
        read(slides, group=given)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "has the columns of an empty file; it needs file,group"),
        (lambda text: text.replace("file,group", "name,group"), "has the columns name,group; it needs file,group"),
        (lambda text: text + "normal/slide1_0.png,s2\n", "normal/slide1_0.png has two groups, s1 and s2; give each"),
        (lambda text: text + "normal/9.png,s1\nb.png,s1\n", "names 2 files that are no images of DATA, first b.png;"),
        (lambda text: text.replace("tumour/slide2_1.png,s2\n", ""), "has no group of 1 of 12 images, first tumour/"),
        (lambda text: text.replace("tumour/slide2_1.png,s2\n", "tumour/slide2_1.png,\n"), "has no group of 1 of 12"),
        (lambda text: text + '"' + "x" * 200_000, "cannot be read as CSV: field larger than field limit"),
    ],
    ids=["empty", "columns", "two groups", "strangers", "missing", "no group", "no csv"],
)
def test_a_file_that_cannot_be_used_is_refused(slides, tmp_path, change, words):
    """One line, a data error: what is wrong in the file, how often, and where first."""
    path = table(tmp_path, change(rows(read(slides))))
    with pytest.raises(DataError, match=words) as found:
        read(slides, group=path)
    assert "\n" not in str(found.value)


def test_a_file_with_one_group_and_a_folder_are_refused(slides, tmp_path):
    """As an expression with one group is; a folder called x.csv is no file."""
    text = rows(read(slides))
    for slide in "123":
        text = text.replace(f",s{slide}", ",s")
    with pytest.raises(UsageError, match="puts all 12 images into one group, s;"):
        read(slides, group=table(tmp_path, text))
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(DataError, match="it is not a regular file"):
        read(slides, group=str(tmp_path / "x.csv"))


def test_images_of_other_classes_need_no_group(slides, tmp_path):
    """The file may lack the images of a class that is not read."""
    text = rows(read(slides))
    text = "".join(line for line in text.splitlines(True) if not line.startswith("normal"))
    images = read(slides, group=table(tmp_path, text), classes=("tumour",))
    assert images.groups.of == ("s1", "s1", "s2", "s2", "s3", "s3")
    with pytest.raises(DataError, match="has no group of 6 of 12 images"):
        read(slides, group=table(tmp_path, text))


def test_a_repeated_row_is_no_second_group(slides, tmp_path):
    """The same file with the same group twice is accepted."""
    text = rows(read(slides)) + "normal/slide1_0.png,s1\n"
    assert len(set(read(slides, group=table(tmp_path, text)).groups.of)) == 3


def test_check_counts_the_groups_of_each_class(slides):
    """Without any training; without --group there is nothing to count."""
    assert check(slides, group=r"slide(\d)").groups == {"normal": 3, "tumour": 3}
    assert check(slides).groups == {}


def test_a_file_is_known_by_its_content(tmp_path):
    """Its digest and its stamp follow the content; an expression has no digest and stands for itself."""
    path = table(tmp_path, "file,group\n")
    assert digest(path) == hashlib.sha256(b"file,group\n").hexdigest()
    assert stamp(path) == f"groups-{digest(path)[:8]}"
    before = stamp(path)
    assert stamp(table(tmp_path, "file,group\na,b\n")) != before
    assert digest(None) is None and digest("slide") is None and stamp("slide") == "slide"


def test_images_in_memory_are_grouped_by_their_names(slides):
    """As those that are read."""
    images = read(slides)
    assert images.grouped(r"slide(\d)").groups.of == read(slides, group=r"slide(\d)").groups.of
    assert np.array_equal(images.grouped(r"slide(\d)").pixels, images.pixels)
