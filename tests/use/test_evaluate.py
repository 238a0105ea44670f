"""Evaluation: which images count, every figure by hand, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from clean_failure import assert_clean_failure, tree
from PIL import Image
from sklearn.metrics import roc_auc_score
from tiny import call, settings

import lookalike
from lookalike.base import files
from lookalike.base.errors import DataError, LockedError, UsageError
from lookalike.data import Images, read
from lookalike.detect.baselines import classifier
from lookalike.detect.model import Model
from lookalike.report import write
from lookalike.runs import run as runs
from lookalike.runs.folder import training_seconds
from lookalike.runs.settings import train_settings
from lookalike.use.evaluate import SHOWN, evaluate


def used_by(run):
    """Content of the images that the run trained on, set its threshold on, or was shown as other classes."""
    split = files.read_json(run / "split.json")
    return {key for part in ("train", "calibration", "extra_fakes") for key in split[part]}


def held_out_by(run):
    """Content of the images of the run's recorded test part."""
    return set(files.read_json(run / "split.json")["test"])


def unseen_by(run, images, *names):
    """Rows of these classes' images: of a class that the run read those of its recorded test part, of another all."""
    classes, tests = files.read_json(run / "model.json")["classes"], held_out_by(run)
    read_ones = {*classes["known"], *classes["extra_fakes"]}
    named = [(i, images.classes[label]) for i, label in enumerate(images.labels)]
    return [i for i, name in named if name in names and (name not in read_ones or images.keys[i] in tests)]


@pytest.fixture(scope="module", params=["mcgan", "pca"])
def run(request, tmp_path_factory):
    """A finished run on digits: 3 known (and 8 against)."""
    out = tmp_path_factory.mktemp("run") / request.param
    runs.run("digits", train_settings(**settings(request.param)), out)
    return out


@pytest.fixture(scope="module")
def digits():
    """Digits at the run's size."""
    return read("digits", size=(8, 8))


@pytest.fixture
def unseen(run, digits):
    """unseen(class, ...): rows of the images of the classes that the run has not met."""
    return lambda *names: unseen_by(run, digits, *names)


def test_every_figure_by_hand(run, digits, unseen):
    """Counts, AUC, rates and parts are those of `Model.score` on the images that the run has not met."""
    figures = evaluate(run, "digits", unknown="8")
    model = Model.load(run)
    known, unknown = (model.score(digits.select(unseen(name))) for name in ("3", "8"))
    truth = np.r_[np.zeros(len(known.score)), np.ones(len(unknown.score))]
    used = used_by(run)
    assert figures["excluded"] == sum(key in used for key in digits.keys)
    assert (figures["n_known"], figures["n_unknown"]) == (len(known.score), len(unknown.score))
    area = roc_auc_score(truth, np.r_[known.score, unknown.score])
    assert figures["auc"]["value"] == pytest.approx(area, abs=1e-12)
    assert figures["auc"]["low"] < area < figures["auc"]["high"] and figures["auc"]["resamples"] == 2000
    alarms, misses = (
        int((known.score > model.threshold.value).sum()),
        int((unknown.score <= model.threshold.value).sum()),
    )
    assert (figures["false_alarms"]["count"], figures["false_alarms"]["of"]) == (alarms, len(known.score))
    assert figures["false_alarms"]["rate"] == alarms / len(known.score)
    assert (figures["misses"]["count"], figures["misses"]["of"]) == (misses, len(unknown.score))
    assert figures["misses"]["rate"] == misses / len(unknown.score)
    assert (figures["threshold"], figures["allowed"]) == (model.threshold.value, 0.05)
    assert (figures["known"], figures["unknown"], figures["method"]) == (["3"], ["8"], run.name)
    for name, value in figures["parts_auc"].items():
        parts = np.r_[known.parts[name], unknown.parts[name]]
        assert value == pytest.approx(roc_auc_score(truth, -parts if name == "realness" else parts), abs=1e-12)
    assert set(figures["parts_auc"]) == (set() if run.name == "pca" else {"R", "L_D", "realness"})
    each = [part for one in (known, unknown) for part in one.parts.get("converged", ())]
    assert figures["converged"] == (np.mean(each) if each else None)
    assert figures["seconds"]["train"] == training_seconds(run) and figures["seconds"]["score"] >= 0


