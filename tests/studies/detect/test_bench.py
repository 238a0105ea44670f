"""`bench detect`: what it trains, what it measures, and what it recommends."""

from __future__ import annotations

import csv
import io
import math
import shutil
from importlib.metadata import version

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from tiny import call

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.data import read, split
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES
from lookalike.detect.openset import OpenSet
from lookalike.report.bench_detect import write
from lookalike.studies.claims import Estimate, Verdict
from lookalike.studies.detect import bench, trial
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A file of 60 images of each of three classes that differ in brightness and in the place of a bar."""
    random = np.random.default_rng(0)
    images = random.integers(0, 120, (180, 8, 8), dtype=np.uint8)
    for k in range(3):
        images[60 * k : 60 * (k + 1), 2 * k : 2 * k + 2] += 70
    path = tmp_path_factory.mktemp("three") / "three.npz"
    np.savez(path, images=images, labels=np.repeat(NAMES, 60))
    return str(path)


def measured(three, tmp_path, **changes):
    """A benchmark of kNN and PCA with one seed, done in this process."""
    settings = changes.pop("settings", {"size": "8,8"})
    options = {"methods": ("knn", "pca"), "seeds": 1, **changes}
    found = bench.run(three, Study(tmp_path / "runs", **options), settings)
    write(found, tmp_path / "out")
    return found


def test_each_auc_is_that_of_detectors_joined_by_hand(three, tmp_path, here):
    """The AUC with "c" unknown is that of an OpenSet of kNN on a and b, joined by their held-out images."""
    found = measured(three, tmp_path)
    images = read(three, size=(8, 8))
    parts = split(images, test=0.2, calibration=0.1, seed=0)

    def of(rows, *names):
        return rows[np.isin(images.labels[rows], [NAMES.index(name) for name in names])]

    members = {name: BASELINES["knn"].fit(images.pixels[of(parts.train, name)], 0) for name in "ab"}
    held = of(parts.calibration, "a", "b")
    by_class = np.concatenate([of(parts.calibration, "a"), of(parts.calibration, "b")])
    assert sorted(held) == sorted(by_class)
    joint = OpenSet.fit(members, images.pixels[by_class], images.labels[by_class])
    known, unknown = (joint.score(images.pixels[of(parts.test, *names)]).score for names in ("ab", "c"))
    assert found.values["c", "knn", 0] == pytest.approx(area(known, unknown), abs=1e-12)
    assert set(found.values) == {(u, m, 0) for u in NAMES for m in ("knn", "pca")}


def test_the_unknown_class_is_in_no_training(three, tmp_path, here, monkeypatch):
    """Every detector sees training images of one class alone, and is trained once, not once per unknown class."""
    images, seen = read(three, size=(8, 8)), []
    train = set(split(images, test=0.2, calibration=0.1, seed=0).train.tolist())
    real = BASELINES["knn"].fit

    def fit(pixels, seed):
        rows = {row for row in range(len(images)) if any(np.array_equal(images.pixels[row], x) for x in pixels)}
        seen.append({NAMES[images.labels[row]] for row in rows})
        assert rows <= train and len(rows) == len(pixels)
        return real(pixels, seed)

    monkeypatch.setattr(BASELINES["knn"], "fit", staticmethod(fit))
    measured(three, tmp_path, methods=("knn",))
    assert sorted(seen, key=sorted) == [{"a"}, {"b"}, {"c"}]


def test_the_same_benchmark_again_trains_nothing(three, tmp_path, here, monkeypatch):
    """A second call reads what is there and writes the same files."""
    first = measured(three, tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(before) == {"bench-detect.csv", "bench-detect.json", "bench-detect.html"}
    monkeypatch.setattr(trial, "run", lambda *_a, **_k: pytest.fail("trained again"))
    assert measured(three, tmp_path).values == first.values
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_mean_interval_and_paired_test_are_scipys(three, tmp_path, here):
    """The mean is over unknown classes; interval and p of the difference are those of scipy's t-test over classes."""
    found = measured(three, tmp_path)
    auc = {m: np.array([found.values[u, m, 0] for u in NAMES]) for m in ("knn", "pca")}
    best, other = found.lines
    assert best.auc == pytest.approx(auc[best.method].mean()) and best.against_best is None
    assert other.auc == pytest.approx(auc[other.method].mean()) and best.auc >= other.auc
    test = ttest_1samp(auc[best.method] - auc[other.method], 0)
    low, high = test.confidence_interval(0.95)
    gap = other.against_best.gap
    assert (gap.low, gap.high, gap.p) == pytest.approx((low, high, test.pvalue))
    low, high = ttest_1samp(auc[best.method], 0).confidence_interval(0.95)
    assert (best.low, best.high) == pytest.approx((max(low, 0), min(high, 1)))


