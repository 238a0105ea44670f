"""--group: images of one slide stay on one side, in runs, thresholds, evaluations, benches and measurements."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from clean_failure import assert_clean_failure
from PIL import Image
from sklearn.neighbors import NearestNeighbors
from tiny import call

import lookalike
from lookalike.base import files
from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.data import read, split
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.cross import by_group, crossed
from lookalike.detect.model import Model
from lookalike.faces.estimators import LookalikeDetector
from lookalike.runs import plan as plans
from lookalike.runs.settings import train_settings
from lookalike.runs.used import used_groups
from lookalike.studies.augment.trial import ClassifierTrial, parts_of
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.use import measure as measuring
from lookalike.use import pairs
from lookalike.use.evaluate import evaluate

SLIDE = r"slide(\d+)"
SLIDES = 10


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """A folder of 8 x 8 images: ten slides, each with eight images of normal and four of tumour."""
    root, draw = tmp_path_factory.mktemp("data") / "slides", np.random.default_rng(0)
    for slide in range(SLIDES):
        for name, n, bright in (("normal", 8, 0), ("tumour", 4, 60)):
            (root / name).mkdir(parents=True, exist_ok=True)
            for i in range(n):
                pixels = draw.integers(10 * slide, 10 * slide + 60, (8, 8)) + bright
                Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"slide{slide}_{i}.png")
    return root


def given(method="knn", **changes):
    """Settings of a training on normal images."""
    return train_settings(
        **{"known": ("normal",), "method": method, "size": "8,8", "threads": 1, "group": SLIDE} | changes
    )


def of(images, rows):
    """The slides of these rows."""
    return {images.groups.of[row] for row in rows}


def table(path, names, change=lambda slide: slide):
    """A CSV file with the slide of each image."""
    lines = [f"{name},{change(name.split('slide')[1].partition('_')[0])}\n" for name in names]
    path.write_text("".join(["file,group\n", *lines]))
    return str(path)


class Spy:
    """A baseline that notes what each detector learnt from, and what it scored."""

    kind, side, most_images, paper, summary = "spy", None, None, "", ""

    def __init__(self):
        self.pairs = []

    def fit(self, pixels, seed):
        """A detector whose score of an image is the number of images that it has learnt from."""
        learnt = {int(one) for one in pixels[:, 0]}

        def score(new):
            self.pairs.append((learnt, {int(one) for one in new[:, 0]}))
            return SimpleNamespace(score=np.full(len(new), float(len(learnt))))

        return SimpleNamespace(score=score)


@pytest.mark.parametrize("groups", [2, 7, 10, 23])
def test_no_fold_has_a_group_on_both_sides(groups):
    """Each image is scored once, by a detector of other groups; there are ten folds, or as many as groups."""
    spy, number = Spy(), np.random.default_rng(0).permutation(np.arange(60) % groups)
    pixels = np.arange(60, dtype=np.float32)[:, None]
    _, score = crossed(spy, pixels, 3, number)
    assert sorted(row for _, scored in spy.pairs for row in scored) == list(range(60))
    for learnt, scored in spy.pairs:
        assert not {number[row] for row in learnt} & {number[row] for row in scored}
        assert all(score[row] == len(learnt) for row in scored)
    assert len(spy.pairs) == min(10, groups)


def test_with_several_classes_no_detector_has_learnt_the_group_of_what_it_scores():
    """Images of the other class too are scored by detectors without their slide; slides of that class alone by all."""
    spy, number = Spy(), np.repeat(np.arange(12), 5)
    pixels, mine = np.arange(60, dtype=np.float32)[:, None], np.array([row for row in range(50) if row % 2])
    _, score = by_group(spy, pixels, 0, number, mine)
    assert sorted(row for _, scored in spy.pairs for row in scored) == list(range(60))
    assert all(not {number[row] for row in learnt} & {number[row] for row in scored} for learnt, scored in spy.pairs)
    assert all(learnt <= set(mine.tolist()) for learnt, _ in spy.pairs)
    assert (score[50:] == len(mine)).all() and (score[:50] < len(mine)).all()


def test_neighbours_of_the_own_group_do_not_count():
    """As scikit-learn finds the fifth nearest among the other groups; a new image has all as neighbours."""
    draw = np.random.default_rng(0)
    known, groups = draw.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 6
    detector, score = crossed(BASELINES["knn"], known, 0, groups)
    for group in range(6):
        others = NearestNeighbors(n_neighbors=5).fit(known[groups != group])
        assert score[groups == group] == pytest.approx(others.kneighbors(known[groups == group])[0][:, 4], rel=1e-6)
    assert np.array_equal(detector.score(known[:3]).score, BASELINES["knn"].fit(known, 0).score(known[:3]).score)


@pytest.mark.parametrize("method", ["lof", "auto"])
def test_vectors_too_are_left_out_with_their_group(method):
    """The score is that of a detector which has not learnt any of the group."""
    draw = np.random.default_rng(1)
    known, groups = draw.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 4
    score = crossed(BASELINES[method], known, 0, groups)[1]
    for group in range(4):
        mine = groups == group
        assert np.array_equal(score[mine], BASELINES[method].fit(known[~mine], 0).score(known[mine]).score)


@pytest.mark.parametrize("seed", range(6))
def test_a_run_parts_no_slide(slides, seed):
    """Training, joining, threshold and test have slides of their own, with one known class and with two."""
    for changes in ({"calibration": 0.3}, {"known": ("normal", "tumour"), "calibration": 0.4}):
        plan = plans.make(slides, given(seed=seed, false_alarms=0.2, **changes))
        rows = plan.rows
        parts = [of(plan.images, part) for part in (rows.train, rows.calibration, rows.deciding, rows.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == SLIDES
        assert all(parts) or not rows.joins
    assert plan.rows.joins and not plan.rows.shared
    assert plan.groups()["test"] == sorted(of(plan.images, plan.rows.test))


def test_a_run_records_its_groups_and_says_how_many(slides, tmp_path, capsys):
    """A line with the groups of each part; config.json has the setting, groups.json the groups."""
    argv = ["train", slides, "--known", "normal", "--method", "knn", "--group", SLIDE, "-o", tmp_path / "run"]
    code, out, _ = call(capsys, *argv)
    assert code == 0 and "\ngroups of images: 8 to train on, 2 to test on\n" in out
    config, groups = (files.read_json(tmp_path / "run" / name) for name in ("config.json", "groups.json"))
    assert (config["settings"]["group"], config["settings"]["group_digest"]) == (SLIDE, None)
    assert groups["by"] == SLIDE and groups["parts"]["train"] == groups["parts"]["calibration"]
    assert sorted(groups["parts"]["train"] + groups["parts"]["test"]) == [str(i) for i in range(SLIDES)]
    assert call(capsys, *argv)[0] == 0
    line = assert_clean_failure(
        capsys, [*map(str, argv[:7]), r"slide(\d)", *map(str, argv[8:])], 2, "other settings", kept=tmp_path / "run"
    )
    assert r"group slide(\\d+) -> slide(\\d)" in line or r"group slide(\d+) -> slide(\d)" in line
    plan = plans.make(slides, given())
    wanted = crossed(
        BASELINES["knn"], plan.images.pixels[plan.rows.train], 0,
        np.array([int(plan.images.groups.of[row]) for row in plan.rows.train]),
    )[1]  # fmt: skip
    lookalike.fit(slides, out=tmp_path / "small", known="normal", method="knn", size="8,8", group=SLIDE, threads=1)
    assert np.array_equal(Model.load(tmp_path / "small").threshold.calibration, np.sort(wanted))


def test_a_file_of_groups_is_recorded_by_its_content(slides, tmp_path, capsys):
    """The same content resumes under another name; changed rows are refused in one line, and nothing changes."""
    names = read(slides).names
    path = table(tmp_path / "groups.csv", names)
    argv = ["train", str(slides), "--known", "normal", "--method", "knn", "-o", str(tmp_path / "run"), "--group"]
    assert call(capsys, *argv, path)[0] == 0
    assert call(capsys, *argv, table(tmp_path / "moved.csv", names))[0] == 0
    table(tmp_path / "groups.csv", names, lambda slide: "0" if slide == "1" else slide)
    assert_clean_failure(
        capsys, [*argv, path], 2, "was begun with other rows of the file --group", "give the file as it was",
        kept=tmp_path / "run",
    )  # fmt: skip
    assert_clean_failure(
        capsys,
        ["evaluate", str(tmp_path / "run"), str(slides)],
        2,
        "groups.csv has changed since",
        kept=tmp_path / "run",
    )
    code, out, _ = call(capsys, "evaluate", tmp_path / "run", slides, "--group", tmp_path / "moved.csv")
    assert code == 0 and "(16 known, 8 unknown)" in out
    (tmp_path / "groups.csv").unlink()
    assert_clean_failure(
        capsys, ["evaluate", str(tmp_path / "run"), str(slides)], 2, "there is no such file", kept=tmp_path
    )


@pytest.fixture(scope="module")
def run(slides, tmp_path_factory):
    """A finished run on normal images."""
    out = tmp_path_factory.mktemp("run") / "run"
    lookalike.fit(slides, out=out, known="normal", method="knn", size="8,8", group=SLIDE, threads=1)
    return out


def test_no_slide_that_trained_is_evaluated(run, slides):
    """Of ten slides two are test slides: their 16 known images and their 8 unknown ones count, and a line says so."""
    said = []
    figures = evaluate(run, slides, warn=said.append)
    assert (figures["n_known"], figures["n_unknown"]) == (16, 8)
    assert said == ["unknown images left out, as images of their groups trained or set the threshold: 32"]
    images, tested = read(slides, size=(8, 8), group=SLIDE), files.read_json(run / "groups.json")["parts"]["test"]
    unknown = np.array([group in tested for group in images.groups.of]) & (images.labels == 1)
    wanted = Model.load(run).score(images.pixels[unknown]).score
    arrays = np.load(run / "evaluations" / "tumour.npz")
    assert np.array_equal(arrays["unknown_scores"], wanted)


def test_other_names_are_evaluated_with_a_warning(run, slides):
    """Images whose names give no group are of none that trained as far as one can say, and this is said."""
    said = []
    figures = evaluate(run, slides, group=r"slide(8)", warn=said.append)
    assert figures["n_unknown"] in (36, 40)
    assert said[0].startswith(
        "images without a group, which may be of one that trained: 108, first normal/slide0_0.png"
    )


def test_a_run_without_groups_takes_no_group(slides, tmp_path):
    """Its record has none to compare with."""
    lookalike.fit(slides, out=tmp_path / "run", known="normal", method="knn", size="8,8", threads=1)
    assert used_groups(tmp_path / "run") is None and not (tmp_path / "run" / "groups.json").exists()
    with pytest.raises(UsageError, match="was not split by group; leave it out, or train so"):
        evaluate(tmp_path / "run", slides, group=SLIDE)


def test_a_class_whose_threshold_has_no_other_group_is_refused(slides):
    """Two groups: one trains and one tests, and none is left to score by; without test images both train."""
    images = read(slides, size=(8, 8)).grouped(SLIDE)
    halved = images.select([group in "01" for group in images.groups.of]).grouped(SLIDE)
    with pytest.raises(DataError, match=r"class normal: all images to train on are of one group, [01], and the thresh"):
        plans.make(halved, given(group=None, size=None, false_alarms=0.2))
    plan = plans.make(halved, given(group=None, size=None, false_alarms=0.2, test=0.0))
    assert of(plan.images, plan.rows.train) == {"0", "1"}
    with pytest.raises(DataError, match="its images are of 2 groups, which leaves none for calibration; 3 groups or"):
        plans.make(halved, given(group=None, size=None, false_alarms=0.2, calibration=0.2))


def test_images_in_memory_are_grouped_too(slides, tmp_path):
    """`fit` takes group with images as with a folder: the same threshold."""
    images = read(slides, size=(8, 8))
    model = lookalike.fit(images, out=tmp_path / "run", known="normal", method="knn", group=SLIDE, threads=1)
    folder = lookalike.fit(
        slides, out=tmp_path / "two", known="normal", method="knn", size="8,8", group=SLIDE, threads=1
    )
    assert model.threshold.value == folder.threshold.value


def test_estimators_take_no_group():
    """Samples have no names."""
    with pytest.raises(UsageError, match="group goes by the names of images, and samples have no names"):
        LookalikeDetector(settings={"group": SLIDE}).fit(np.random.default_rng(0).normal(size=(40, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_a_bench_scores_no_slide_that_a_detector_has_learnt(slides, seed, tmp_path):
    """A detector of one class trains on slides that no test or held-out image of any class is from."""
    base = DetectorTrial(str(slides), "knn", seed, settings=(("false_alarms", 0.5), ("group", SLIDE), ("size", "8,8")))
    whole = read(slides, size=(8, 8), group=SLIDE)
    for name in ("normal", "tumour"):
        settings = base.but(known=(name,)).train_settings()
        plan = plans.make(slides, settings)
        parts = split(whole, test=settings.tested, calibration=settings.held_out, seed=settings.seed)
        learnt = of(plan.images, plan.rows.train)
        assert learnt and not learnt & of(whole, np.concatenate([parts.test, parts.calibration]))


def test_another_file_of_groups_is_another_trial(slides, tmp_path):
    """The folder of a trial follows the content of the file, so that no old figures are taken for new ones."""
    path = table(tmp_path / "groups.csv", read(slides).names)
    trial = DetectorTrial(str(slides), "knn", 0, known=("normal",), settings=(("group", path),))
    before = trial.folder(tmp_path)
    assert trial.folder(tmp_path) == before and "group=groups-" in str(before)
    table(tmp_path / "groups.csv", read(slides).names, lambda slide: slide + "x")
    assert trial.folder(tmp_path) != before


def test_the_commands_that_compare_say_their_groups(slides, tmp_path, capsys, here):
    """bench detect prints a line; every training of it has slides of its own."""
    argv = ["bench", "detect", slides, "--methods", "knn", "--seeds", "1", "--workers", "1", "--group", SLIDE]
    code, _, err = call(capsys, *argv, "--runs", tmp_path / "runs", "-o", tmp_path / "out")
    assert code == 0, err
    assert "seed 0, groups of images: 7 to train on, 1 held out, 2 to test on" in err


@pytest.mark.parametrize("seed", range(4))
def test_a_classifier_is_validated_and_tested_on_other_slides(slides, seed):
    """The three parts of bench augment share no slide."""
    trial = ClassifierTrial(str(slides), "none", seed, classes=("normal", "tumour"))
    images = read(slides, size=(8, 8), group=SLIDE)
    parts = parts_of(trial, images)
    key = {images.pixels[i].tobytes(): images.groups.of[i] for i in range(len(images))}
    found = [{key[one.tobytes()] for one in part[0]} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, found)) == len(set().union(*found)) == SLIDES
    assert (
        parts.said
        == f"groups of images: {len(found[0])} to train on, {len(found[1])} held out, {len(found[2])} to test on"
    )
    again = plans.make(parts.images, given("acgan", known=("normal", "tumour"), test=0.0, calibration=0.0, size=None))
    assert len(again.rows.train) == len(parts.images)


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_class_keeps_whole_slides_apart(slides, seed):
    """Of bench augment's rare class some images go, from no test slide; the parts still share none."""
    images = read(slides, size=(8, 8), group=SLIDE)
    trial = ClassifierTrial(str(slides), "none", seed, classes=("normal", "tumour"))
    whole, cut = parts_of(trial, images), parts_of(trial.but(rare=(("tumour", 12),)), images)
    assert np.array_equal(whole.test[0], cut.test[0])
    assert sum((part[1] == 1).sum() for part in (cut.train, cut.validation)) == 12
    assert sum((part[1] == 0).sum() for part in (cut.train, cut.validation, cut.test)) == (images.labels == 0).sum()
    key = {images.pixels[i].tobytes(): images.groups.of[i] for i in range(len(images))}
    found = [{key[one.tobytes()] for one in part[0]} for part in (cut.train, cut.validation, cut.test)]
    assert sum(map(len, found)) == len(set().union(*found))