def test_the_against_class_counts_only_where_it_was_not_shown(tmp_path, digits):
    """Of mcgan's against class the training images are left out, also where all are called official test images."""
    runs.run("digits", train_settings(**settings("mcgan")), tmp_path / "run")
    split = files.read_json(tmp_path / "run" / "split.json")
    eights = digits.of("8").keys
    official = dataclasses.replace(digits, test=np.ones(len(digits), dtype=bool))
    figures = evaluate(tmp_path / "run", official, unknown="8")
    assert 0 < figures["n_unknown"] == len(eights) - sum(key in split["extra_fakes"] for key in eights) < len(eights)


def test_the_files_hold_what_is_returned(run, digits, unseen):
    """evaluations/5.json equals the returned figures; 5.npz holds all scores, the worst mistakes, and some finds."""
    figures = evaluate(run, "digits", unknown="5")
    assert json.loads((run / "evaluations" / "5.json").read_text("ascii")) == figures
    model = Model.load(run)
    known, unknown = (model.score(digits.select(unseen(name))) for name in ("3", "5"))
    with np.load(run / "evaluations" / "5.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["known_scores"], known.score)
        assert np.array_equal(arrays["unknown_scores"], unknown.score)
        assert np.array_equal(arrays["calibration_scores"], model.threshold.calibration)
        for kind, name, said, sign in (("misses", "5", unknown, 1), ("alarms", "3", known, -1)):
            worst = [i for i in np.argsort(sign * said.score, kind="stable") if said.flagged[i] == (kind == "alarms")]
            chosen = [unseen(name)[i] for i in worst[:SHOWN]]
            assert np.array_equal(arrays[f"{kind}_score"], said.score[worst[:SHOWN]])
            assert arrays[f"{kind}_name"].tolist() == [digits.names[i] for i in chosen]
            assert np.array_equal(arrays[f"{kind}_query"], digits.pixels[chosen])
            assert np.array_equal(arrays[f"{kind}_nearest"], said.nearest[worst[:SHOWN]])
        found = sorted(unknown.score[unknown.flagged], reverse=True)
        assert len(found) > SHOWN
        places = [round(i * (len(found) - 1) / (SHOWN - 1)) for i in range(SHOWN)]
        assert arrays["finds_score"].tolist() == [found[place] for place in places]


def test_all_other_classes_are_unknown_by_default(run):
    """Without --unknown the nine other classes are unknown, and their file has a name of letters, digits and dashes."""
    figures = evaluate(run, "digits")
    assert figures["unknown"] == ["0", "1", "2", "4", "5", "6", "7", "8", "9"]
    (path,) = (run / "evaluations").glob("0-1-2-4-5-6-7-8-9-????????.json")
    assert json.loads(path.read_text("ascii")) == figures


@pytest.mark.parametrize("given", [("8", "5"), "8,5", ("8,5",), ("8", "5", "8")])
def test_several_unknown_classes(given, run, unseen):
    """Names in a tuple or separated by commas; repeated names count once."""
    figures = evaluate(run, "digits", unknown=given)
    assert figures["unknown"] == ["8", "5"]
    assert figures["n_unknown"] == len(unseen("8", "5"))


def test_the_known_class_cannot_be_unknown(run, capsys):
    """--unknown 3 on a run that knows 3 exits with 2, and an unknown name with 3; nothing is written."""
    both = "class 3 is a known class of this model"
    assert_clean_failure(capsys, ["evaluate", str(run), "digits", "--unknown", "3"], 2, both, kept=run)
    assert_clean_failure(capsys, ["evaluate", str(run), "digits", "--unknown", "33"], 3, "no class '33'", kept=run)


def test_evaluating_twice_gives_equal_files_but_for_seconds(run):
    """The same evaluation again changes no byte of the arrays, and only the scoring time of the figures."""
    first = evaluate(run, "digits", unknown="8")
    before = tree(run / "evaluations")
    second = evaluate(run, "digits", unknown="8")
    after = tree(run / "evaluations")
    assert after["8.npz"] == before["8.npz"]
    first["seconds"].pop("score"), second["seconds"].pop("score")
    assert first == second


def test_J4_labels_of_unknown_images_change_no_threshold(run, digits):
    """Permuting the labels of all other classes changes neither threshold nor false alarms, and no model file."""
    others = np.flatnonzero(digits.labels != digits.classes.index("3"))
    labels = digits.labels.copy()
    labels[others] = np.random.default_rng(0).permutation(labels[others])
    model = (run / "model.json").read_bytes(), (run / "model.safetensors").read_bytes()
    plain = evaluate(run, digits, unknown="8")
    permuted = evaluate(run, dataclasses.replace(digits, labels=labels), unknown="8")
    assert plain["threshold"] == permuted["threshold"] and plain["false_alarms"] == permuted["false_alarms"]
    assert plain["n_unknown"] != permuted["n_unknown"] or plain["misses"] != permuted["misses"]
    assert ((run / "model.json").read_bytes(), (run / "model.safetensors").read_bytes()) == model


def test_an_official_test_part_is_all_that_counts(run, digits):
    """Where the data has official test images, only those are evaluated, and used ones among them are left out."""
    test = np.arange(len(digits)) % 3 == 0
    figures = evaluate(run, dataclasses.replace(digits, test=test), unknown="8")
    used = used_by(run)
    for name, n in (("3", figures["n_known"]), ("8", figures["n_unknown"])):
        mine = digits.labels == digits.classes.index(name)
        assert n == sum(key not in used for key in digits.select(mine & test).keys)
    assert figures["excluded"] == sum(key in used for key, official in zip(digits.keys, test, strict=True) if official)


def test_copies_of_used_images_are_left_out_under_any_name(run, digits, unseen):
    """Known images are told by content: the training images under other names, in other order, are all excluded."""
    used = used_by(run)
    mine = [
        i for i in reversed(range(len(digits))) if digits.keys[i] in used and digits.classes[digits.labels[i]] == "3"
    ]
    eights = np.flatnonzero(digits.labels == digits.classes.index("8"))
    chosen = digits.select([*mine, *eights])
    renamed = dataclasses.replace(chosen, names=tuple(f"copy {i}" for i in range(len(chosen))))
    figures = evaluate(run, renamed, unknown="8")
    assert figures["n_known"] == 0 and figures["n_unknown"] == len(unseen("8"))
    assert figures["excluded"] == sum(key in used for key in renamed.keys)
    with pytest.raises(DataError, match="no held-out images, known or unknown, are left to evaluate"):
        evaluate(run, digits.select(mine))


def test_what_the_training_did_not_read_counts_whole(run, digits):
    """Of classes that the training read its recorded test part counts, of any other class every image."""
    recorded = held_out_by(run)
    others = [name for name in digits.classes if name not in (("3", "8") if run.name == "mcgan" else ("3",))]
    figures = evaluate(run, "digits", unknown=tuple(others))
    threes = digits.of("3").keys
    assert figures["n_known"] == sum(key in recorded for key in threes) == round(0.2 * len(threes))
    assert figures["n_unknown"] == len(digits.of(*others))
    assert not set(digits.of(*others).keys) & (recorded | used_by(run))


def test_a_class_that_was_shown_counts_by_its_test_part(tmp_path, digits):
    """mcgan trains against class 8, pca never reads it: the first is evaluated on its test part, the other on all."""
    counts = {}
    for method in ("mcgan", "pca"):
        runs.run("digits", train_settings(**settings(method)), tmp_path / method)
        figures = evaluate(tmp_path / method, "digits", unknown="8")
        counts[method] = figures["n_known"], figures["n_unknown"]
    eights = len(digits.of("8"))
    assert counts["mcgan"][0] == counts["pca"][0]
    assert (counts["mcgan"][1], counts["pca"][1]) == (round(0.2 * eights), eights)


def test_other_data_counts_whole(run, digits):
    """Where none of the images are of the recorded test part, all that the run has not used count."""
    recorded, used = held_out_by(run), used_by(run)
    other = [i for i, key in enumerate(digits.keys) if key not in recorded]
    figures = evaluate(run, digits.select(other), unknown="5")
    five = digits.classes.index("5")
    assert figures["n_known"] == 0
    assert figures["n_unknown"] == sum(digits.labels[i] == five and digits.keys[i] not in used for i in other) > 0


def test_newcomers_of_the_known_class_are_left_out_and_counted(run, digits):
    """Of the known class only the recorded test images count; a warning tells how many others joined it."""
    threes = np.flatnonzero(digits.labels == digits.classes.index("3"))[:9]
    pixels = np.concatenate([digits.pixels, 255 - digits.pixels[threes]])  # images that the run has never met
    labels = np.concatenate([digits.labels, digits.labels[threes]])
    names = (*digits.names, *(f"late {i}" for i in threes))
    said = []
    first = evaluate(run, digits, unknown="5", warn=pytest.fail)
    figures = evaluate(run, Images(pixels, labels, digits.classes, names), unknown="5", warn=said.append)
    assert (figures["n_known"], figures["n_unknown"]) == (first["n_known"], first["n_unknown"])
    assert said == ["known images that were added to the data after training split it, which are left out: 9"]


def test_a_stray_copy_of_a_test_image_leaves_its_class_whole(run, digits):
    """One known test image that also stands among unknown ones does not cost the others their place."""
    fives = np.flatnonzero(digits.labels == digits.classes.index("5"))
    (stray, *_) = unseen_by(run, digits, "3")
    pixels = np.concatenate([digits.pixels, digits.pixels[[stray]]])
    labels = np.append(digits.labels, digits.classes.index("5"))
    figures = evaluate(run, Images(pixels, labels, digits.classes, (*digits.names, "stray")), unknown="5")
    assert figures["n_unknown"] == len(fives) + 1


@pytest.mark.parametrize("copies", [0, 1, 3, 20])
def test_copies_do_not_make_another_folder_the_runs_own(copies, run, digits):
    """In other data all new images of a known class count, and copies of test images with them, whatever these are."""
    new = 255 - digits.pixels[:60]
    tests = unseen_by(run, digits, "3")[:copies]
    pixels = np.concatenate([new, digits.pixels[tests]])
    labels = np.array([digits.classes.index("3")] * 30 + [digits.classes.index("5")] * 30 + [3] * len(tests))
    images = Images(pixels, labels, digits.classes, tuple(map(str, range(len(pixels)))))
    said = []
    figures = evaluate(run, images, unknown="5", warn=said.append)
    assert (figures["n_known"], figures["n_unknown"], said) == (30 + copies, 30, [])


@pytest.mark.parametrize("trained", [1, 10, 29])
def test_copies_of_training_images_in_another_folder_are_left_out_alone(trained, run, digits):
    """In other data images that trained never count, and all others of their class do."""
    threes = digits.of("3")
    used = [i for i, key in enumerate(threes.keys) if key in used_by(run)][:trained]
    pixels = np.concatenate([255 - threes.pixels[:30], threes.pixels[used]])
    labels = np.full(len(pixels), digits.classes.index("3"))
    images = Images(pixels, labels, digits.classes, tuple(map(str, range(len(pixels)))))
    assert evaluate(run, images, unknown="5")["n_known"] == 30


@pytest.mark.parametrize("copies", [0, 1, 2, 5, 9])
def test_images_that_are_known_and_unknown_are_counted(copies, run, digits):
    """A test image that stands among the unknown ones too counts as both, and a warning says how many do."""
    both = unseen_by(run, digits, "3")[:copies]
    pixels = np.concatenate([digits.pixels, digits.pixels[both]])
    labels = np.concatenate([digits.labels, np.full(copies, digits.classes.index("5"))])
    images = Images(pixels, labels, digits.classes, tuple(map(str, range(len(pixels)))))
    said = []
    evaluate(run, images, unknown="5", warn=said.append)
    line = f"unknown images that are exactly like a known one, and count as both: {copies}; check DATA lists them"
    assert said == ([line] if copies else [])


def test_a_class_that_was_added_after_training_counts_whole(run, digits):
    """A run on a folder with other classes is evaluated on all images of a class that came later."""
    eights = np.flatnonzero(digits.labels == digits.classes.index("5"))
    pixels = np.concatenate([digits.pixels, 255 - digits.pixels[eights]])
    labels = np.concatenate([digits.labels, np.full(len(eights), 10)])
    names = (*digits.names, *(f"late {i}" for i in range(len(eights))))
    figures = evaluate(run, Images(pixels, labels, (*digits.classes, "late"), names), unknown="late")
    assert figures["n_unknown"] == len(eights)
    assert figures["n_known"] == evaluate(run, digits, unknown="5")["n_known"]


def test_an_image_that_was_used_never_counts(run, digits, tmp_path):
    """Even where a forged record lists it as a test image too."""
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    split = files.read_json(run / "split.json")
    files.write_json(tmp_path / "split.json", {**split, "test": split["test"] + split["train"]})
    first, forged = (evaluate(folder, digits, unknown="5") for folder in (run, tmp_path))
    assert (forged["n_known"], forged["n_unknown"]) == (first["n_known"], first["n_unknown"])
    assert (forged["excluded"], forged["seconds"]["train"]) == (first["excluded"], None)


GOOD = '"train": [], "calibration": [], "extra_fakes": [], "test": []'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("", "not JSON"),
        ("[]", "does not hold the parts calibration, extra_fakes, test, train"),
        ('{"train": []}', "does not hold the parts"),
        (f'{{{GOOD}, "more": []}}', "does not hold the parts"),
        (f'{{{GOOD}, "test": []}}', "stands twice"),
        (f"{{{GOOD}}}".replace('"train": []', '"train": "0123456789abcdef"'), "train is not a list of content keys"),
        (
            f"{{{GOOD}}}".replace('"extra_fakes": []', '"extra_fakes": ["0123456789abcdef", 5]'),
            "extra_fakes is not a list",
        ),
        (f"{{{GOOD}}}".replace('"test": []', '"test": ["\\u001b[31m"]'), "test is not a list of content keys"),
    ],
)
def test_a_run_without_its_record_is_refused(content, words, run, tmp_path, capsys):
    """A split.json that is missing or damaged exits with 4: images that were trained on could not be left out."""
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    if content is not None:
        (tmp_path / "split.json").write_text(content)
    argv = ["evaluate", str(tmp_path), "digits", "--unknown", "8"]
    needs = "the run does not say which images trained"
    assert_clean_failure(capsys, argv, 4, needs, tmp_path / "split.json", words, kept=tmp_path)


