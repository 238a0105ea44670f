"""`bench detect`: what it trains, what it measures, and what it recommends."""

from __future__ import annotations

import csv
import io
import shutil
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_1samp
from tiny import call

from lookalike import studies
from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.base.names import USUAL
from lookalike.data import aspect_size, read, split
from lookalike.detect.auc import area
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.detect.openset import OpenSet
from lookalike.report.bench_detect import write
from lookalike.runs.reading import Reading
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect import bench, trial
from lookalike.studies.detect import shots as few
from lookalike.studies.detect.cast import Cast
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
    known = options.pop("known", ())
    found = bench.run(three, Study(tmp_path / "runs", **options), settings, known=known)
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


def test_auto_learns_the_known_classes_of_a_row_together(three, tmp_path, here):
    """Its AUC is that of the model that `lookalike train` makes of both known classes, from all their images."""
    found = measured(three, tmp_path, methods=("auto",), known=("a", "b"))
    settings = train_settings(known=("a", "b"), size="8,8", test=0.2, threads=1, false_alarms=0.5)
    model = run(three, settings, tmp_path / "both")
    assert isinstance(model.detector, OpenSet) and model.detector.nearest is not None
    images = read(three, size=(8, 8))
    test = split(images, test=0.2, calibration=0.0, seed=0).test
    known = model.score(images.pixels[test[images.labels[test] < 2]]).score
    unknown = model.score(images.pixels[images.labels == 2]).score
    assert found.values["c", "auto", 0] == pytest.approx(area(known, unknown), abs=1e-12)
    assert len(list((tmp_path / "runs").rglob("model.json"))) == 1


def test_classes_whose_images_have_different_sizes_are_split_alike(tmp_path, here):
    """Detectors of tall and of wide images see all images at one size, and are joined by scores of the same images."""
    draw = np.random.default_rng(0)
    for name, shape in (("a", (64, 32)), ("b", (32, 64)), ("c", (64, 32))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(30):
            pixels = draw.integers(0, 120, shape, dtype=np.uint8)
            pixels[:, 8 * "abc".index(name) : 8 * "abc".index(name) + 8] += 30
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    found = measured(str(tmp_path / "data"), tmp_path, methods=("knn",), known=("a", "b"), settings={})
    size = aspect_size(str(tmp_path / "data"), 32, 4, ("a", "b"))
    images = read(str(tmp_path / "data"), size=size)
    parts = split(images, test=0.2, calibration=0.1, seed=0)

    def of(part, label):
        return images.pixels[part[images.labels[part] == label]]

    members = {name: BASELINES["knn"].fit(of(parts.train, k), 0) for k, name in enumerate("ab")}
    held = [of(parts.calibration, k) for k in (0, 1)]
    joint = OpenSet.fit(members, np.concatenate(held), np.repeat([0, 1], [len(part) for part in held]))
    known, unknown = np.concatenate([of(parts.test, k) for k in (0, 1)]), images.pixels[images.labels == 2]
    assert found.values["c", "knn", 0] == pytest.approx(
        area(joint.score(known).score, joint.score(unknown).score), abs=1e-12
    )
    shapes = [files.read_json(path)["data"]["shape"] for path in (tmp_path / "runs").rglob("config.json")]
    assert shapes == [[1, *size]] * 2


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
    (left,) = found.unranked
    assert (left.method, left.missing) == ("rotation", "3 of 3 cells are missing")
    assert len(left.errors) == 1 and left.errors[0].startswith("rotation takes images")
    assert files.read_json(tmp_path / "out" / "bench-detect.json")["unranked"] == [
        {"method": "rotation", "missing": left.missing, "errors": list(left.errors)}
    ]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "bench-detect.csv").read_text())))
    assert {(row["unknown"], row["auc"], row["error"]) for row in rows if row["method"] == "rotation"} == {
        (name, "", left.errors[0]) for name in NAMES
    }
    assert f"not ranked, as {left.missing}: {left.errors[0]}" in (tmp_path / "out" / "bench-detect.html").read_text()
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
    assert found.unranked[0].missing == "2 of 3 cells are missing" and found.advice.endswith(f" Not ranked: {best}.")
    assert len(warned) == 1 and "holds other files" in warned[0]
    assert found.values["a", best, 0] == whole.values["a", best, 0]
    alone = measured(three, tmp_path, **options | {"methods": (best,)})
    assert alone.lines == () and alone.advice.startswith("No method was measured for every") and len(alone.values) == 1


