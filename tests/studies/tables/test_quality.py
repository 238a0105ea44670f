"""The tables of quality: what each way trains with, what is measured of it, and what is said beside the base."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student
from tiny import call

from lookalike.base import files, workers
from lookalike.base.errors import DataError, UsageError
from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.methods import METHODS
from lookalike.runs.presets import PRESETS
from lookalike.studies.study import Study
from lookalike.studies.tables import TABLES, quality, quality_trial
from lookalike.studies.tables.quality import QUALITY, Quality, Way
from lookalike.studies.tables.quality_trial import QualityTrial
from lookalike.studies.tables.table import run
from lookalike.use.measure import generated, measure

WAYS = (Way("one", "wgan-gp", pooled=True), Way("two", "splitting"), Way("wide", "splitting", wide=2))
TABLE = Quality("splitting-gan-2017/9", {"digits": 8, "cifar-10": 32}, WAYS, "one", "supervised", {"cifar-10": 640})


@pytest.fixture
def tiny(monkeypatch):
    """Moments of training, on 8 x 8."""
    tiny = {"width": 4, "images": 32, "batch": 32}
    monkeypatch.setitem(PRESETS["small"], "families", {"resnet": tiny, "critic": tiny})
    monkeypatch.setitem(PRESETS["small"], "side", 8)
    monkeypatch.setitem(quality_trial.MADE, "small", 300)


def test_the_papers_tables_are_these():
    """CIFAR-10 and STL-10 of the one paper, CIFAR-10 and CelebA of the other; ResNet-B is twice as wide as A."""
    names = [table.name for table in QUALITY]
    assert names == [
        *(f"splitting-gan-2017/{number}" for number in (1, 2, 3)),
        *("kplus1-2020/cifar-10", "r3gan-2024/small", "kplus1-2020/celeba"),
    ]
    assert set(names) <= set(TABLES)
    first, told, third, family, modern, _ = QUALITY
    assert all(way.pooled for way in (*first.ways, *third.ways)) and not any(way.pooled for way in told.ways)
    assert [way.wide for way in told.ways] == [1, 2, 1, 2]
    assert told.usual("small") == ("wgan-gp-resnet-a", "splitting-gan-resnet-a") and len(told.usual("paper")) == 4
    assert third.sides == {"stl-10-unlabelled": 48} and first.sides["cifar-10"] == 32
    assert [way.method for way in family.ways] == [
        "sn-binary", "sn-acgan", "k-plus-one", "mode", "sn-projection", "k-plus-one-projection", "mode-projection"
    ]  # fmt: skip
    assert all(METHODS[way.method].conditional for way in modern.ways) and modern.ways[-1].method == "r3gan"


def test_preset_paper_has_the_papers_protocol(monkeypatch):
    """Published lengths, updates of G times 64, and 50,000 images measured, 100,000 faces."""
    lengths = {table.name: dict(table.images) for table in QUALITY}
    assert lengths == {
        "splitting-gan-2017/1": {"cifar-10": 100_000 * 64}, "splitting-gan-2017/2": {"cifar-10": 100_000 * 64},
        "splitting-gan-2017/3": {"stl-10-unlabelled": 200_000 * 64},
        "r3gan-2024/small": {},
        "kplus1-2020/cifar-10": {"cifar-10": 500_000 * 64}, "kplus1-2020/celeba": {"celeba": 200_000 * 64},
    }  # fmt: skip
    monkeypatch.setattr(quality, "open_source", lambda _name: None)
    studies = (Study(Path("r"), preset=preset, seeds=1, methods=("one",)) for preset in ("paper", "small"))
    paper, small = (cell.trials[0] for study in studies for cell in TABLE.cells("cifar-10", study))
    assert paper.train_settings(("a", "b")).images == 640 and small.train_settings(("a", "b")).images is None
    assert (paper.depends_on()["made"], small.depends_on()["made"]) == (50_000, 5_000)
    assert (paper.but(data="celeba").made, small.but(data="celeba").made) == (100_000, 5_000)


def test_stl_10_splits_above_two_percent_as_the_authors_do():
    """2,000 of 100,000 images; CIFAR-10 keeps 4 %, and a method without a split has no such setting."""
    trial = QualityTrial("stl-10-unlabelled", "splitting", 0, side=48, pooled=True)
    assert trial.train_settings(("any",)).split_above == 0.02
    assert trial.but(method="wgan-gp").train_settings(("any",)).split_above is None
    assert trial.but(data="cifar-10").train_settings(("any",)).split_above is None


def test_figures_are_those_of_the_models_own_images(tiny, tmp_path):
    """What a trial stores is what `measure` says of images that its model makes, on features named in the file."""
    trial = QualityTrial("digits", "splitting", 0, wide=2, side=8)
    trial.perform(tmp_path)
    stored = json.loads(trial.file(tmp_path).read_text())
    model = Model.load(trial.folder(tmp_path) / "run")
    assert model.detector.gan.method.net.width == 8 and model.threshold is None
    found = measure(
        generated(model, 30, 0),
        read("digits", size=(8, 8)),
        "digits",
        run=trial.folder(tmp_path) / "run",
        accuracy=True,
    )
    assert stored["features"] == found.features and stored["measured"] == json.loads(json.dumps(found.json()))
    said = {figure.name: figure.value for figure in found.figures}
    assert stored["figures"]["fid"] == said["FID"] and stored["figures"]["kid"] == said["KID"]
    assert stored["figures"]["inception_score_own"] == said["inception score"]
    assert {"nmi", "ari"} <= set(stored["figures"]) and stored["seconds"] > 0
    taken = [one["taken for it"] for one in found.classes.values()]
    assert stored["figures"]["class_taken_for_it"] == pytest.approx(np.mean(taken))
    assert stored["figures"]["class_fid_no_bias"] is None and stored["figures"]["class_kid"] > 0
    assert stored["figures"]["accuracy_score"] == found.accuracy.made.rate
    assert stored["figures"]["surer_than_0.9"] == found.confidence[0.9][0].rate
    assert stored["figures"]["distance_64"] == found.distances[2]["mean"]
    assert stored["real"]["accuracy_score"] == found.accuracy.real.rate
    assert stored["real"]["surer_than_0.9"] == found.confidence[0.9][1].rate
    assert stored["real"]["distance_64"] == found.distances[2]["real mean"]
    within = [one["within, real"] for one in found.classes.values()]
    assert stored["real"]["class_within"] == pytest.approx(np.mean(within))
    assert stored["real"]["kid"] == next(figure.real for figure in found.figures if figure.name == "KID")


def test_figures_of_other_settings_are_not_reused(tmp_path, monkeypatch):
    """A trial is done where its figures were asked for with the settings, preset and number of images of now."""
    trial = QualityTrial("digits", "wgan-gp", 0, pooled=True, side=8)
    assert not trial.is_done(tmp_path)
    _stored(tmp_path, trial, 1.0)
    assert trial.is_done(tmp_path)
    assert not replace(trial, side=16).is_done(tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(PRESETS["small"], "ema", 0.5)
        assert not trial.is_done(tmp_path)
    monkeypatch.setitem(quality_trial.MADE, "small", 10)
    assert not trial.is_done(tmp_path)


def test_real_images_are_test_images_of_the_run(tiny, tmp_path):
    """Of seed 1's run another fifth is the test part: KID is that of `measure` with the run, and not without."""
    trial = QualityTrial("digits", "wgan-gp", 1, pooled=True, side=8)
    trial.perform(tmp_path)
    own, real = trial.folder(tmp_path) / "run", read("digits", size=(8, 8))
    made = generated(Model.load(own), 300, 1)
    with_run, without = (measure(made, real, "digits", **how).json()["figures"]["KID"] for how in ({"run": own}, {}))
    kid = json.loads(trial.file(tmp_path).read_text())["figures"]["kid"]
    assert kid == with_run["value"] != without["value"]