def test_B30_data_without_unknown_images(run, digits, capsys):
    """Only known images: AUC and misses are null with a reason, false alarms are as ever."""
    full = evaluate(run, digits, unknown="8")
    figures = evaluate(run, digits.of("3"))
    assert (figures["n_known"], figures["n_unknown"]) == (full["n_known"], 0)
    assert figures["auc"]["value"] is None and figures["auc"]["reason"].startswith("no unknown images")
    assert figures["misses"] == {
        "rate": None, "low": None, "high": None, "count": 0, "of": 0, "reason": "no held-out unknown images",
    }  # fmt: skip
    assert figures["false_alarms"] == full["false_alarms"]
    assert set(figures["parts_auc"].values()) <= {None} and set(figures["parts_auc"]) == set(full["parts_auc"])
    report = write((run,), run / "report.html").read_text("utf-8")
    assert "AUC is undefined: no unknown images" in report


def test_B30_data_without_known_images(run, digits, tmp_path, capsys):
    """A folder with unknown classes only: AUC and false alarms are null with a reason, misses are as ever."""
    full = evaluate(run, digits, unknown="8")
    for i in np.flatnonzero(digits.labels == digits.classes.index("8")):
        (tmp_path / "8").mkdir(exist_ok=True)
        Image.fromarray(digits.pixels[i, 0]).save(tmp_path / "8" / f"{i}.png")
    code, said, err = call(capsys, "evaluate", run, tmp_path)
    assert (code, err) == (0, "warning: the data has no class 3, which is a known class of this model\n")
    assert said.splitlines()[1].startswith("AUC           undefined: no known images")
    assert said.splitlines()[2].startswith("false alarms  undefined: no held-out known images")
    figures = files.read_json(run / "evaluations" / "8.json")
    assert figures["misses"] == full["misses"] and figures["false_alarms"]["rate"] is None
    assert figures["known"] == ["3"]
    with np.load(run / "evaluations" / "8.npz") as arrays:
        assert arrays["known_scores"].shape == (0,) and arrays["alarms_score"].shape == (0,)
        assert len(arrays["unknown_scores"]) == full["n_unknown"]