def test_the_table_has_a_row_for_a_method_that_failed(tmp_path, capsys, here):
    """The command prints it with its reason below the others, and ends well; where all fail it is one line."""
    random = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", images=random.random((90, 5), np.float32), labels=np.repeat(NAMES, 30))
    argv = ["bench", "detect", tmp_path / "v.npz", "--seeds", 1, "-o", tmp_path / "out", "--runs", tmp_path / "runs"]
    code, said, _ = call(capsys, *argv, "--methods", "knn", "--methods", "rotation")
    words = " ".join(said.split())
    assert code == 0 and "why not" in words and "rotation not ranked" in words and "3 of 3 cells are missing" in words
    code, said, err = call(capsys, *argv, "--methods", "rotation")
    assert code == 2 and err.splitlines()[-1].startswith("error: no method could be measured on this data")


def _all(three):
    """All cells of `measured`."""
    base = DetectorTrial(three, "", 0, known=NAMES, settings=(("false_alarms", 0.5), ("size", "8,8")))
    rows = {name: tuple(other for other in NAMES if other != name) for name in NAMES}
    return bench._cells(Cast(rows, NAMES, ()), ("knn", "pca"), [base], pytest.fail)


def test_bad_input_is_one_line(three, tmp_path, capsys):
    """One class, an unknown method, and a place inside the data are refused before anything is trained."""
    np.savez(tmp_path / "one.npz", images=np.zeros((9, 8, 8), np.uint8), labels=np.repeat("a", 9))
    with pytest.raises(DataError, match="has 1 class; two or more"):
        measured(str(tmp_path / "one.npz"), tmp_path)
    with pytest.raises(UsageError, match="there is no method knm; did you mean knn\\? there are auto-gan, anogan"):
        measured(three, tmp_path, methods=("knm",))
    assert call(capsys, "bench", "detect", "nowhere", "-o", tmp_path / "o")[0] == 3
    assert not (tmp_path / "runs").exists() and not (tmp_path / "out").exists()


def test_classes_that_cannot_be_known_are_the_unknown_one_alone(tmp_path, here):
    """A class of one image is a row of its own and never known; two classes of the same images are left out."""
    random, warned = np.random.default_rng(0), []
    images = random.integers(0, 256, (160, 8, 8), dtype=np.uint8)
    images[120:] = images[80:120]  # "twin" is "c"
    labels = np.repeat(["a", "b", "c", "twin"], 40)
    labels[0] = "one"
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    found = measured(str(tmp_path / "d.npz"), tmp_path, methods=("knn",), warn=warned.append)
    assert found.cast.rows == {"a": ("b",), "b": ("a",), "one": ("a", "b")}
    assert set(found.values) == {(name, "knn", 0) for name in ("a", "b", "one")}
    assert [line[:52] for line in warned] == [
        "left out: c, twin: no image to measure stands under ",
        "never known, only the unknown one: too few images, o",
    ]
    assert warned[1].endswith(
        "one: 5 to train on, one held-out image and one test image that stand under no other label are needed"
    )


def test_too_few_images_of_all_classes_are_one_line(tmp_path, here):
    """Where no class can be known nothing is trained."""
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat(["a", "b"], 3))
    with pytest.raises(DataError, match=r"^no class can be known while another is the unknown one: too few images, a"):
        measured(str(tmp_path / "d.npz"), tmp_path, methods=("knn",))
    assert not (tmp_path / "runs").exists()


