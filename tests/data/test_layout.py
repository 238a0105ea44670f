"""Folders as people have them: parts of a split, MVTec's masks, one wrapping folder, links, tables of labels."""

from __future__ import annotations

import pytest

from lookalike.base.errors import DataError
from lookalike.data import check, read, split, stream
from lookalike.data.folder import is_flat

CAT_DOG = ("cat", "dog")


@pytest.fixture
def pictures(folder, make):
    """Writes different images under these names."""

    def write(*names):
        return folder({name: make.photo(seed=i) for i, name in enumerate(names)})

    return write


def parts(images):
    """Part of the name -> whether all its images are official test images."""
    assert images.test is not None
    return {
        name: all(t for n, t in zip(images.names, images.test.tolist(), strict=True) if f"{name}/" in n)
        for name in {n.split("/")[0] for n in images.names}
    }


@pytest.mark.parametrize(
    ("names", "tested"),
    [
        (("train", "val", "test"), "test"),
        (("train", "valid"), "valid"),
        (("Training", "Testing"), "Testing"),
        (("train_images", "test_images"), "test_images"),
        (("train", "dev", "validation", "test"), "test"),
        (("trainset", "testset"), "testset"),
    ],
)
def test_parts_of_a_split_are_read_as_such(names, tested, pictures):
    """The classes are those of the parts; test, or else val, is the official test part, and a note names it."""
    root = pictures(*(f"{part}/{kind}/{i}.png" for part in names for kind in CAT_DOG for i in range(2)))
    images = read(root)
    assert images.classes == CAT_DOG
    assert parts(images) == {name: name == tested for name in names}
    assert images.notes[0].endswith(f"{tested} is the official test part")
    assert set(split(images, test=0.5, calibration=0, seed=0).test.tolist()) == set(images.test.nonzero()[0].tolist())
    assert check(root).official_test == 4


def test_parts_may_each_be_wrapped_and_have_other_classes(pictures):
    """Seg_train/seg_train is stepped into; a class of the test part alone is one of the classes."""
    root = pictures("train/train/a/0.png", "train/train/b/0.png", "test/test/a/1.png", "test/test/c/1.png")
    images = read(root)
    assert images.classes == ("a", "b", "c")
    assert [name for name, tested in zip(images.names, images.test, strict=True) if tested] == [
        "test/test/a/1.png",
        "test/test/c/1.png",
    ]


def test_a_test_part_without_classes_is_left_out(pictures):
    """Kaggle's folder of unlabelled test images is counted, and scored, but is no test part."""
    root = pictures("train/a/0.png", "train/b/0.png", "test/1.png", "test/2.png", "sample/3.png", "loose.png")
    images = read(root)
    assert images.classes == ("a", "b")
    assert images.test is None
    assert images.notes == ("train trains, no other part has classes",)
    assert check(root).ignored_reasons() == {"beside train and test": 2, "no class in test": 2}
    (block,) = stream(root, size=(8, 8), channels=3)
    assert block.names[:4] == ("loose.png", "sample/3.png", "test/1.png", "test/2.png")
    assert block.labels.tolist() == [-1, -1, -1, -1, 0, 1]


def test_train_and_test_that_hold_images_alone_stay_classes(pictures):
    """Without class folders they are classes as before, and a note says so."""
    images = read(pictures("train/0.png", "test/1.png"))
    assert images.classes == ("test", "train")
    assert images.notes == ("test and train are read as classes: as parts of a split they would hold class folders",)


@pytest.mark.parametrize("names", [("train", "car"), ("test", "bus"), ("validation", "train ride"), ("dev", "prod")])
def test_classes_that_are_called_like_one_part_are_classes(names, pictures):
    """One such name among others is no split, not even with folders inside."""
    images = read(pictures(*(f"{name}/x/{i}.png" for name in names for i in range(2))))
    assert images.classes == tuple(sorted(names))
    assert (images.test, images.notes) == (None, ())


def test_the_layout_of_MVTec(pictures):
    """`good` trains, all of test is the test part, and the masks are named and never images, not even to be scored."""
    root = pictures(
        *("train/good/0.png", "train/good/1.png", "test/good/0.png", "test/crack/0.png", "test/hole/0.png"),
        *("ground_truth/crack/0_mask.png", "ground_truth/hole/0_mask.png"),
    )
    images = read(root)
    assert images.classes == ("crack", "good", "hole")
    assert images.test.tolist() == [name.startswith("test/") for name in images.names]
    assert check(root).ignored_reasons() == {"mask": 2}
    assert images.notes[1].startswith(f"{root}/ground_truth holds 2 masks: 'lookalike evaluate --masks ")
    (block,) = stream(root, size=(8, 8), channels=3)
    assert len(block) == 5