def test_inceptions_features_stand_beside_what_the_paper_printed(tiny, tmp_path, monkeypatch):
    """With its weights: figures in a file of their own, under the papers' names, and a table of its own."""
    table = Quality(
        "splitting-gan-2017/2", {"cifar-10": 32}, (Way("wgan-gp-resnet-a", "wgan-gp-classes"),), "", "supervised"
    )
    monkeypatch.setattr(quality, "open_source", lambda data: None)
    monkeypatch.setattr(quality, "published", lambda weights, shape: None)
    table = replace(table, weights=tmp_path / "weights.pth")
    study = Study(tmp_path, seeds=1, command="C")
    ((trial,),) = (cell.trials for cell in table.cells("cifar-10", study))
    assert trial.features == "inception" and trial.but(weights="").features == "own"
    assert trial.but(weights="", data="stl-10-unlabelled").features == "efficientnet"
    files.make_folder(trial.folder(tmp_path))
    stored = {"figures": {"inception_score": 8.0, "fid": 9.0}, "real": {"fid": 1.0}, "features": "F", "seconds": 3.0}
    stored |= {"asked": trial.depends_on(), "measured": MEASURED}
    files.write_json(trial.file(tmp_path), stored)
    lines = run(table, study, tmp_path / "out")
    assert [(line["metric"], line["printed"]) for line in lines] == [("inception_score", 8.42), ("fid", None)]
    page = (tmp_path / "out" / "splitting-gan-2017-2-small-inception.md").read_text()
    assert "8.000 (printed 8.42)" in page and "real images" in page


