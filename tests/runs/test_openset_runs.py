"""Runs of several known classes, from the data to the page: who sees what, what resumes, what is refused."""

from __future__ import annotations

import contextlib
import csv
import json
import random
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from clean_failure import assert_clean_failure, tree
from tiny import call, settings, train

from lookalike.base import files
from lookalike.base.errors import DataError, DivergedError
from lookalike.data import Images, read
from lookalike.detect.baselines import classifier
from lookalike.detect.gan import GANDetector
from lookalike.detect.model import Model
from lookalike.detect.openset import OpenSet
from lookalike.game.batch import Batch
from lookalike.game.train import train as train_steps
from lookalike.runs import memory, samples
from lookalike.runs import plan as plans
from lookalike.runs import run as runs
from lookalike.runs.folder import training_seconds
from lookalike.runs.settings import train_settings
from lookalike.use.evaluate import evaluate


def finished(out, method="knn", data="digits", told=None, **changes):
    """A run in this process; `told` gathers its warnings but those of settings that a baseline does not use."""

    def warn(line):
        if told is not None and "does not use" not in line:
            told.append(line)

    return runs.run(
        data, train_settings(**settings(method, extra_fakes=(), known=("3", "8")) | changes), out, warn=warn
    )


def blobs(classes, each, shape=(1, 8, 8), seed=0):
    """Images, or vectors, of so many classes, each around a middle of its own."""
    random_ = np.random.default_rng(seed)
    middles = random_.uniform(-1, 1, (classes, 1, *shape))
    x = (middles + random_.normal(0, 0.15, (classes, each, *shape))).reshape(-1, *shape).clip(-1, 1)
    pixels = x.astype(np.float32) if len(shape) == 1 else np.rint((x + 1) * 127.5).astype(np.uint8)
    names = tuple(f"c{i:03d}" for i in range(classes))
    return Images(pixels, np.repeat(np.arange(classes), each), names, tuple(f"{i:05d}" for i in range(len(pixels))))


def content(pixels):
    """A set of the images' bytes."""
    return {image.tobytes() for image in np.asarray(pixels)}


@pytest.fixture(scope="module")
def digits():
    """Digits at the runs' size."""
    return read("digits", size=(8, 8))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """(folder, sources of each training, pixels that joined, pixels that set the threshold) of mcgan on 3 and 8."""
    out, sources, joined, scored = tmp_path_factory.mktemp("run") / "mcgan", [], [], []
    fit, score = OpenSet.fit.__func__, OpenSet.score

    def training(gan, source, **how):
        sources.append(source)
        return train_steps(gan, source, **how)

    def fitting(cls, members, pixels, labels, **how):
        joined.append(pixels)
        return fit(cls, members, pixels, labels, **how)

    def scoring(self, pixels):
        scored.append(pixels)
        return score(self, pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "train", training)
        patch.setattr(OpenSet, "fit", classmethod(fitting))
        patch.setattr(OpenSet, "score", scoring)
        finished(out, "mcgan", false_alarms=0.1)
    return out, sources, np.concatenate(joined), np.concatenate(scored)


def part(out, name, digits):
    """Rows of a part of the run's record."""
    keys = set(files.read_json(out / "split.json")[name])
    return np.array([i for i, key in enumerate(digits.keys) if key in keys])


# --- who sees what


def test_each_gan_is_trained_against_the_training_images_of_the_other_classes_alone(watched, digits):
    """3 learns against the training images of 8 and 8 against those of 3: none held out, none of another class."""
    out, sources, _, _ = watched
    trained = part(out, "train", digits)
    by_class = {
        name: content(digits.pixels[trained][digits.labels[trained] == digits.classes.index(name)]) for name in "38"
    }
    assert [content(source.known) for source in sources] == [by_class["3"], by_class["8"]]
    assert [content(source.others) for source in sources] == [by_class["8"], by_class["3"]]
    unseen = content(digits.pixels[np.r_[part(out, "calibration", digits), part(out, "test", digits)]])
    strangers = content(digits.pixels[~np.isin(digits.labels, [digits.classes.index(name) for name in "38"])])
    assert not (unseen | strangers) & (by_class["3"] | by_class["8"])
    assert len(unseen) > 60 and len(strangers) > 1000