def test_B30_only_a_known_class_at_all(run, digits):
    """Where the data names no other class, the evaluation is called none."""
    (run / "evaluations" / "none.json").unlink(missing_ok=True)
    threes = digits.of("3")
    only = dataclasses.replace(threes, classes=("3",), labels=np.zeros(len(threes), np.int64))
    assert evaluate(run, only)["unknown"] == []
    assert files.read_json(run / "evaluations" / "none.json")["n_unknown"] == 0
    (run / "evaluations" / "none.json").unlink()
    (run / "evaluations" / "none.npz").unlink()


def test_F11_a_folder_that_another_process_writes(run, digits):
    """While the run is locked the evaluation is refused and nothing of an earlier one changes."""
    evaluate(run, digits, unknown="8")
    before = tree(run)
    with files.lock(run), pytest.raises(LockedError, match="is being written by another run"):
        evaluate(run, digits.of("3", "8"), unknown="8")
    assert tree(run) == before


def test_J5_J6_an_unknown_class_of_known_images_is_not_told_apart(tmp_path):
    """Two classes of images drawn alike: the interval of the AUC contains 0.5."""
    random = np.random.default_rng(0)
    images = Images(
        random.integers(0, 256, (400, 1, 8, 8), dtype=np.uint8),
        np.repeat([0, 1], 200),
        ("a", "b"),
        tuple(f"{i:05d}" for i in range(400)),
    )
    runs.run(images, train_settings(**{**settings("pca"), "known": ("a",)}), tmp_path)
    area = evaluate(tmp_path, images)["auc"]
    assert area["low"] < 0.5 < area["high"]


