"""`bench augment`: paired gains, an honest verdict, and a page."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import ttest_rel
from tiny import call

from lookalike.base import files
from lookalike.base.errors import DataError, UsageError
from lookalike.base.names import USUAL_WAYS
from lookalike.studies.augment import bench, classifier, trial
from lookalike.studies.augment.bench import Line, lines_of, verdict
from lookalike.studies.augment.trial import ClassifierTrial
from lookalike.studies.claims import Estimate
from lookalike.studies.study import Study
from lookalike.studies.trial import Cell


def stored(tmp_path, figures):
    """Cells whose figures are there: way -> balanced accuracy of each seed."""
    names = [(way, seed) for way, values in figures.items() for seed in range(len(values))]
    trials = [ClassifierTrial("digits", way, seed, classes=("0", "1")) for way, seed in names]
    for one in trials:
        value = figures[one.method][one.seed]
        record = dict.fromkeys(bench.FIGURES, value) | {"counts": {"0": 9, "1": 5}, "seconds": 10.0}
        record["rare_recall"] = value / 2
        record["recall"] = {"0": 1.0, "1": value}
        if one.generates:
            record |= {"gan_seconds": 50.0, "generated_only": {"accuracy": 0.5, "seconds": 20.0}}
        files.make_folder(one.folder(tmp_path))
        files.write_json(one.file(tmp_path), record)
    return [Cell("digits", one.method, one.seed, (one,)) for one in trials]


def line(way, mean, low, high, seconds=30.0):
    """A line with this gain."""
    figures = dict.fromkeys(bench.FIGURES, (0.9 + mean,))
    gains = {} if way == "none" else {bench.MAIN: Estimate(mean, low, high, 0.1)}
    return Line(way, figures, gains, {}, seconds, seconds, ())


def test_gains_are_paired_by_seed_and_widened_for_the_best_of_several(tmp_path):
    """With two ways beside none the interval is scipy's paired one at 97.5 %; the best mean stands first."""
    values = {"none": [0.80, 0.82, 0.85], "mixup": [0.83, 0.84, 0.86], "acgan": [0.79, 0.86, 0.84]}
    lines = lines_of(stored(tmp_path, values), Study(tmp_path))
    assert [one.way for one in lines] == ["mixup", "acgan", "none"]
    wanted = ttest_rel(values["mixup"], values["none"]).confidence_interval(0.975)
    gained = np.mean(values["mixup"]) - np.mean(values["none"])
    assert lines[0].gain[:3] == pytest.approx((gained, wanted.low, wanted.high))
    assert lines[0].gains["rare_recall"][:3] == pytest.approx((gained / 2, wanted.low / 2, wanted.high / 2))
    assert lines[2].gain is None and lines[1].seconds == 60.0 and lines[0].seconds == 10.0
    assert lines[1].generated_only == (0.5,) * 3 and lines[0].recall == {"0": 1.0, "1": pytest.approx(0.8433333)}


def test_what_narrower_intervals_would_take(tmp_path):
    """A line for all classes and one for the rare ones; a seed costs 10 + 10 + 80 s, half of that with two workers."""
    values = {"none": [0.8, 0.8, 0.8], "mixup": [0.80, 0.82, 0.84], "acgan": [0.81, 0.85, 0.89]}
    lines = lines_of(stored(tmp_path, values), Study(tmp_path))
    # variances of 4 and 16 points squared have the mean 10; t(2) is 6.21 at 97.5 %, t(8) 2.75 and t(4) 3.50
    said = "{} classes: the interval is about ±{} points (standard deviation: {} points); ±3 points would take {} more"
    assert bench.reach_of(lines, 2) == (
        said.format("all", 11.3, 3.2, "9 seeds, about 5 min"),
        said.format("rare", 5.7, 1.6, "5 seeds, about 2 min"),
    )
    assert bench.reach_of([one for one in lines if one.way == "none"], 2) == ()
    one_seed = {way: each[:1] for way, each in values.items()}
    assert bench.reach_of(lines_of(stored(tmp_path / "one", one_seed), Study(tmp_path / "one")), 2) == ()


def test_a_way_that_is_not_done_is_left_out(tmp_path):
    """A failed seed takes its way out; without none nothing can be said."""
    cells, study = stored(tmp_path, {"none": [0.8, 0.8], "mixup": [0.9, 0.9]}), Study(tmp_path)
    cells[-1].trials[0].file(tmp_path).unlink()
    assert [one.way for one in lines_of(cells, study)] == ["none"]
    cells[0].trials[0].file(tmp_path).unlink()
    with pytest.raises(UsageError, match="nothing could be measured"):
        lines_of(cells, study)