MEASURED = {"sure": "classifier", "made": 30, "real": 50, "half": 25, "named": {"rate": 0.9}}


def _stored(runs, trial, fid):
    files.make_folder(trial.folder(runs))
    figures = {"fid": fid, "kid": fid / 10, "inception_score_own": 2.0, "precision": 0.5, "recall": None}
    real = {"fid": 0.5, "kid": 0.0}
    stored = {"figures": figures, "real": real, "features": "ours", "seconds": 3.0}
    files.write_json(trial.file(runs), stored | {"asked": trial.depends_on(), "measured": MEASURED})


def test_differences_are_paired_by_seed(tiny, tmp_path):
    """Each way's figures over seeds, and its mean difference from the base with Student's interval."""
    fids = {("one", 0): 10.0, ("one", 1): 14.0, ("two", 0): 7.0, ("two", 1): 13.0}
    study = Study(tmp_path, seeds=2, command="C")
    for cell in TABLE.cells("digits", study):
        _stored(tmp_path, cell.trials[0], fids[cell.method, cell.seed])
    lines = run(TABLE, study, tmp_path / "out", ("digits",))
    one = next(line for line in lines if (line["method"], line["metric"]) == ("one", "fid"))
    assert (one["mean"], one["sd"], one["seeds"]) == (12.0, pytest.approx(8**0.5), 2)
    assert one["printed"] is None and one["known"] == "supervised"
    rows = list(csv.DictReader((tmp_path / "out" / "splitting-gan-2017-9-small-part.csv").read_text().splitlines()))
    assert len(rows) == len(lines) == 10
    each = list(
        csv.DictReader((tmp_path / "out" / "splitting-gan-2017-9-small-part-seeds.csv").read_text().splitlines())
    )
    assert {(one["method"], one["seed"]): one["value"] for one in each if one["metric"] == "fid"} == {
        (name, str(seed)): f"{value:.4f}" for (name, seed), value in fids.items()
    }
    page = (tmp_path / "out" / "splitting-gan-2017-9-small-part.md").read_text()
    half = student.ppf(0.975, 1) * np.std([-3.0, -1.0], ddof=1) / 2**0.5
    assert f"- two less one, 2 seeds: fid -2.000 [{-2 - half:+.3f}, {-2 + half:+.3f}]" in page
    assert "recall not measured" in page and "Features: ours." in page
    assert "30 generated images against 50 real test images; one half of those, 25, against the other" in page
    assert "The classifier is right on 90 % of the test images." in page
    assert "the share of images surer than C (classifier)." in page


