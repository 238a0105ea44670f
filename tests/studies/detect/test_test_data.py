"""`bench detect --test-data`: all of the data trains, and the test images come from a folder of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from official import official
from PIL import Image
from tiny import call

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.data import read, split
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.studies.detect import bench
from lookalike.studies.study import Study


def folder(path: Path, counts: dict[str, int], seed: int) -> str:
    """Class folders with so many random images of 8 x 8 pixels; the images of a class are brighter in one column."""
    draw = np.random.default_rng(seed)
    for name, count in counts.items():
        (path / name).mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(0, 120, (8, 8), dtype=np.uint8)
            pixels[:, ord(name[0]) % 8] += 100
            Image.fromarray(pixels).save(path / name / f"{i:03d}.png")
    return str(path)


def measured(tmp_path, data, test_data, **changes):
    """A bench of kNN with one seed, done in this process."""
    study = Study(tmp_path / "runs", methods=("knn",), seeds=1, warn=changes.pop("warn", lambda _: None))
    return bench.run(data, study, {"size": "8,8"}, test_data=test_data, **changes)


@pytest.fixture
def two(tmp_path):
    """Data of two classes, and test images of these and of a third."""
    data = folder(tmp_path / "data", {"a": 30, "b": 30}, 0)
    return data, folder(tmp_path / "tests", {"a": 7, "b": 8, "scratch": 9}, 1)


def test_no_test_share_is_cut_and_the_folder_is_measured(two, tmp_path, here):
    """With a known: the detector has learnt all of a but the held-out tenth, and all images of the folder count."""
    data, test_data = two
    found = measured(tmp_path, data, test_data, known=("a",))
    assert found.cast.rows == {"b": ("a",), "scratch": ("a",)}
    images, tests = read(data, size=(8, 8)), read(test_data, size=(8, 8))
    train = split(images, test=0.0, calibration=0.1, seed=0).train
    detector = BASELINES["knn"].fit(images.pixels[train[images.labels[train] == 0]], 0)
    scores = {name: detector.score(tests.of(name).pixels).score for name in tests.classes}
    assert {name: len(score) for name, score in scores.items()} == {"a": 7, "b": 8, "scratch": 9}
    for name in ("b", "scratch"):
        assert found.values[name, "knn", 0] == pytest.approx(area(scores["a"], scores[name]), abs=1e-12)


def test_a_class_of_the_folder_alone_is_never_known(two, tmp_path, here):
    """Each class of the data is in turn the unknown one, and the third class is with both of them known."""
    said = []
    found = measured(tmp_path, *two, warn=said.append)
    assert found.cast.rows == {"a": ("b",), "b": ("a",), "scratch": ("a", "b")} and said == []


def test_one_class_of_data_is_enough(tmp_path, here):
    """As in folders of good parts whose test images are good and bad: the good class is known in each row."""
    data = folder(tmp_path / "train", {"good": 30}, 0)
    found = measured(tmp_path, data, folder(tmp_path / "tests", {"good": 5, "dent": 5, "hole": 5}, 1))
    assert found.cast.rows == {"dent": ("good",), "hole": ("good",)}


def test_other_test_images_meet_the_same_trainings(two, tmp_path, here, monkeypatch):
    """Another folder is scored by the detectors that are there, and both results stay."""
    data, test_data = two
    first = measured(tmp_path, data, test_data, known=("a",))
    monkeypatch.setattr(BASELINES["knn"], "fit", lambda *_: pytest.fail("trained again"))
    other = measured(tmp_path, data, folder(tmp_path / "later", {"a": 6, "hole": 6}, 2), known=("a",))
    assert set(other.values) == {("hole", "knn", 0)}
    assert measured(tmp_path, data, test_data, known=("a",)).values == first.values


def test_a_class_without_test_images_is_left_out(two, tmp_path, here):
    """It cannot be measured, which a line says; as a known class it is refused."""
    data, said = two[0], []
    test_data = folder(tmp_path / "few", {"a": 6, "hole": 6}, 2)
    assert measured(tmp_path, data, test_data, warn=said.append).cast.rows == {"hole": ("a",)}
    assert said == ["left out: b: no image to measure stands under no other label"]
    with pytest.raises(DataError, match="too few images to be known, b: "):
        measured(tmp_path, data, test_data, known=("b",))


def test_test_images_that_do_not_fit_are_one_line(two, tmp_path, here):
    """Other classes, images that are in the data too, and places inside the folder are refused before any training."""
    data, test_data = two
    with pytest.raises(DataError, match=r"has the classes x, and .* has a, b; give test images in class folders of"):
        measured(tmp_path, data, folder(tmp_path / "other", {"x": 3}, 3))
    for name in ("000.png", "001.png"):
        shutil.copy(Path(data) / "a" / name, Path(test_data) / "scratch" / f"again-{name}")
    with pytest.raises(DataError, match=r"^2 of 26 images of .*tests are in .*data too, and what has taught cannot"):
        measured(tmp_path, data, test_data)
    with pytest.raises(UsageError, match="lies among the images"):
        bench.run(data, Study(Path(test_data) / "runs"), test_data=test_data)
    assert not (tmp_path / "runs").exists()


def test_data_with_an_official_test_part_take_no_other(two, tmp_path):
    """Their test part would be left out of training all the same."""
    with pytest.raises(DataError, match="four has test images of its own; leave --test-data out"):
        measured(tmp_path, str(official(tmp_path / "four")), two[1])


def test_the_flag_is_in_table_json_and_page(two, tmp_path, capsys, here):
    """The command ends well, and says where the test images are from."""
    data, test_data = two
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--workers", 1, "--seeds", 1, "--methods", "knn"]
    code, _, err = call(capsys, "bench", "detect", data, "--test-data", test_data, *where)
    assert code == 0 and "warning" not in err
    assert files.read_json(tmp_path / "out" / "bench-detect.json")["test_data"] == "tests"
    assert "all from tests;" in (tmp_path / "out" / "bench-detect.html").read_text()
    code, _, err = call(capsys, "bench", "detect", data, "--test-data", tmp_path / "nowhere", *where)
    assert code == 3 and err.count("\n") == 1 and "nowhere" in err