@pytest.mark.parametrize(
    ("lines", "seeds", "said"),
    [
        (
            [line("acgan-v3", 0.006, 0.002, 0.010, 840), line("none", 0, 0, 0)],
            5,
            "Take acgan-v3, +0.6 points of balanced accuracy [+0.2, +1.0], 5 seeds, 14 minutes each.",
        ),
        (
            [line("mixup", 0.01, -0.01, 0.03), line("none", 0, 0, 0), line("cgan", -0.02, -0.03, -0.01)],
            3,
            (
                "No gain found: the best way is mixup, +1.0 points of balanced accuracy [-1.0, +3.0], 3 seeds, 30 s "
                "each. The best GAN is cgan, -2.0 points of balanced accuracy [-3.0, -1.0], 3 seeds, 30 s each."
            ),
        ),
        (
            [line("mixup", 0.02, 0.01, 0.03), line("cgan", 0.01, 0.005, 0.015), line("none", 0, 0, 0)],
            3,
            (
                "Take mixup, +2.0 points of balanced accuracy [+1.0, +3.0], 3 seeds, 30 s each. "
                "The best GAN is cgan, +1.0 points of balanced accuracy [+0.5, +1.5], 3 seeds, 30 s each, a gain too."
            ),
        ),
        (
            [line("mixup", 0.01, 0.01, 0.01), line("none", 0, 0, 0)],
            2,
            (
                "2 seeds cannot tell, 3 are needed; the best so far is mixup, +1.0 points of balanced accuracy "
                "[+1.0, +1.0], 2 seeds, 30 s each."
            ),
        ),
        (
            [line("mixup", 0.01, 0.01, 0.01), line("none", 0, 0, 0)],
            3,
            "No gain found: the best way is mixup, +1.0 points of balanced accuracy [+1.0, +1.0], 3 seeds, 30 s each.",
        ),
        (
            [line("mixup", 0.01, math.nan, math.nan), line("none", 0, 0, 0)],
            1,
            (
                "1 seed cannot tell, 3 are needed; the best so far is mixup, +1.0 points of balanced accuracy, 1 seed, "
                "30 s each."
            ),
        ),
        (
            [
                line("mixup", 0.011, -0.002, 0.024),
                line("oversample", 0.01, 0.004, 0.016),
                line("acgan", 0.0095, -0.01, 0.029),
                line("cgan", 0.009, 0.004, 0.014),
                line("none", 0, 0, 0),
            ],
            3,
            (
                "Take oversample, +1.0 points of balanced accuracy [+0.4, +1.6], 3 seeds, 30 s each. "
                "mixup, +1.1 points of balanced accuracy [-0.2, +2.4], 3 seeds, 30 s each may be chance. "
                "The best GAN is cgan, +0.9 points of balanced accuracy [+0.4, +1.4], 3 seeds, 30 s each, a gain too."
            ),
        ),
        ([line("none", 0, 0, 0)], 3, "Nothing but the bare classifier was measured."),
    ],
)
def test_the_verdict(lines, seeds, said):
    """A gain is one whose interval lies above 0, of three seeds or more; the best GAN is named beside what beats it."""
    assert verdict(lines, seeds) == said


@pytest.fixture
def quick(monkeypatch, here):
    """Every classifier trains one epoch, in this process."""
    honest = classifier.fit
    monkeypatch.setattr(trial.classifier, "fit", lambda *a, **more: honest(*a, **more, epochs=1))


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A file of 40 bright, 40 dark and 18 striped images, and four of a class that is too small."""
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (102, 8, 8), dtype=np.uint8)
    images[:40] += 150
    images[80:98, ::2] += 150
    path = tmp_path_factory.mktemp("short") / "short.npz"
    np.savez(path, images=images, labels=np.repeat(["bright", "dark", "striped", "few"], [40, 40, 18, 4]))
    return str(path)


def test_the_command_writes_a_table_json_and_a_page_and_resumes(short, tmp_path, capsys, quick, monkeypatch):
    """All ways share none's seeds; the same command again trains nothing and ends in the same figures."""
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--size", "8,8", "--workers", "1"]
    asked = ["bench", "augment", short, *where, "--seeds", "2", "--methods", "oversample", "--methods", "acgan"]
    code, out, err = call(capsys, *asked, "--images", "64")
    assert code == 0 and "2 seeds cannot tell" in out and "left out: few: fewer than 10 images" in err
    assert "2 seeds and 2 ways beside none: the interval of a gain is ±18.0 times the gain's standard" in err
    assert all(f"{name} classes: the interval is about ±" in out for name in ("all", "rare"))
    rows = list(csv.DictReader((tmp_path / "out" / "bench-augment.csv").read_text().splitlines()))
    assert sorted((row["way"], row["seed"]) for row in rows) == sorted(
        (way, seed) for way in ("none", "oversample", "acgan") for seed in "01"
    )
    said = json.loads((tmp_path / "out" / "bench-augment.json").read_text())
    assert said["counts"]["striped"] + said["short"]["striped"] == max(said["counts"].values())
    assert set(said["counts"]) == {"bright", "dark", "striped"}
    page = (tmp_path / "out" / "bench-augment.html").read_text()
    assert "2 seeds cannot tell" in page and "<script" not in page and "http" not in page
    assert page.count('src="data:image/webp') == 2 and "Rare classes: the interval is about ±" in page
    assert said["classifier"] == "cnn" and len(said["reach"]) == 2 and "three convolutions" in page
    (way,) = (one for one in said["ways"] if one["way"] == "acgan")
    each = {name: [float(row["rare_recall"]) for row in rows if row["way"] == name] for name in ("acgan", "none")}
    assert way["rare_gain"]["mean"] == pytest.approx(np.mean(each["acgan"]) - np.mean(each["none"]), abs=1e-4)
    monkeypatch.setattr(trial.classifier, "fit", lambda *_a, **_k: pytest.fail("trained again"))
    code, again, _ = call(capsys, *asked, "--images", "64", "--json")
    assert code == 0 and json.loads(again)["ways"] == said["ways"]


