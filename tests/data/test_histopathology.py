"""Patches in patients' folders: which folders they are, what is read, and that no patient is in two parts."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.base.errors import DataError
from lookalike.data import named, read, split, stream


@pytest.fixture
def write(folder, make):
    """Writes patients with two patches of each class, each with pixels of its own."""

    def patients(names, above=""):
        seeds = iter(range(10_000))
        return folder(
            {
                f"{above}{name}/{label}/{name}_idx5_x{x}_y1_class{label}.png": make.photo(5, 5, seed=next(seeds))
                for name in names
                for label in (0, 1)
                for x in (1, 51)
            }
        )

    return patients


def patients_of(images):
    """(patients of the test part, those of the rest)."""
    found = [name.split("/")[-3] for name in images.names]
    return tuple({found[i] for i in np.flatnonzero(images.test == part)} for part in (True, False))


PATIENTS = [str(8863 + 7 * i) for i in range(10)]
TEST_PATIENTS = ["8863", "8877", "8898"]


def test_a_folder_of_patients_is_read(write):
    """Classes are 0 and 1, whatever the patients; three of ten patients are the test part, and in no other."""
    images = read(write(PATIENTS))
    assert images.classes == ("0", "1")
    assert np.bincount(images.labels).tolist() == [20, 20]
    assert all(name.split("/")[1] == str(label) for name, label in zip(images.names, images.labels, strict=True))
    test, rest = patients_of(images)
    assert (len(test), len(rest), test & rest) == (3, 7, set())
    assert images.test.sum() == 12


def test_the_test_patients_are_the_same_for_ever(write):
    """The patients of the test part, written down: runs recorded earlier stay valid."""
    assert sorted(patients_of(read(write(PATIENTS)))[0]) == TEST_PATIENTS


def test_no_patient_trains_and_tests(write):
    """The split keeps the test patients out of training and calibration."""
    images = read(write(PATIENTS))
    parts = split(images, test=0.5, calibration=0.25, seed=1)
    patient = np.array([name.split("/")[0] for name in images.names])
    assert set(patient[parts.test]) == patients_of(images)[0]
    assert set(patient[parts.test]).isdisjoint(patient[np.concatenate([parts.train, parts.calibration])])


def test_kaggles_second_copy_is_not_read(write):
    """The archive holds every patient twice, once in a folder of its own: each patch is read once, the split stays."""
    write(PATIENTS)
    root = write(PATIENTS, "IDC_regular_ps50_idx5/")
    images = read(root)
    assert len(images) == 40
    assert images.names[0].startswith("IDC_regular_ps50_idx5/")
    assert sorted(patients_of(images)[0]) == TEST_PATIENTS


def test_border_patches_are_resized_like_any_image(write, make):
    """A smaller patch stays and comes at the size asked for; without one the message says how to choose."""
    root = write(PATIENTS)
    (root / PATIENTS[0] / "0" / "border.png").write_bytes(make.encode(make.photo(5, 2)))
    assert read(root, size=(5, 5)).pixels.shape == (41, 3, 5, 5)
    with pytest.raises(DataError, match=r"different sizes.*--size H,W"):
        read(root)


def test_a_patient_may_have_one_class_and_be_alone(write):
    """A patient may have folder 0 only; one patient makes no test part; a class without patch is refused."""
    root = write(["1", "2"])
    for path in (root / "1" / "1").iterdir():
        path.unlink()
    (root / "1" / "1").rmdir()
    assert np.bincount(read(root).labels).tolist() == [4, 2]
    assert read(root).test.sum() in {2, 4}
    alone = root / "2"
    alone.rename(root.parent / "2")
    with pytest.raises(DataError, match="class '1' has no image"):
        read(root)
    assert read(root, allow_empty_class=True).test is None


def test_hidden_entries_are_left_out(write):
    """B9: a .DS_Store beside the patients and in one of them, and files that are no images, change nothing."""
    root = write(PATIENTS)
    for place in (root, root / PATIENTS[0], root / PATIENTS[0] / "0"):
        (place / ".DS_Store").write_bytes(b"x")
    (root / "notes.txt").write_bytes(b"x")
    images = read(root)
    assert len(images) == 40
    assert sorted(patients_of(images)[0]) == TEST_PATIENTS
    assert {entry.name for entry in images.ignored} >= {".DS_Store", "notes.txt", f"{PATIENTS[0]}/0/.DS_Store"}


@pytest.mark.parametrize("stray", ["9/x.png", "9/2/x.png", "9/0.png"])
def test_other_folders_are_class_folders(stray, write, make):
    """Folders of which one holds anything else than folders 0 and 1 are classes, as ever."""
    root = write(["7", "8"])
    (root / stray).parent.mkdir(parents=True)
    (root / stray).write_bytes(make.encode(make.photo(5, 5, seed=99)))
    assert read(root).classes == ("7", "8", "9")


def test_named_classes_with_folders_0_and_1_stay_classes(write):
    """Patients are numbers: where a folder has another name, all are class folders."""
    assert read(write(["7", "cat"])).classes == ("7", "cat")


def test_the_names_choose_how_to_split(write, monkeypatch):
    """`histopathology` has the patients' test part, `histopathology-patches` none, so that patches are drawn."""
    root = write(PATIENTS)
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(root))
    assert sorted(patients_of(read("histopathology"))[0]) == TEST_PATIENTS
    patches = read("histopathology-patches")
    assert patches.test is None
    parts = split(patches, test=0.25, calibration=0.1, seed=42)
    assert len(parts.test) == 10
    root.rename(root.parent / "histopathology")
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(root.parent))
    assert len(read("histopathology")) == 40


def test_the_name_without_files_says_what_to_get(tmp_path, monkeypatch, clean):
    """The message names Kaggle's data set and the variable."""
    monkeypatch.setenv(named.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(DataError) as caught:
        read("histopathology-patches")
    clean(caught.value, "Breast Histopathology Images", "Kaggle", named.FOLDER_VARIABLE, "nowhere")


def test_scoring_streams_patients(write):
    """The same images come in blocks."""
    root = write(PATIENTS)
    blocks = list(stream(root, size=(5, 5), channels=3, block=16))
    assert [len(block) for block in blocks] == [16, 16, 8]
    assert (np.concatenate([block.pixels for block in blocks]) == read(root).pixels).all()


def test_training_and_calibration_share_no_patient(write):
    """Each patch is of its patient's group, so that the seven patients beside the test part are split as wholes."""
    images = read(write(PATIENTS))
    assert images.groups.of == tuple(name.split("/")[0] for name in images.names)
    for seed in range(5):
        parts = split(images, test=0.2, calibration=0.25, seed=seed)
        found = [set(images.groups.names(part)) for part in (parts.train, parts.calibration, parts.test)]
        assert [len(one) for one in found] == [5, 2, 3] and len(set().union(*found)) == 10
    assert read(write(PATIENTS), group=r"_x(\d+)_").groups.of[:2] == ("1", "51")
