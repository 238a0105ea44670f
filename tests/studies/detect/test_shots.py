"""`bench detect --shots`: how good each detector is with few images of each known class."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from tiny import call

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.data import read, split
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.report.bench_shots import write
from lookalike.runs.settings import train_settings
from lookalike.studies.detect import shots, shots_trial
from lookalike.studies.detect.parts import drawn
from lookalike.studies.detect.shots import Level
from lookalike.studies.study import Study

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A file of 40 images of each of three classes that differ in the place of a bar."""
    random = np.random.default_rng(0)
    images = random.integers(0, 120, (120, 8, 8), dtype=np.uint8)
    for k in range(3):
        images[40 * k : 40 * (k + 1), 2 * k : 2 * k + 2] += 20
    path = tmp_path_factory.mktemp("three") / "three.npz"
    np.savez(path, images=images, labels=np.repeat(NAMES, 40))
    return str(path)


def measured(three, tmp_path, numbers, *, known=("a",), **options):
    """The figures of these numbers of images, done in this process."""
    options = {"methods": ("knn",), "seeds": 2} | options
    return shots.run(three, Study(tmp_path / "runs", **options), numbers, {"size": "8,8"}, known=known)


def test_draws_are_nested_and_the_seed_draws_them(three):
    """Two images are among four, four among eight; another seed draws others; none is of the test part."""
    images, settings = read(three, size=(8, 8)), train_settings(known=("a",), seed=0)
    rows = {n: set(drawn(images, settings, "b", n, 7).tolist()) for n in (1, 2, 4, 8)}
    assert [len(mine) for mine in rows.values()] == [1, 2, 4, 8]
    assert rows[1] < rows[2] < rows[4] < rows[8] <= set(range(40, 80))
    assert rows[8] != set(drawn(images, settings, "b", 8, 8).tolist())
    assert not rows[8] & set(split(images, test=0.2, calibration=0.0, seed=0).test.tolist())
    with pytest.raises(DataError, match="class b has 32 different images to learn from, not 33"):
        drawn(images, settings, "b", 33, 7)


def test_each_auc_is_that_of_a_detector_of_the_draws(three, tmp_path, here):
    """With a known: kNN of the drawn images alone, all seeds on one test part; the mean is over b and c."""
    found = measured(three, tmp_path, (1, 4))
    images, settings = read(three, size=(8, 8)), train_settings(known=("a",), seed=0)
    tests = split(images, test=0.2, calibration=0.0, seed=0).test
    for level in found.levels["knn"]:
        for seed, auc in enumerate(level.aucs):
            detector = BASELINES["knn"].fit(images.pixels[drawn(images, settings, "a", level.shots, seed)], seed)
            known = detector.score(images.pixels[tests[images.labels[tests] == 0]]).score
            areas = [area(known, detector.score(images.pixels[images.labels == k]).score) for k in (1, 2)]
            assert auc == pytest.approx(np.mean(areas), abs=1e-12)
        assert level.auc == pytest.approx(np.mean(level.aucs)) and level.sd == pytest.approx(np.std(level.aucs, ddof=1))
    assert [level.shots for level in found.levels["knn"]] == [1, 4] and found.levels["knn"][0].aucs[0] != (
        found.levels["knn"][0].aucs[1]
    )


def test_too_few_images_for_a_method_are_a_reason_and_no_failure(three, tmp_path, here):
    """PCA has no figure with one image, and nobody has one with more images than there are; nothing is warned of."""
    said = []
    found = measured(three, tmp_path, (1, 4, 99), methods=("knn", "pca"), seeds=1, warn=said.append)
    assert [level.auc is None for level in found.levels["knn"]] == [False, False, True]
    assert [level.auc is None for level in found.levels["pca"]] == [True, False, True]
    assert said == [] and found.missing == (
        ("knn", "99", "class a has 32 different images to learn from, not 99; add images"),
        ("pca", "1", "pca needs more known images than 1; add images"),
        ("pca", "99", "class a has 32 different images to learn from, not 99; add images"),
    )


def test_several_known_classes_are_joined_as_train_joins_them(three, tmp_path, here):
    """Each class in turn is unknown; of two images of each class none can be left out, which is the reason."""
    found = measured(three, tmp_path, (2, 6), known=(), seeds=1)
    few, more = found.levels["knn"]
    assert found.cast.rows == {name: tuple(n for n in NAMES if n != name) for name in NAMES}
    assert few.auc is None and "each of several known classes needs 3" in few.error
    model = next((tmp_path / "runs").rglob("6/seed-0/model.json"))
    counts = files.read_json(model)["training"]["counts"]
    assert counts["train"] == 12 and counts["test"] == 0 and 0.5 < more.auc <= 1