def line(method, auc, seconds, low=None):
    """A line whose distance to the best, of AUC 0.9, has this lower end."""
    gap = None if low is None else Verdict(4, 3, 4, 3, Estimate(0.9 - auc, low, 2 * (0.9 - auc) - low, 0.1))
    return bench.Line(method, auc, 0.8, 1.0, seconds, 4, gap)


BEST = "Take auto: mean AUC 0.900 over 4 unknown classes and 3 seeds, 40 s per training and scoring"


@pytest.mark.parametrize(
    ("lines", "begins"),
    [
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=0.005)], f"{BEST}."),
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=-0.01)], "Take knn (1.0 s): auto has the highest mean AUC, "),
        ([line("auto", 0.9, 40), line("knn", 0.89, 1, low=math.nan)], "Take knn (1.0 s): auto has"),
        (
            [line("auto", 0.9, 40), line("knn", 0.6, 1, low=-0.01)],
            f"{BEST}. Its lead over knn, +0.300 [-0.010, +0.610]",
        ),
        ([line("auto", 0.9, 40), line("lof", 0.89, 30, low=-0.01)], f"{BEST}. Its lead over lof, +0.010 [-0.010"),
        ([line("auto", 0.9, 40), line("lof", 0.89, 9, low=-0.01), line("knn", 0.6, 1, low=-0.2)], "Take lof (9.0 s)"),
        ([line("auto", 0.9, 40)], f"{BEST}."),
    ],
)
def test_advice_is_the_best_or_what_is_as_good_for_half_the_time(lines, begins):
    """A cheaper one is taken where its distance to the best is at most .02, may be chance, and halves the time."""
    assert bench.advice(lines, 4, 3).startswith(begins)


def test_table_json_and_page_agree(three, tmp_path, capsys, here):
    """The command prints the advice; CSV and JSON hold the figures; the page names every method and class."""
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--workers", 1]
    argv = ["bench", "detect", three, "--methods", "knn", "--methods", "lof", "--seeds", 2, *where]
    code, said, err = call(capsys, *argv)
    assert code == 0, err
    record = files.read_json(tmp_path / "out" / "bench-detect.json")
    assert record["advice"] in said and record["classes"] == list(NAMES) and record["seeds"] == 2
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "bench-detect.csv").read_text())))
    assert len(rows) == 3 * 2 * 2
    for entry in record["methods"]:
        mine = [float(row["auc"]) for row in rows if row["method"] == entry["method"]]
        assert entry["auc"] == pytest.approx(np.mean(mine), abs=1e-4) and entry["trials"] == 6
    page = (tmp_path / "out" / "bench-detect.html").read_text()
    assert all(f"<td>{name}</td>" in page for name in (*NAMES, "knn", "lof")) and "http" not in page


def test_a_method_that_cannot_be_measured_is_said_and_left_out(tmp_path, here):
    """On vectors rotation fails with its own sentence, once; kNN is measured."""
    random = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", images=random.random((90, 5), np.float32), labels=np.repeat(NAMES, 30))
    warned = []
    found = measured(str(tmp_path / "v.npz"), tmp_path, methods=("knn", "rotation"), settings={}, warn=warned.append)
    assert [found_line.method for found_line in found.lines] == ["knn"]
    assert warned.pop().startswith("rotation is compared with nothing: 3 of 3 cells are missing; ")
    assert len(warned) == 1 and warned[0].startswith("3 trials failed (rotation): rotation takes images")


def test_a_method_that_lacks_a_cell_is_ranked_nowhere(three, tmp_path, here):
    """A training that failed takes its method out of means and advice: the classes that remain may be the easy ones."""
    options = {"methods": ("knn", "pca")}
    whole = measured(three, tmp_path, **options)
    best, other = (line.method for line in whole.lines)
    (broken,) = {one for cell in _all(three) for one in cell.trials if one.method == best and one.known == ("a",)}
    shutil.rmtree(broken.folder(tmp_path / "runs"))
    broken.folder(tmp_path / "runs").mkdir()
    (broken.folder(tmp_path / "runs") / "mine.txt").write_text("mine")
    warned = []
    found = measured(three, tmp_path, **options, warn=warned.append)
    assert [line.method for line in found.lines] == [other]
    assert found.lines[0].auc == whole.lines[1].auc and found.advice.startswith(f"Take {other}: ")
    assert warned[1] == (
        f"{best} is compared with nothing: 2 of 3 cells are missing; the same command tries them again"
    )
    assert found.values["a", best, 0] == whole.values["a", best, 0]
    with pytest.raises(UsageError, match="no method could be measured for every unknown class and seed"):
        measured(three, tmp_path, **options | {"methods": (best,)})