def test_device(run, digits):
    """cpu is the default, to the last bit; a device that is not there is refused before anything is read."""
    figures, again = evaluate(run, digits, unknown="8"), evaluate(run, digits, unknown="8", device="cpu")
    assert {**figures, "seconds": None} == {**again, "seconds": None}
    with pytest.raises(UsageError, match="--device tpu cannot be used here"):
        evaluate(run, "no such data", device="tpu")


def test_images_of_another_shape_are_refused(run, digits):
    """Images in memory at another size are named with both shapes."""
    small = dataclasses.replace(digits, pixels=digits.pixels[:, :, :4, :4])
    with pytest.raises(DataError, match=r"shape \(1, 8, 8\), not \(1, 4, 4\)"):
        evaluate(run, small, unknown="8")


def test_file_names_of_odd_classes_stay_inside(tmp_path):
    """A class called ../x or with a NUL-like name gives a plain file name in evaluations."""
    random = np.random.default_rng(0)
    names = ("../../x", "a/b", "k,é")
    images = Images(
        random.integers(0, 256, (360, 1, 8, 8), dtype=np.uint8),
        np.repeat([0, 1, 2], 120),
        names,
        tuple(f"{i:05d}" for i in range(360)),
    )
    out = tmp_path / "run"
    runs.run(images, train_settings(**{**settings("pca"), "known": ("k,é",)}), out)
    for unknown in ("../../x", "a/b"):
        assert evaluate(out, images, unknown=unknown)["unknown"] == [unknown]
    found = {path.name.rsplit("-", 1)[0] for path in (out / "evaluations").iterdir()}
    assert found == {"x", "a-b"}
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