def test_the_same_command_again_trains_nothing(three, tmp_path, here, monkeypatch):
    """What is stored gives the same figures, and further numbers of images alone are trained."""
    first = measured(three, tmp_path, (2, 4))
    fitted, honest = [], BASELINES["knn"].fit
    monkeypatch.setattr(
        BASELINES["knn"], "fit", lambda pixels, seed: fitted.append(len(pixels)) or honest(pixels, seed)
    )
    again = measured(three, tmp_path, (2, 4, 8))
    assert again.levels["knn"][:2] == first.levels["knn"] and fitted == [8, 8]


def test_a_gan_learns_from_all_images_without_a_threshold(three, tmp_path, here):
    """Of one known class nothing is held out, and the stored model has no threshold."""
    trial = shots_trial.ShotsTrial(
        three, "anogan", 0, known=("a",), unknown=("b",), shots=8,
        settings=(("size", "8,8"), ("width", 4), ("z", 8), ("images", 64), ("batch", 8), ("search_steps", 2)),
    )  # fmt: skip
    trial.perform(tmp_path)
    config = files.read_json(trial.folder(tmp_path) / "config.json")
    assert (config["data"]["train"], config["data"]["calibration"]) == (8, 0)
    assert 0 <= trial.auc(tmp_path, "b") <= 1


@pytest.mark.parametrize("given", ["", "0", "-1", "1,x", "1.5", "1,,2"])
def test_other_than_numbers_are_refused(given):
    """One line says what is accepted."""
    with pytest.raises(UsageError, match=r"^--shots .*numbers of images from 1 on are accepted"):
        shots.numbers([given])


def test_numbers_are_ascending_and_each_is_once():
    """In whatever order and however often the flag is given."""
    assert shots.numbers(["4,1", "2,4"]) == (1, 2, 4)


def level(method, n, auc):
    """A level of one seed."""
    return Level(method, n, (auc,) if auc else (), 1.0, "" if auc else "few")


BEST = "With 4 images of each known class auto is best, mean AUC 0.950."


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (
            {"auto": [level("auto", 2, 0.8), level("auto", 4, 0.95)], "knn": [level("knn", 2, 0.94)] * 2},
            f"{BEST} knn comes within 0.02 of that with 2: mean AUC 0.940.",
        ),
        (
            {"auto": [level("auto", 2, 0.8), level("auto", 4, 0.95)]},
            f"{BEST} With fewer images no method comes within 0.02 of that: more images may help further.",
        ),
        ({"auto": [level("auto", 2, 0.8), level("auto", 4, None)]}, "No method was measured with the largest number"),
    ],
)  # fmt: skip
def test_advice_says_how_few_images_are_enough(levels, said):
    """The best with most images, and the fewest images that come close to it."""
    assert shots.advice(levels).startswith(said)


def test_table_json_and_page_agree(three, tmp_path, capsys, here):
    """The command prints the mean of each number of images; CSV and JSON hold it; the page has the plot."""
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--workers", 1, "--seeds", 2, "--size", "8,8"]
    argv = ["bench", "detect", three, "--known", "a", "--shots", "1,4", "--methods", "knn", "--methods", "pca", *where]
    code, said, err = call(capsys, *argv)
    assert code == 0, err
    record = files.read_json(tmp_path / "out" / "bench-detect-shots.json")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "bench-detect-shots.csv").read_text())))
    page = (tmp_path / "out" / "bench-detect-shots.html").read_text()
    assert record["shots"] == [1, 4] and len(rows) == 4 and "data:image/webp;base64" in page and "http" not in page
    for method in record["methods"]:
        for one in method["levels"]:
            (row,) = [row for row in rows if (row["method"], int(row["shots"])) == (method["method"], one["shots"])]
            if one["auc"] is None:
                assert row["error"] == one["error"] and one["error"] in page
            else:
                assert float(row["auc"]) == pytest.approx(one["auc"], abs=1e-4)
                assert f"{one['auc']:.3f} +- {one['sd']:.3f}" in said and f"{one['auc']:.3f} ± {one['sd']:.3f}" in page
    assert "no figure for pca with 1: pca needs more known images than 1" in " ".join(said.split())
    assert record["advice"] in said


def test_where_nothing_can_be_measured_it_is_one_line(three, tmp_path, here):
    """The reason is that of the first method."""
    with pytest.raises(UsageError, match="nothing could be measured: class a has 32 different images"):
        measured(three, tmp_path, (99,))


def test_equal_figures_give_equal_pages(three, tmp_path, here):
    """The plot has no time and no randomness."""
    found = measured(three, tmp_path, (2, 4))
    assert write(found, tmp_path / "x").read_bytes() == write(found, tmp_path / "y").read_bytes()