@pytest.mark.parametrize("wrap", ["dataset", "archive/images", "a/b/c"])
@pytest.mark.parametrize("inside", [("a/0.png", "b/0.png"), ("train/a/0.png", "test/a/1.png")])
def test_one_wrapping_folder_is_stepped_into(wrap, inside, pictures):
    """An archive's only folder is no class: the classes in it are read, under their whole names, and a note says so."""
    root = pictures(*(f"{wrap}/{name}" for name in inside))
    images = read(root)
    assert images.classes == (("a", "b") if len(inside[0]) < 10 else ("a",))
    assert sorted(images.names) == sorted(f"{wrap}/{name}" for name in inside)
    assert images.notes[0] == f"images are read from {root / wrap}, the only folder in {root}"
    with pytest.raises(DataError, match=r"no class 'dataset'; there are 'a'.*; images are read from "):
        read(root, classes="dataset")


def test_one_class_is_no_wrapping_folder(pictures):
    """A single class stays one, with folders below it too, and with loose images beside it."""
    assert read(pictures("good/2024/0.png", "good/1.png")).classes == ("good",)
    assert read(pictures("x.png", "good/2025/0.png")).classes == ("good",)


LABELS = {
    "Hugging Face": ("metadata.csv", "file_name,label\n0.png,cat\n1.png,dog\n"),
    "semicolons, BOM": ("labels.csv", "\ufefffilename;class\n0.png;cat\n1.png;dog\n"),
    "tabs": ("list.tsv", "image\tcategory\n0.png\tcat\n1.png\tdog\n"),
    "no suffix": ("train.csv", "Id,Label\n0,cat\n1,dog\n"),
    "other columns": ("meta.csv", "id,age,file name,class name\n9,4,./0.png,cat\n8,5,.\\1.png,dog\n"),
    "CRLF, spaces": ("metadata.csv", "file_name,label\r\n 0.png , cat \r\n1.png,dog\r\n\r\n"),
}


@pytest.mark.parametrize("place", ["", "images/"])
@pytest.mark.parametrize("case", LABELS)
def test_a_table_gives_the_classes(case, place, pictures):
    """A CSV file beside the images, or beside their only folder, labels them; what it leaves open is counted."""
    name, text = LABELS[case]
    root = pictures(f"{place}0.png", f"{place}1.png", f"{place}2.png")
    (root / name).write_bytes(text.encode())
    images = read(root)
    assert images.classes == CAT_DOG
    assert images.names == (f"{place}0.png", f"{place}1.png")
    assert images.labels.tolist() == [0, 1]
    assert images.notes == (f"classes are read from {name}",)
    assert check(root).ignored_reasons() == {f"no class in {name}": 1}
    assert not is_flat(root)


def test_a_table_with_parts_and_missing_files(pictures):
    """A column `split` gives the official test part; files that are not there are counted in the note."""
    root = pictures("0.png", "1.png", "2.png")
    (root / "metadata.csv").write_text(
        "file_name,label,split\n0.png,a,train\n1.png,a,test\n2.png,b,val\n9.png,b,test\n"
    )
    images = read(root)
    assert images.test.tolist() == [False, True, False]
    assert images.notes[1:] == (
        "metadata.csv names 1 files that are not there, first 9.png",
        "metadata.csv gives the official test part: 1 images",
    )


def test_parts_that_a_table_names_otherwise_are_said(pictures):
    """Images of a part `holdout` train like others, and a line says so; it names each such word."""
    root = pictures(*(f"{i}.png" for i in range(4)))
    (root / "labels.csv").write_text("file,label,split\n0.png,a,train\n1.png,b,holdout\n2.png,b,holdout\n3.png,a,x\n")
    images = read(root)
    assert images.test is None and len(images) == 4
    assert images.notes[1:] == (
        "labels.csv has parts that are neither train, val nor test, and count as training images: holdout (2), x (1)",
    )


@pytest.mark.parametrize("other", ["7", "cat"])
def test_a_second_column_of_classes_is_said(other, pictures):
    """Of the columns label and class the first counts; a line says so, unless both say the same of every image."""
    root = pictures("0.png", "1.png")
    (root / "labels.csv").write_text(f"file,class,label\n0.png,{other},cat\n1.png,dog,dog\n")
    images = read(root)
    assert images.classes == CAT_DOG
    said = ("the column label of labels.csv gives the classes, and not class",)
    assert images.notes[1:] == (said if other == "7" else ())


@pytest.mark.parametrize("above", [True, False])
def test_tables_of_parts(above, pictures):
    """Hugging Face's folders train and test: one table above them, or one in each."""
    root = pictures("train/0.png", "train/1.png", "test/0.png")
    if above:
        (root / "metadata.csv").write_text("file_name,label\ntrain/0.png,a\ntrain/1.png,b\ntest/0.png,b\n")
    else:
        (root / "train/metadata.csv").write_text("file_name,label\n0.png,a\n1.png,b\n")
        (root / "test/metadata.csv").write_text("file_name,label\n0.png,b\n")
    images = read(root)
    assert images.classes == ("a", "b")
    assert images.names == ("test/0.png", "train/0.png", "train/1.png")
    assert images.labels.tolist() == [1, 0, 1]
    assert images.test.tolist() == [True, False, False]