# --- several known classes


@pytest.fixture(scope="module", params=["knn", "cnn"])
def several(request, tmp_path_factory):
    """A finished run that knows 5 and 3, in this order."""
    out = tmp_path_factory.mktemp("several") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 40)
        runs.run("digits", train_settings(**settings(request.param, known=("5", "3"))), out)
    return out


def test_accuracy_and_confusion_by_hand(several, digits):
    """Counted image by image: right, right among the unflagged, and what became of each class."""
    figures = evaluate(several, "digits", unknown="8,9")
    model = Model.load(several)
    rows = unseen_by(several, digits, "5", "3", "8", "9")
    confusion, right, right_passed, passed = np.zeros((3, 3), int).tolist(), 0, 0, 0
    for i in rows:
        name = digits.classes[digits.labels[i]]
        if name not in ("5", "3", "8", "9"):
            continue
        said = model.score(digits.select([i]))
        guess, flagged = ("5", "3")[said.classes[0].argmax()], bool(said.flagged[0])
        true = {"5": 0, "3": 1}.get(name, 2)
        confusion[true][2 if flagged else ("5", "3").index(guess)] += 1
        if true < 2:
            right += guess == name
            right_passed += guess == name and not flagged
            passed += not flagged
    said = figures["classes"]
    assert said["confusion"] == confusion
    assert (said["accuracy"]["count"], said["accuracy"]["of"]) == (right, figures["n_known"])
    assert (said["accuracy_passed"]["count"], said["accuracy_passed"]["of"]) == (right_passed, passed)
    assert said["accuracy"]["rate"] == right / figures["n_known"] > 0.9
    assert said["accuracy"]["low"] < said["accuracy"]["rate"] <= said["accuracy"]["high"]
    assert (
        sum(confusion[2]) == figures["n_unknown"] and confusion[2][2] == sum(confusion[2]) - figures["misses"]["count"]
    )
    assert confusion[0][2] + confusion[1][2] == figures["false_alarms"]["count"] == figures["n_known"] - passed
    (stored,) = (several / "evaluations").glob("8-9*.json")
    assert json.loads(stored.read_text("ascii")) == figures


def test_the_parts_of_several_classes_have_their_area(several, digits):
    """Each class's scaled score has the AUC that it would have alone; a classifier has no parts."""
    figures, rows = evaluate(several, "digits", unknown="8"), unseen_by(several, digits, "3", "5", "8")
    said = Model.load(several).score(digits.select(rows))
    truth = np.array([digits.classes[digits.labels[i]] == "8" for i in rows])
    names = ["as 5", "as 3"] if several.name == "knn" else []
    assert list(figures["parts_auc"]) == names
    for name in names:
        assert figures["parts_auc"][name] == pytest.approx(roc_auc_score(truth, said.parts[name]), abs=1e-12)
    assert figures["auc"]["value"] == pytest.approx(roc_auc_score(truth, said.score), abs=1e-12)