def test_pairs_hold_out_whole_slides(slides):
    """And say how many."""
    said = []
    choices = pairs.Choices(steps=1, neighbours=2)
    pairs.find(str(slides), choices, reading={"group": SLIDE}, warn=said.append)
    assert "groups of images: 8 to train on, 2 to test on" in said


def test_measure_holds_out_the_slides_that_a_run_did_not_use(run, slides):
    """By the run's own --group, without the flag; the held-out images are those of its test slides, of all classes."""
    real = read(slides, size=(8, 8))
    tested = files.read_json(run / "groups.json")["parts"]["test"]
    training, held_out = measuring._parts(real.grouped(SLIDE), "slides", run, 0)
    assert {real.grouped(SLIDE).groups.of[row] for row in held_out} == set(tested)
    assert not set(training) & set(held_out) and len(training) + len(held_out) == len(real)


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--group", "("], 2, "is no regular expression"),
        (["--group", "slide"], 2, "puts all 80 images into one group"),
        (["--group", "slide(1)"], 3, "finds no group in the name of 72 of 80 images"),
        (["--group", "absent.csv"], 2, "there is no such file"),
        (["--group", SLIDE, "--calibration", "0.2", "--known", "few"], 3, "class few: its images are of 2 groups"),
    ],
)
def test_what_cannot_be_grouped_is_refused_before_training(slides, flags, code, words, tmp_path, capsys):
    """One line, the exit code of its kind, and no run folder."""
    if "few" in flags:
        (tmp_path / "data" / "few").mkdir(parents=True)
        for name in ("slide0_0", "slide0_1", "slide1_0", "slide1_1"):
            (tmp_path / "data" / "few" / f"{name}.png").write_bytes((slides / "normal" / f"{name}.png").read_bytes())
    known = [] if "few" in flags else ["--known", "normal"]
    data = tmp_path / "data" if "few" in flags else slides
    argv = ["train", str(data), *known, "--method", "knn", "-o", str(tmp_path / "run"), *flags]
    assert_clean_failure(capsys, argv, code, words, kept=tmp_path)


@pytest.mark.parametrize(
    "record",
    ["[]", "{}", '{"by": 1, "sha256": null, "parts": {"test": []}}', '{"by": "x", "sha256": null, "parts": []}'],
)
def test_a_damaged_record_is_refused(record, tmp_path):
    """A model error that names the file."""
    (tmp_path / "groups.json").write_text(record)
    with pytest.raises(
        ModelError, match=r"groups.json does not say which groups were used; give the run as train wrote"
    ):
        used_groups(tmp_path)


def test_a_finished_run_that_augments_takes_no_group(run, slides, tmp_path, capsys):
    """Its split is made already."""
    argv = ["augment", str(slides), "-o", str(tmp_path / "out"), "--run", str(run), "--group", SLIDE]
    assert_clean_failure(capsys, argv, 2, "leave out --group, or leave out --run", kept=tmp_path)