def test_what_joins_the_classes_does_not_set_the_threshold(watched, digits):
    """The two halves of the calibration part are disjoint and together all of it."""
    out, _, joined, scored = watched
    assert not content(joined) & content(scored)
    assert content(joined) | content(scored) == content(digits.pixels[part(out, "calibration", digits)])
    model = Model.load(out)
    assert np.array_equal(np.sort(model.score(scored).score), model.threshold.calibration)
    assert len(scored) == len(model.threshold.calibration) >= 9


def test_too_few_held_out_images_do_both_with_a_warning(tmp_path):
    """58 held-out images of 3 and 8 promise 5 % by halves; at 2.5 % all do both, and one warning says so."""
    told = []
    finished(tmp_path / "enough", told=told)
    assert told == []
    shared = finished(tmp_path / "shared", told=told, false_alarms=0.025)
    (line,) = told
    n = len(files.read_json(tmp_path / "shared" / "split.json")["calibration"])
    assert line.startswith(f"{n} held-out images both join the known classes and set the threshold: false alarms may")
    assert len(shared.threshold.calibration) == n


def test_J4_labels_of_test_images_change_no_score_and_no_threshold(digits, tmp_path):
    """Under permuted labels of the official test images the model is the same to the byte."""
    test = np.arange(len(digits)) % 4 == 0
    labels = digits.labels.copy()
    labels[test] = np.random.default_rng(0).permutation(labels[test])
    assert np.mean(labels[test] != digits.labels[test]) > 0.8
    for name, of in (("plain", digits.labels), ("permuted", labels)):
        finished(tmp_path / name, "anogan", replace(digits, labels=of, test=test), images=64, false_alarms=0.1)
    for name in ("model.safetensors", "model.json"):
        one, two = ((tmp_path / run / name).read_bytes() for run in ("plain", "permuted"))
        assert one == two


# --- the folder, and the same command again


def bits(out):
    """All that a run ends in but checkpoints and the clock, and the metrics without it."""
    kept = {
        name: data
        for name, data in tree(out).items()
        if "checkpoints" not in name and not name.endswith("metrics.jsonl")
    }
    logs = {str(path.relative_to(out)): path.read_text("ascii") for path in out.rglob("metrics.jsonl")}
    rows = {
        name: [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]
        for name, text in logs.items()
    }
    return kept, rows


class Cut(Exception):  # noqa: N818
    """Stands for the moment at which a run dies in these tests."""


def test_E1_a_run_cut_at_any_moment_ends_in_the_same_bits(watched, tmp_path):
    """Dying in each class's training, in joining and in calibration, and starting again, ends in the same bytes."""
    whole, moments, stages = watched[0], random.Random(1), set()
    given = train_settings(**settings("mcgan", extra_fakes=(), known=("3", "8"), false_alarms=0.1))

    def report(stage, done, of):
        if stage != "reading" and (stage not in stages or moments.random() < 0.2):
            stages.add(stage)
            raise Cut

    while not (tmp_path / "cut" / "model.json").exists():
        with contextlib.suppress(Cut):
            runs.run("digits", given, tmp_path / "cut", report=report)
    assert stages == {"3: training", "8: training", "joining the classes", "calibrating"}
    assert bits(tmp_path / "cut") == bits(whole)


def test_each_class_has_a_folder_with_its_own_training(watched):
    """classes/NAME holds metrics, samples and checkpoints; the seconds of all are those of the run."""
    out = watched[0]
    own = [out / "classes" / name for name in "38"]
    assert [path.name for path in sorted((out / "classes").iterdir())] == ["3", "8"]
    for folder in own:
        assert {path.name for path in folder.iterdir()} == {"metrics.jsonl", "samples", "checkpoints"}
        assert json.loads((folder / "metrics.jsonl").read_text("ascii").splitlines()[-1])["images"] == 256
    assert training_seconds(out) >= sum(training_seconds(folder) for folder in own) - 0.01
    assert not (out / "samples").exists() and not (out / "checkpoints").exists()