def test_a_way_that_lacks_a_seed_is_not_compared(tiny, tmp_path, monkeypatch):
    """It is named with the number of missing cells, in the table and in a warning; the base's lack stops all."""
    broken, pages, said = {}, [], []
    study = Study(tmp_path, seeds=2, command="C", warn=said.append)
    monkeypatch.setattr(Study, "perform", lambda *_: {})
    for cell in TABLE.cells("digits", study):
        _stored(tmp_path, cell.trials[0], 7.0)
        broken[cell.method, cell.seed] = cell.trials[0].file(tmp_path)
    for gone in (("two", 1), ("one", 0)):
        broken[gone].unlink()
        run(TABLE, study, tmp_path / "out", ("digits",))
        pages.append((tmp_path / "out" / "splitting-gan-2017-9-small-part.md").read_text())
    assert "- two: not compared, 1 of 2 cells is missing" in pages[0] and "less one" not in pages[0] + pages[1]
    assert "- one: not compared, 1 of 2 cells is missing" in pages[1]
    assert said[0].startswith("two on digits is compared with nothing: 1 of 2 cells is missing; ")


def test_without_its_base_a_way_is_compared_with_nothing(tiny, tmp_path):
    """Chosen alone, a way has its figures and no difference."""
    study = Study(tmp_path, seeds=1, methods=("two",), command="C")
    ((trial,),) = (cell.trials for cell in TABLE.cells("digits", study))
    _stored(tmp_path, trial, 1.0)
    assert {line["method"] for line in run(TABLE, study, tmp_path / "out", ("digits",))} == {"two"}
    assert "less one" not in (tmp_path / "out" / "splitting-gan-2017-9-small-part.md").read_text()


def test_weights_belong_to_tables_of_images(capsys):
    """A table of detectors takes none: one line."""
    code, _, err = call(capsys, "table", "vtgan-2021/1", "--weights", "x.pth")
    assert (code, err) == (
        2,
        "error: table vtgan-2021/1 takes no --weights, as it measures no features; leave the flag out\n",
    )


def test_data_that_are_not_here_are_left_out(tiny, tmp_path, monkeypatch):
    """With a warning, unless they are asked for; a table without any figure is refused."""
    monkeypatch.delenv("LOOKALIKE_DATA", raising=False)
    said, out = [], tmp_path / "out"
    study = Study(tmp_path, seeds=1, command="C", warn=said.append)
    for cell in TABLE.cells("digits", study):
        _stored(tmp_path, cell.trials[0], 1.0)
    assert {line["dataset"] for line in run(TABLE, study, out)} == {"digits"}
    assert len(said) == 1 and said[0].startswith("cifar-10 is left out: data set 'cifar-10' is not here")
    with pytest.raises(DataError, match="is not here"):
        run(TABLE, study, out, ("cifar-10",))
    with pytest.raises(UsageError, match="has no method three"):
        run(TABLE, replace(study, methods=("three",)), out)


def test_a_table_within_a_time_may_have_nothing_yet(tmp_path, monkeypatch):
    """No line and no file where no training ended; without a given time that is an error."""
    table = Quality("splitting-gan-2017/9", {"digits": 8}, WAYS[:1], "one", "supervised")
    monkeypatch.setattr(workers, "_spread", lambda *_: (one for one in ()))
    assert run(table, Study(tmp_path / "r", seeds=1, minutes=8, slices=True), tmp_path / "out") == []
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(UsageError, match="no cell of the table could be measured"):
        run(table, Study(tmp_path / "r", seeds=1), tmp_path / "out")


def test_a_device_that_is_not_there_is_refused_at_once(capsys, tmp_path):
    """One line before anything is read, for tables and both benches; the command of a table names the device."""
    for argv in (("table", "kplus1-2020/cifar-10"), ("bench", "detect", "digits"), ("bench", "augment", "digits")):
        code, out, err = call(capsys, *argv, "--device", "cuda:7", "--out", tmp_path / "o", "--runs", tmp_path / "r")
        assert (code, out) == (2, "") and "cuda:7" in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