# --- named known classes


def test_known_classes_are_trained_once_for_all_rows(three, tmp_path, here, monkeypatch):
    """With a and b known, c is the one row; a is known alone for the rows of b and c, by the detector that is there."""
    fitted, honest = [], BASELINES["knn"].fit
    monkeypatch.setattr(
        BASELINES["knn"], "fit", lambda pixels, seed: fitted.append(len(pixels)) or honest(pixels, seed)
    )
    part = measured(three, tmp_path, known=("a,b",), methods=("knn",))
    assert part.cast.rows == {"c": ("a", "b")} and len(fitted) == 2
    single = measured(three, tmp_path, known=("a",), methods=("knn",))
    assert single.cast.rows == {"b": ("a",), "c": ("a",)} and len(fitted) == 2
    assert {u for u, _, _ in single.values} == {"b", "c"}


def test_all_images_of_a_class_that_is_never_known_are_scored(three, tmp_path, here):
    """The AUC with a known compares the test images of a with all 60 images of b, by the stored model."""
    found = measured(three, tmp_path, known=("a",), methods=("knn",))
    images = read(three, size=(8, 8))
    parts = split(images, test=0.2, calibration=0.1, seed=0)
    detector = BASELINES["knn"].fit(images.pixels[parts.train[images.labels[parts.train] == 0]], 0)
    known = detector.score(images.pixels[parts.test[images.labels[parts.test] == 0]]).score
    unknown = detector.score(images.pixels[images.labels == 1]).score
    assert len(unknown) == 60 and found.values["b", "knn", 0] == pytest.approx(area(known, unknown), abs=1e-12)