def test_beyond_ten_classes_each_gan_is_shown_fewer_images(tmp_path):
    """Twelve GANs of --images 120 are shown 100 each; the record and the model say so."""
    data = blobs(12, 20)
    how = {"known": data.classes, "images": 120, "batch": 20, "search_steps": 1, "false_alarms": 0.2, "width": 1}
    model = runs.run(data, train_settings(**settings("anogan", **how)), tmp_path / "run")
    for path in (tmp_path / "run" / "classes").iterdir():
        assert json.loads((path / "metrics.jsonl").read_text("ascii").splitlines()[-1])["images"] == 100
    assert model.training["images"] == 100
    choices = files.read_json(tmp_path / "run" / "config.json")["open_choices"]
    assert choices["training"].endswith("100 images shown")
    assert choices["known classes"].startswith(
        "12, a detector each, scaled by its own class, joined by softmax regression on "
    )


def test_odd_class_names_stay_inside_the_folder(tmp_path):
    """Names with slashes and dots, and two that only differ in what no file name may hold, get folders of their own."""
    data = replace(blobs(3, 40), classes=("../../x", "a/b", "a:b"))
    runs.run(data, train_settings(**settings("knn", known=data.classes, false_alarms=0.2)), tmp_path / "in" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert len(list((tmp_path / "in" / "run" / "classes").iterdir())) == 3
    assert Model.load(tmp_path / "in" / "run").classes["known"] == data.classes


def test_E14_divergence_says_whose_training_it_was(tmp_path, monkeypatch):
    """The second class's training that leaves the finite numbers is told by the class's name."""
    trained = []

    def training(gan, source, **how):
        trained.append(gan)
        if len(trained) == 2:
            raise DivergedError("step 1: the loss is nan")
        return train_steps(gan, source, **how)

    monkeypatch.setattr(memory, "train", training)
    with pytest.raises(DivergedError, match=r"^class 8: step 1: the loss is nan; among the images of that step: "):
        finished(tmp_path / "run", "anogan")


# --- many classes, few images, equal classes


@pytest.mark.parametrize(("method", "shape"), [("knn", (1, 8, 8)), ("knn", (8,)), ("cnn", (1, 8, 8))], ids=str)
def test_a_hundred_classes_of_twenty_images(method, shape, tmp_path, monkeypatch):
    """They train and are evaluated within seconds; well-separated ones are told apart, false alarms are as promised."""
    monkeypatch.setattr(classifier, "STEPS", 60)
    data, began = blobs(100, 20, shape), time.monotonic()
    size, told = None if len(shape) == 1 else "8,8", []
    finished(tmp_path / "run", method, data, told, known=data.classes[:99], size=size)
    figures = evaluate(tmp_path / "run", data)
    assert time.monotonic() - began < 60
    assert told == []
    assert figures["unknown"] == ["c099"] and figures["n_known"] == 99 * 4
    assert figures["classes"]["accuracy"]["rate"] > 0.9
    assert figures["false_alarms"]["rate"] < 0.12
    assert np.array(figures["classes"]["confusion"]).shape == (100, 100)


@pytest.mark.parametrize("method", ["knn", "vtgan", "cnn"])
def test_B5_a_class_of_one_image_is_refused_in_one_line(method, tmp_path, capsys):
    """The line names the class and what is needed, with exit code 3 and no folder."""
    data = blobs(3, 60)
    rows = np.arange(121)
    np.savez(tmp_path / "x.npz", images=data.pixels[rows, 0], labels=np.array(data.classes)[data.labels[rows]])
    argv = train(tmp_path / "run", "--known=c000,c001,c002", method=method, data=tmp_path / "x.npz")
    line = assert_clean_failure(capsys, argv, 3, kept=tmp_path)
    assert line.startswith("error: images of known class c002: 1 to train on, 0 held out; each of several known")


def test_two_classes_of_the_same_images_are_equally_likely(tmp_path):
    """Both hold the same images: each is half as likely, none is unknown, and a third class is told from both."""
    data = blobs(2, 60)
    pixels = np.concatenate([data.pixels[:60], data.pixels[:60], data.pixels[60:]])
    twins = Images(pixels, np.repeat([0, 1, 2], 60), ("a", "b", "c"), tuple(f"{i:05d}" for i in range(180)))
    model = runs.run(twins, train_settings(**settings("knn", known=("a", "b"), false_alarms=0.2)), tmp_path / "run")
    assert model.score(twins.of("a")).classes == pytest.approx(np.full((60, 2), 0.5), abs=1e-9)
    figures = evaluate(tmp_path / "run", twins, unknown="c")
    assert figures["auc"]["value"] == 1 and figures["misses"]["rate"] == 0
    assert figures["classes"]["accuracy"]["rate"] == pytest.approx(0.5)


def copied(copies):
    """Two classes, and a third of the first so many images of the first."""
    data = blobs(2, 60)
    pixels, labels = np.concatenate([data.pixels, data.pixels[:copies]]), np.r_[data.labels, np.full(copies, 2)]
    return Images(pixels, labels, ("a", "b", "c"), tuple(f"{i:05d}" for i in range(len(labels))))


def test_a_class_of_copies_goes_with_the_images_that_it_copies(tmp_path):
    """Its images share the parts of those that they copy; without one that joins, its name and counts are told."""
    model = finished(tmp_path / "run", data=copied(30), known=("a", "b", "c"), false_alarms=0.2)
    said = model.score(copied(30).of("c"))
    assert set(said.classes.argmax(1).tolist()) <= {0, 2} and np.all(said.classes[:, 1] < 0.4)
    with pytest.raises(DataError, match=r"^images of known class c: 2 to train on, 0 held out; each of "):
        finished(tmp_path / "few", data=copied(4), known=("a", "b", "c"), false_alarms=0.2)


# --- the commands


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A finished run of knn that knows 3 and 5, by the command line."""
    from lookalike.faces.cli import main

    out = tmp_path_factory.mktemp("commands") / "run"
    assert main(train(out, "--known=3,5", method="knn")) == 0
    return out


def test_the_commands_of_an_open_set_run(scored, tmp_path, capsys):
    """score, evaluate and report go on from it: a verdict per image, which class, and one page without a stray name."""
    code, said, err = call(capsys, "score", scored, "digits", "-o", tmp_path / "s.csv")
    assert (code, err) == (0, "")
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1797 and {row["predicted"] for row in rows} == {"3", "5", "unknown"}
    code, said, err = call(capsys, "evaluate", scored, "digits", "--unknown", "8")
    assert (code, err) == (0, "")
    figures = files.read_json(scored / "evaluations" / "8.json")
    right = figures["classes"]["accuracy"]
    assert f"({right['count']} of {right['of']}, of all known images)" in said
    assert said.startswith("3, 5 known, 8 unknown, by knn\n")
    code, said, err = call(capsys, "report", scored)
    assert (code, err) == (0, "")
    page = (scored / "report.html").read_text("utf-8")
    assert "3 + 5 known, 8 unknown" in page and "joined by softmax regression" in page


def test_E11_a_finished_run_is_left_alone(scored, capsys):
    """The same command again changes no byte and says the same, also how sure each class's detector is."""
    before = tree(scored)
    code, said, err = call(capsys, *train(scored, "--known=3,5", method="knn"))
    assert (code, err) == (0, "") and said.startswith(f"{scored}: knn has learnt 3, 5 from ")
    apart = dict(zip(("3", "5"), files.read_json(scored / "model.json")["settings"]["apart"], strict=True))
    least = min(apart, key=apart.get)
    assert f"the hardest class is {least}: AUC {apart[least]:.3f} against the other known ones" in said
    assert tree(scored) == before


def test_the_best_detector_decides_on_one_scale_when_asked(tmp_path, capsys):
    """--decides best --scaling shared reach the model and the record, and who decides is said."""
    code, said, err = call(
        capsys, *train(tmp_path / "run", "--known=3,5", "--decides=best", "--scaling=shared", method="knn")
    )
    assert code == 0 and "decides" not in err and "scaling" not in err
    facts = files.read_json(tmp_path / "run" / "model.json")["settings"]
    best = int(np.argmax(facts["apart"]))
    assert facts["order"] == [best, 1 - best] and facts["scales"][0] == facts["scales"][1]
    assert f"the detector of {'35'[best]} decides the class: AUC {facts['apart'][best]:.3f} against" in said
    chosen = files.read_json(tmp_path / "run" / "config.json")["open_choices"]["known classes"]
    assert "all on one scale, joined by the best detector first, on its own score, on " in chosen
    weights = Model.load(tmp_path / "run").detector.join.weights
    assert np.count_nonzero(weights) == 1 and weights[best, best] < 0
    code, _, err = call(capsys, "evaluate", tmp_path / "run", "digits", "--unknown", "8")
    assert (code, err) == (0, "")


def test_progress_says_whose_training_it_is(tmp_path, capsys):
    """Standard error names each class as its detector trains."""
    from lookalike.faces.cli import main

    capsys.readouterr()
    assert main(train(tmp_path / "run", "--known=3,5", method="pca")) == 0
    lines = capsys.readouterr().err.splitlines()
    stages = [re.sub(r": \d+ images$", "", line) for line in lines if "does not use" not in line]
    assert stages == ["reading", "3: training", "5: training", "joining the classes", "calibrating"]


# --- one GAN of all known classes


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The folder and the model of an AC-GAN that learns digits 8 and 3, named in this order."""
    out = tmp_path_factory.mktemp("run") / "acgan"
    return out, finished(out, "acgan", known=("8", "3"), images=640, batch=32, ema=0.9)


def test_one_gan_of_all_classes_is_stored_once_and_scores_the_same(told, digits):
    """The model holds one G and one D; loaded, it gives the same bits, classes and nearest images."""
    out, model = told
    loaded = Model.load(out)
    assert {name.partition(".")[0] for name in model.detector.tensors()} == {"0", "weights", "biases"}
    assert loaded.detector.members["3"].gan is loaded.detector.members["8"].gan
    asked = digits.pixels[:24]
    one, other = model.score(asked), loaded.score(asked)
    for field in ("score", "p_value", "flagged", "nearest", "classes"):
        assert np.array_equal(getattr(one, field), getattr(other, field))


def test_each_class_is_searched_among_its_own_images(told, digits):
    """Part "as 3" is the scaled V(x) of the GAN asked for class 3 alone: the second of the known ones."""
    _, model = told
    asked = digits.pixels[:6]
    said, member = model.score(asked), model.detector.members["3"]
    assert member.label == 1 and list(said.parts) == ["as 8", "as 3"]
    assert np.array_equal(said.parts["as 3"], model.detector.join.scales[1](member.score(asked).score))
    gan = member.gan
    found = member.frozen.inverter.search(torch.from_numpy(asked / np.float32(127.5) - 1))
    made = gan.generate(found.z, torch.full((6,), 1))
    assert torch.allclose(made, found.nearest, atol=1e-5)


def test_the_labels_of_the_training_are_those_of_the_known_classes(told, digits, monkeypatch, tmp_path):
    """D is taught that images of 8, named first, are class 0, and images of 3 class 1."""
    sources = []

    def training(gan, source, **how):
        sources.append(source)
        return train_steps(gan, source, **how)

    monkeypatch.setattr(memory, "train", training)
    finished(tmp_path / "run", "acgan", known=("8", "3"), images=64, batch=32)
    (source,) = sources
    for label, name in enumerate(("8", "3")):
        assert content(source.known[source.labels == label]) <= content(digits.of(name).pixels)
    assert set(source.labels.tolist()) == {0, 1}


def test_a_single_class_is_asked_for_as_class_0(tmp_path, digits):
    """With one known class acgan's model is a plain GAN detector, whose label is 0, before and after loading."""
    model = finished(tmp_path / "one", "acgan", known=("3",), images=64, batch=32)
    loaded = Model.load(tmp_path / "one")
    assert model.detector.label == loaded.detector.label == 0
    assert np.array_equal(model.score(digits.pixels[:4]).score, loaded.score(digits.pixels[:4]).score)


def test_one_gan_is_shown_as_many_images_as_the_preset_says_per_class(tmp_path):
    """By default two classes get twice the preset's images, ten ten times as many; given --images is all."""
    seen = [
        plans.make("digits", train_settings(known=known, method="acgan", **given)).shown
        for known, given in ((("3", "8"), {}), (("3", "8"), {"images": 500}), (tuple("0123456789"), {}))
    ]
    assert seen == [30_000, 500, 150_000]


@pytest.mark.parametrize(("classes", "counts"), [(1, [64]), (3, [16] * 3), (10, [8] * 10), (200, [8] * 20)])
def test_every_row_of_samples_is_of_one_class(classes, counts):
    """Eight rows, shared by few classes; a row each for more, for twenty classes at most."""
    assert torch.bincount(samples.classes_in_rows(classes)).tolist() == counts


@pytest.fixture(scope="module")
def sorted_run(tmp_path_factory):
    """(folder, model) of k-plus-one on 3 and 8, whose D names the classes while G is asked for none."""
    out = tmp_path_factory.mktemp("sorts") / "run"
    return out, finished(out, "k-plus-one", net="mlp", width=32, lr=2e-3, images=4000, batch=32)


def test_d_says_which_class_where_g_is_asked_for_none(sorted_run, digits):
    """One GAN, nothing joined: classes are D's softmax without the fakes, and D has learnt them."""
    out, model = sorted_run
    assert isinstance(model.detector, GANDetector) and model.detector.label is None
    assert [path.name for path in out.iterdir() if path.name == "classes"] == []
    rows = part(out, "test", digits)
    rows = rows[np.isin(digits.labels[rows], [digits.classes.index(name) for name in "38"])]
    said = model.score(digits.pixels[rows])
    D = model.detector.frozen.inverter.D
    x = torch.from_numpy(digits.pixels[rows] / np.float32(127.5) - 1)
    with torch.no_grad():
        wanted = D(Batch(x, None, None, None)).classes.softmax(1).numpy()
    assert said.classes == pytest.approx(wanted, abs=1e-5)
    right = said.classes.argmax(1) == (digits.labels[rows] == digits.classes.index("8"))
    assert right.mean() > 0.9


def test_its_loaded_model_says_the_same_and_company_changes_no_bit(sorted_run, digits):
    """Scores and classes of the loaded model, of few images and of many, have the same bits."""
    out, model = sorted_run
    asked = digits.pixels[:12]
    whole, few = model.score(asked), Model.load(out).score(asked[3:5])
    for field in ("score", "p_value", "classes", "label"):
        assert np.array_equal(getattr(whole, field)[3:5], getattr(few, field)), field


def test_it_makes_images_of_any_class(sorted_run, tmp_path, capsys):
    """generate writes one folder, any; another class is refused in a line, as is filling up a class."""
    out, _ = sorted_run
    code, said, err = call(capsys, "generate", out, "-n", "3", "-o", tmp_path / "made")
    assert code == 0 and "error" not in err and "3 images of any" in said
    assert read(tmp_path / "made").classes == ("any",)
    line = assert_clean_failure(
        capsys, ["generate", str(out), "--class", "3", "-o", str(tmp_path / "x")], 3, "3", "any", kept=out
    )
    assert line.startswith("error: ")
    line = assert_clean_failure(
        capsys, ["augment", "digits", "--run", str(out), "--to", "3=900", "-o", str(tmp_path / "y")], 3, kept=out
    )
    assert "the run generates no images of class 3; it generates any" in line


def test_evaluate_and_report_go_on_from_it(sorted_run, capsys):
    """Which class, and how well, stands in both."""
    out, _ = sorted_run
    code, said, err = call(capsys, "evaluate", out, "digits", "--unknown", "5")
    assert (code, err) == (0, "") and "right class" in said and "by k-plus-one" in said
    code, said, err = call(capsys, "report", out)
    assert (code, err) == (0, "")
    assert "3 + 8 known, 5 unknown" in (out / "report.html").read_text("utf-8")