def test_B30_several_classes_of_which_some_are_gone(several, digits):
    """Of a known class that the data has not the row is empty, with a warning; names decide, not numbers."""
    kept = [i for i, label in enumerate(digits.labels) if digits.classes[label] in ("3", "8")]
    few = Images(
        digits.pixels[kept],
        (digits.labels[kept] == 3).astype(np.int64),
        ("8", "3"),
        tuple(digits.names[i] for i in kept),
    )
    told = []
    said = evaluate(several, few, warn=told.append)["classes"]
    assert told == ["the data has no class 5, which is a known class of this model"]
    whole = evaluate(several, "digits", unknown="8")["classes"]
    assert said["confusion"] == [[0, 0, 0], whole["confusion"][1], whole["confusion"][2]]


def test_without_an_unflagged_known_image_the_accuracy_says_why(several, digits):
    """Where all known images are flagged, and where there are none, the accuracy is undefined with its reason."""
    eights = digits.of("8")
    only = Images(eights.pixels, np.zeros(len(eights), np.int64), ("8",), eights.names)
    gone = evaluate(several, only, unknown="8")["classes"]
    assert gone["accuracy"]["rate"] is None and gone["accuracy"]["reason"] == "no held-out known images"
    flagged = digits.pixels[Model.load(several).score(digits).flagged & ~np.isin(digits.labels, [3, 5])][:20]
    names = tuple(map(str, range(20)))
    called_three = Images(flagged, np.repeat([0, 1], 10), ("3", "x"), names, test=np.ones(20, bool))
    said = evaluate(several, called_three)["classes"]
    assert said["confusion"] == [[0, 0, 0], [0, 0, 10], [0, 0, 10]]
    assert (said["accuracy"]["of"], said["accuracy_passed"]["of"]) == (10, 0)
    assert said["accuracy_passed"]["rate"] is None
    assert said["accuracy_passed"]["reason"] == "no held-out unflagged known images"


def test_one_known_class_has_no_figures_of_classes(run):
    """Among one class there is nothing to tell apart."""
    assert "classes" not in evaluate(run, "digits", unknown="8")


# --- the command


def test_the_command_prints_the_figures(run, capsys):
    """Text on standard output holds the figures; --json is the file; nothing goes to standard error."""
    code, said, err = call(capsys, "evaluate", run, "digits", "--unknown", "8")
    figures = json.loads((run / "evaluations" / "8.json").read_text("ascii"))
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"3 known, 8 unknown, by {run.name}"
    area = figures["auc"]
    counts = f"({figures['n_known']} known, {figures['n_unknown']} unknown)"
    assert lines[1] == f"AUC           {area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]  {counts}"
    misses = figures["misses"]
    assert float(lines[3].split()[1]) == round(100 * misses["rate"], 1) and " % [" in lines[3]
    assert f"({misses['count']} of {misses['of']})" in lines[3]
    assert lines[-1] == f"next: lookalike report {run}"
    code, said, err = call(capsys, "evaluate", run, "digits", "--unknown", "8", "--json")
    assert (code, err) == (0, "")
    assert json.loads(said) == json.loads((run / "evaluations" / "8.json").read_text("ascii"))


def test_unreadable_images_fail_or_are_skipped_with_a_warning(run, digits, tmp_path, capsys):
    """--on-bad is fail as in train; with skip one warning names the count, and the others are evaluated."""
    for name in ("3", "8"):
        (tmp_path / name).mkdir()
        for i in np.flatnonzero(digits.labels == digits.classes.index(name))[:60]:
            Image.fromarray(digits.pixels[i, 0]).save(tmp_path / name / f"{i}.png")
    (tmp_path / "8" / "bad.png").write_bytes(b"no image")
    argv = ["evaluate", str(run), str(tmp_path), "--unknown", "8"]
    assert_clean_failure(capsys, argv, 3, "bad.png", "--on-bad skip", kept=run)
    code, said, err = call(capsys, *argv, "--on-bad", "skip", "--json")
    assert (code, err) == (0, "warning: images left out because they cannot be read: 1, first 8/bad.png\n")
    figures = json.loads(said)
    assert figures["skipped"] == 1
    given = [i for name in ("3", "8") for i in np.flatnonzero(digits.labels == digits.classes.index(name))[:60]]
    used = used_by(run)
    assert figures["excluded"] == sum(digits.keys[i] in used for i in given)
    assert figures["n_known"] + figures["n_unknown"] == len(set(given) & set(unseen_by(run, digits, "3", "8")))