def test_a_known_class_that_is_missing_or_small_is_one_line(three, tmp_path, here):
    """A wrong name is refused with a near one, a small class with what it needs, and all classes known with a line."""
    with pytest.raises(DataError, match="no class 'd'"):
        measured(three, tmp_path, known=("d",))
    with pytest.raises(DataError, match="no class can be known while another is the unknown one"):
        measured(three, tmp_path, known=NAMES)
    images = np.random.default_rng(0).integers(0, 256, (43, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat(["a", "b"], [40, 3]))
    with pytest.raises(DataError, match=r"^too few images to be known, b: 5 to train on"):
        measured(str(tmp_path / "d.npz"), tmp_path, known=("b",))
    assert not (tmp_path / "runs").exists()


def test_known_and_size_reach_every_training(three, tmp_path, capsys, here):
    """`--known a --size 6,6` trains models of a at 6 x 6, and table, JSON and page say which classes are known."""
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--workers", 1, "--seeds", 1]
    code, _, err = call(capsys, "bench", "detect", three, "--known", "a", "--size", "6,6", "--methods", "knn", *where)
    assert code == 0, err
    assert files.read_json(tmp_path / "out" / "bench-detect.json")["rows"] == {"b": ["a"], "c": ["a"]}
    assert "Known: a. Each other class in turn" in (tmp_path / "out" / "bench-detect.html").read_text()
    configs = [files.read_json(path) for path in (tmp_path / "runs").rglob("config.json")]
    assert [(one["data"]["shape"], one["settings"]["known"]) for one in configs] == [([1, 6, 6], ["a"])]


def test_help_names_the_methods_of_a_bench(capsys, monkeypatch):
    """The default of --methods is what is measured where none is named."""
    monkeypatch.setenv("COLUMNS", "200")
    assert f"[default: {', '.join(USUAL)}]" in " ".join(
        call(capsys, "bench", "detect", "--help")[1].replace("│", " ").split()
    )
    assert set(USUAL) <= {*BASELINES, *CLASSIFIERS}


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
    assert warned == [SHRUNK.format(6)]


SHRUNK = "of the images, {} shrink more than 4 times at this size, which loses small things"


@pytest.fixture
def photographs(tmp_path):
    """A folder of 12 tall images of "a", and as many wide ones of "b" and of "c"."""
    draw = np.random.default_rng(0)
    for name, shape in (("a", (200, 100)), ("b", (100, 200)), ("c", (100, 200))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(12):
            pixels = draw.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i:02}.png")
    return str(tmp_path / "data")


@pytest.mark.parametrize("shots", [(), (2,)], ids=["all images", "few images"])
def test_a_bench_says_each_size_and_what_shrinks_once(shots, photographs, tmp_path, here):
    """One size for all methods is one line and one warning, whether they learn from all images or from few."""
    said, warned = [], []
    study = Study(tmp_path / "runs", methods=("knn", "pca"), seeds=1, note=said.append, warn=warned.append)
    settings = {"size": "16,16"}
    if shots:
        few.run(photographs, study, shots, settings, known=("a",))
    else:
        bench.run(photographs, study, settings, known=("a",))
    assert said == ["images of 100 x 200 to 200 x 100 pixels are read at 16 x 16 by knn, pca"]
    assert warned == [SHRUNK.format(36)]


def test_classes_of_different_sizes_have_one_size_per_method_and_one_of_the_keys(photographs, tmp_path):
    """Methods on pixels, on features and GANs read at sizes of their own, and split by keys of the same size."""
    names = ("knn", "patches", "acgan")
    study = Study(tmp_path / "runs", methods=names, seeds=1)
    base, found = bench.set_up(photographs, study, {}, (), "")
    sizes = bench._sizes(found, names, base[0])
    assert sizes == {
        "knn": Reading((16, 32)),
        "patches": Reading((100, 200), (16, 32)),
        "acgan": Reading((32, 64), (16, 32)),
    }


# --- a given time


class Clock:
    """Stands for the module `time`: each look at it takes a second."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        """See the module."""
        self.now += 1
        return self.now


def within(three, tmp_path, monkeypatch, minutes, **options):
    """A bench of kNN and PCA within so many minutes of such a clock."""
    clock = Clock()
    for module in (studies.schedule, studies.study):
        monkeypatch.setattr(module, "time", clock)
    return measured(three, tmp_path, minutes=minutes, began=0.0, **options)


def test_a_time_that_is_enough_changes_nothing(three, tmp_path, here, monkeypatch):
    """The figures are those without a time, and nobody is told of anything left."""
    said = []
    found = within(three, tmp_path, monkeypatch, 60, warn=said.append)
    assert found.values == measured(three, tmp_path / "other").values and found.unranked == ()
    assert not any("not done within" in line for line in said)


def test_a_short_time_gives_a_part_that_the_same_command_completes(three, tmp_path, here, monkeypatch):
    """Both methods are begun, one is not whole and is not ranked; with more minutes its trainings go on."""
    said, fitted, honest = [], [], BASELINES["knn"].fit
    monkeypatch.setattr(BASELINES["knn"], "fit", lambda pixels, seed: fitted.append(1) or honest(pixels, seed))
    found = within(three, tmp_path, monkeypatch, 0.56, warn=said.append)
    (left,) = found.unranked
    assert len(found.lines) == 1 and left.errors == ("not done within 0.56 minutes",)
    assert found.advice.endswith(f"Not ranked: {left.method}.")
    assert any(line.startswith(f"not done within 0.56 minutes: {left.method} (") for line in said)
    begun = len(fitted)
    whole = within(three, tmp_path, monkeypatch, 60)
    assert whole.values == measured(three, tmp_path / "other").values and len(fitted) == 3 + 3 and begun <= 3


def test_a_time_in_which_nothing_is_done_is_one_line(three, tmp_path, here, monkeypatch):
    """The line says which time was too short."""
    with pytest.raises(UsageError, match=r"^no method could be measured on this data: not done within 0.1 minutes"):
        within(three, tmp_path, monkeypatch, 0.1)