def _all(three):
    """All cells of `measured`."""
    base = DetectorTrial(three, "", 0, known=NAMES, settings=(("false_alarms", 0.5), ("size", "8,8")))
    return bench._cells(NAMES, ("knn", "pca"), [base], pytest.fail)


def test_bad_input_is_one_line(three, tmp_path, capsys):
    """One class, an unknown method, and a place inside the data are refused before anything is trained."""
    np.savez(tmp_path / "one.npz", images=np.zeros((9, 8, 8), np.uint8), labels=np.repeat("a", 9))
    with pytest.raises(DataError, match="has 1 class; two or more"):
        measured(str(tmp_path / "one.npz"), tmp_path)
    with pytest.raises(UsageError, match="no method knm; there are anogan"):
        measured(three, tmp_path, methods=("knm",))
    assert call(capsys, "bench", "detect", "nowhere", "-o", tmp_path / "o")[0] == 3
    assert not (tmp_path / "runs").exists() and not (tmp_path / "out").exists()


def test_classes_that_cannot_be_measured_are_left_out(tmp_path, here):
    """A class of one image, and two classes of the same images, are named in one warning; the others are measured."""
    random, warned = np.random.default_rng(0), []
    images = random.integers(0, 256, (160, 8, 8), dtype=np.uint8)
    images[120:] = images[80:120]  # "twin" is "c"
    labels = np.repeat(["a", "b", "c", "twin"], 40)
    labels[0] = "one"
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    found = measured(str(tmp_path / "d.npz"), tmp_path, methods=("knn",), warn=warned.append)
    assert found.classes == ("a", "b") and set(found.values) == {("a", "knn", 0), ("b", "knn", 0)}
    assert len(warned) == 1
    assert warned[0].startswith("left out: c, one, twin: too few images that stand under no other label; 5 to train on")


def test_too_few_classes_that_can_be_measured_are_one_line(tmp_path, here):
    """Where a single class is left nothing is trained."""
    images = np.random.default_rng(0).integers(0, 256, (43, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat(["a", "b"], [40, 3]))
    with pytest.raises(DataError, match=r"^fewer than two classes can be measured; b: too few images"):
        measured(str(tmp_path / "d.npz"), tmp_path, methods=("knn",))
    assert not (tmp_path / "runs").exists()


def test_what_reading_changed_is_said(three, tmp_path, here):
    """Images that grow more than four times are a warning of the benchmark, as of train."""
    warned = []
    measured(three, tmp_path, methods=("knn",), settings={"size": "40,40"}, warn=warned.append)
    assert warned == ["of the images, 180 grow more than 4 times at this size"]


def test_trainings_of_another_version_are_told(three, tmp_path, here):
    """Scores that lie there since another version are used, and a warning says so."""
    measured(three, tmp_path, methods=("knn",))
    for path in (tmp_path / "runs").rglob("config.json"):
        path.write_text(path.read_text().replace(f'"lookalike": "{version("lookalike")}"', '"lookalike": "0.0.9"'))
    warned = []
    measured(three, tmp_path, methods=("knn", "pca"), warn=warned.append)
    assert len(warned) == 1 and warned[0].startswith("3 of 6 trials in ") and "by lookalike 0.0.9 and" in warned[0]


def test_each_group_of_methods_says_its_size(tmp_path):
    """Where images shrink, a line names the methods that read them so, and a warning says where they shrink much."""
    said, warned = [], []
    study = Study(tmp_path, note=said.append, warn=warned.append)
    bench._say_sizes({(200, 150): 6}, ("knn", "auto", "acgan", "pca"), DetectorTrial("", "auto", 0, known=NAMES), study)
    assert said == [
        "images of 200 x 150 pixels are read at 32 x 24 by knn, pca",
        "images of 200 x 150 pixels are read at 64 x 48 by acgan",
    ]
    assert warned == ["of the images, 6 shrink more than 4 times at this size, which loses small things"]