def test_class_folders_win_over_a_table(pictures):
    """With two class folders or more a table beside them changes nothing."""
    root = pictures("a/0.png", "b/1.png")
    (root / "labels.csv").write_text("file,label\n0.png,b\n1.png,a\n")
    assert read(root).labels.tolist() == [0, 1]
    assert read(root).classes == ("a", "b")


BAD = {
    "two labels": ({"l.csv": "file,label\n0.png,a\n0.png,b\n"}, "0.png has two classes, 'a' and 'b'"),
    "two tables": ({"l.csv": "file,label\n0.png,a\n", "m.csv": "file,label\n0.png,a\n"}, "both give labels"),
    "other columns": ({"l.csv": "x,y\n1,2\n"}, "add a CSV file with the columns file_name,label; l.csv has no such"),
    "no such image": ({"l.csv": "file,label\nz.png,a\n"}, "names none of the images"),
    "a stray quote": ({"l.csv": 'file,label\n"0.png"x,a\n'}, "cannot be read as CSV"),
    "case": ({"l.csv": "file,label\n0.png,A\n1.png,a\n"}, "differ only in case"),
    "empty": ({"l.csv": "\n"}, "has no class folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused(case, pictures):
    """A flat folder without usable labels is refused in one line that names the table and what it needs."""
    tables, words = BAD[case]
    root = pictures("0.png", "1.png")
    for name, text in tables.items():
        (root / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read(root)
    assert_line(caught.value, words)
    (block,) = stream(root, size=(8, 8), channels=3)  # to be scored they need no labels
    assert block.names == ("0.png", "1.png")


def assert_line(error, words):
    """One printable line with these words, and the exit code of data."""
    assert str(error).isprintable()
    assert words in str(error)
    assert error.exit_code == 3


def test_metadata_csv_wins_over_other_tables(pictures):
    """Of several tables the one called metadata counts."""
    root = pictures("0.png", "1.png")
    (root / "metadata.csv").write_text("file_name,label\n0.png,a\n1.png,b\n")
    (root / "sample_submission.csv").write_text("id,label\n0,x\n1,x\n")
    assert read(root).classes == ("a", "b")


def test_linked_classes_and_files_are_read(folder, make, tmp_path):
    """Links to class folders and to files elsewhere are followed, and a note counts them."""
    pool = tmp_path / "pool"
    for i, name in enumerate(("a", "b")):
        (pool / name).mkdir(parents=True)
        (pool / name / "0.png").write_bytes(make.encode(make.photo(seed=i)))
    root = folder({"c/0.png": make.photo(seed=2)})
    for name in "ab":
        (root / name).symlink_to(pool / name)
    (root / "c/1.png").symlink_to(pool / "a/0.png")
    (pool / "a" / "loop").symlink_to(pool)
    (pool / "b" / "home").symlink_to(root)
    images = read(root)
    assert images.classes == ("a", "b", "c")
    assert images.names == ("a/0.png", "b/0.png", "c/0.png", "c/1.png")
    assert images.notes == (f"links that lead out of {root} are followed: 3",)
    left = {"link to a folder above it": 1, "link to a folder that is read already": 1}
    assert check(root).ignored_reasons() == left


def test_a_class_is_found_in_either_Unicode_form(pictures):
    """A class name is compared and kept in one form, whichever its folder, a flag or a table has."""
    apart, one = "e\u0301te\u0301", "\u00e9t\u00e9"
    root = pictures(f"{apart}/{one}.png", "b/0.png")
    for name in (apart, one):
        assert read(root, classes=name).names == (f"{apart}/{one}.png",)
    assert read(root).classes == ("b", one)
    flat = root / "flat"
    flat.mkdir()
    (root / f"{apart}/{one}.png").rename(flat / f"{one}.png")
    (flat / "labels.csv").write_text(f"file,label\n{apart}.png,{apart}\n")
    assert read(flat).classes == (one,)


@pytest.mark.parametrize("name", ["real", "fake", "good", "unknown", "none", "any", "__other__", "normal", "Fake"])
def test_any_word_may_be_a_class(name, pictures):
    """Words that people use for classes are class names like others."""
    assert name in read(pictures(f"{name}/0.png", "b/1.png")).classes


@pytest.mark.parametrize("name", ["../out.png", "/etc/passwd", "a/../../out.png"])
def test_B31_a_table_reaches_nothing_outside_its_folder(name, pictures):
    """A row with an absolute path or with .. names no image of the folder, is counted, and opens nothing."""
    root = pictures("data/0.png", "data/1.png", "data/2.png", "out.png") / "data"
    (root / "metadata.csv").write_text(f"file_name,label\n0.png,a\n1.png,b\n{name},b\n")
    images = read(root)
    assert images.names == ("0.png", "1.png") and images.labels.tolist() == [0, 1]
    assert images.notes[1] == f"metadata.csv names 1 files that are not there, first {name}"