def test_a_probe_of_cut_classes_has_files_of_its_own(short, tmp_path, capsys, here):
    """Fifteen dark images are learnt from, all its test images measure; the files name the classifier."""
    where = ["-o", tmp_path / "out", "--runs", tmp_path / "runs", "--size", "8,8", "--workers", "1"]
    asked = ["bench", "augment", short, *where, "--seeds", "1", "--methods", "mixup", "--methods", "oversample"]
    code, out, err = call(capsys, *asked, "--classifier", "probe", "--rare", "dark=15", "--json")
    said = json.loads(out)
    assert code == 0 and "1 seed and 2 ways beside none: a gain has no interval" in err and said["reach"] == []
    assert said["classifier"] == "probe" and said["counts"] == {"bright": 29, "dark": 13, "striped": 13}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"bench-augment-probe.{kind}" for kind in ("csv", "json", "html")
    }
    page = (tmp_path / "out" / "bench-augment-probe.html").read_text()
    assert "a linear probe" in page and "2 changed copies" in page
    assert all(one["accuracy"] > 0.5 for one in said["ways"])


@pytest.mark.parametrize("rare", ["dark", "dark=", "=15", "dark=1.5", "dark=10"])
def test_a_cut_that_says_no_number_of_images(rare, short, tmp_path):
    """The sentence has the form that is accepted; so many images leave ten to train on."""
    with pytest.raises(UsageError, match=f"--rare {rare}: give CLASS=NUMBER with a number from 11 on, such as Coat=25"):
        bench.run(short, Study(tmp_path / "runs"), {"size": "8,8"}, rare=(rare,))
    assert not (tmp_path / "runs").exists()


def test_a_cut_to_what_is_not_there(short, tmp_path):
    """A class that does not exist, or has fewer images beside its test images."""
    run = partial(bench.run, short, Study(tmp_path / "runs"), {"size": "8,8"})
    with pytest.raises(DataError, match="no class 'grey'; there are 'bright', 'dark'"):
        run(rare=("grey=15",))
    with pytest.raises(DataError, match="class dark: cannot keep 33 of 32 distinct images"):
        run(rare=("dark=33",))


def test_bad_input(short, tmp_path, quick):
    """A way that is not there, classes that are too small, or none that is short: one line, nothing trained."""
    settings, study = {"size": "8,8"}, Study(tmp_path / "runs")
    with pytest.raises(UsageError, match="there is no way knn; there are none, oversample, affine, mixup, auto-gan"):
        bench.run(short, replace(study, methods=("knn",)), settings)
    with pytest.raises(UsageError, match="no class has fewer images than that"):
        bench.run(short, study, settings, to="5")
    x = np.random.default_rng(0).integers(0, 255, (30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=x, labels=np.repeat(["a", "b"], [22, 8]))
    with pytest.raises(DataError, match="fewer than two classes can be measured; b: fewer than 10 images to train on"):
        bench.run(str(tmp_path / "d.npz"), study, settings)
    assert not (tmp_path / "runs").exists()


def test_help_names_the_ways_of_a_bench(capsys, monkeypatch):
    """The default of --methods is what is measured where none is named, and each of them is a way."""
    monkeypatch.setenv("COLUMNS", "200")
    assert f"[default: {', '.join(USUAL_WAYS)}]" in " ".join(
        call(capsys, "bench", "augment", "--help")[1].replace("│", " ").split()
    )
    assert set(USUAL_WAYS) <= set(trial.WAYS)