@pytest.mark.parametrize("what", ["nothing", "unfinished"])
def test_a_run_that_is_not_there_or_not_finished(what, run, tmp_path, capsys):
    """Exit 4: a folder without a model, or a training that is not finished, which says so."""
    if what == "unfinished":
        (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    words = "is not finished" if what == "unfinished" else "is not a lookalike model"
    assert_clean_failure(capsys, ["evaluate", str(tmp_path), "digits"], 4, tmp_path, words, kept=tmp_path)


# --- Python


def test_the_package_docstring_works(tmp_path):
    """fit, evaluate, read and auc as the package's first page shows them, with numbers that agree."""
    out = tmp_path / "three"
    tiny = {name: value for name, value in settings().items() if name not in ("known", "extra_fakes", "method")}
    model = lookalike.fit("digits", known="3", extra_fakes="8", method="mcgan", out=out, **tiny)
    figures = lookalike.evaluate(out, "digits", unknown="8")
    said = model.score(lookalike.read("digits", size=(8, 8)).of("8"))
    assert isinstance(model, lookalike.Model) and model.method["name"] == "mcgan"
    assert said.score.shape == (174,) and said.flagged.dtype == bool and math.isfinite(figures["auc"]["value"])
    with np.load(out / "evaluations" / "8.npz") as arrays:
        area = lookalike.auc(arrays["known_scores"], arrays["unknown_scores"])
    assert area.value == figures["auc"]["value"]
    again = lookalike.fit("digits", known="3", extra_fakes="8", method="mcgan", out=out, **tiny)
    assert np.array_equal(again.score(lookalike.read("digits", size=(8, 8)).of("8")).score, said.score)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"knwon": "8"}, "knwon"),
        ({"method": "wgan"}, "--method wgan"),
        ({"lr": -1}, "--lr -1"),
        ({"size": 8}, "--size 8"),
    ],
)
def test_fit_refuses_wrong_keywords_in_one_line(given, words, tmp_path):
    """A keyword that is no setting, or a value that does not fit, is a UsageError before anything is read."""
    with pytest.raises(UsageError) as caught:
        lookalike.fit("no such data", known="3", out=tmp_path / "run", **given)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_written_is_not_scored_first(run, monkeypatch):
    """A run that another process holds is refused before any image is scored."""
    monkeypatch.setattr(Model, "score", lambda *_: pytest.fail("scored"))
    with files.lock(run), pytest.raises(LockedError):
        evaluate(run, "digits", unknown="8")


def test_flags_that_errors_name_are_accepted(run, tmp_path, capsys):
    """evaluate takes --max-bad and --allow-empty-class, score takes --max-bad; then they do what they say."""
    pixels = read("digits", size=(8, 8)).pixels[:, 0]
    for i, name in enumerate(["3/a", "3/b", "5/c", "5/d"]):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - pixels[i]).save(tmp_path / "data" / f"{name}.png")
    (tmp_path / "data" / "empty").mkdir()
    (tmp_path / "data" / "5" / "bad.png").write_bytes(b"no image")
    argv = ["evaluate", run, tmp_path / "data", "--unknown", "5", "--on-bad", "skip"]
    assert_clean_failure(capsys, argv, 3, "--allow-empty-class", kept=tmp_path)
    assert_clean_failure(capsys, [*argv, "--allow-empty-class"], 3, "--max-bad", kept=tmp_path)
    assert call(capsys, *argv, "--allow-empty-class", "--max-bad", "0.5")[0] == 0
    score = ["score", run, tmp_path / "data", "-o", tmp_path / "scores.csv", "--on-bad", "skip"]
    assert_clean_failure(capsys, score, 3, "--max-bad", kept=tmp_path)
    assert call(capsys, *score, "--max-bad", "0.5")[0] == 0


def test_B32_classes_are_matched_by_name(run, digits):
    """Whatever numbers the classes have in the data, and whichever stand beside them, the figures are the same."""
    wanted = evaluate(run, digits, unknown="8")
    turned = dataclasses.replace(digits, classes=digits.classes[::-1], labels=len(digits.classes) - 1 - digits.labels)
    assert without_seconds(evaluate(run, turned, unknown="8")) == without_seconds(wanted)
    few = turned.of("8", "3")
    assert without_seconds(evaluate(run, few, unknown="8"))["auc"] == wanted["auc"]


def without_seconds(figures):
    """The figures without the clock."""
    return {name: value for name, value in figures.items() if name != "seconds"}
