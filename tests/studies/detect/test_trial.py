"""Jobs: their folders, what they score, what they never look at, and what survives a stop."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clean_failure import tree
from official import CLASSES, TEST, TRAIN, official
from PIL import Image

from lookalike.base import files
from lookalike.base.errors import DataError, LockedError, ModelError
from lookalike.data import gate, read, split
from lookalike.detect.baselines import BASELINES
from lookalike.detect.model import Model
from lookalike.runs import run as runs
from lookalike.runs.plan import Plan
from lookalike.runs.settings import train_settings
from lookalike.studies import jobs
from lookalike.studies.jobs import Job, _merged, cost, found, is_done, perform, side_by_side

TINY = (("size", "8,8"), ("width", 4), ("z", 8), ("images", 128), ("batch", 64), ("search_steps", 5))
NAMES = tuple(map(str, CLASSES))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """The folder of a data set with an official test part."""
    return str(official(tmp_path_factory.mktemp("data") / "four"))


def together(wanted, folder, report=lambda *_: None, workers=1):
    """`side_by_side` without a command."""
    return side_by_side(wanted, folder, workers=workers, command="", report=report)


def npz(path, *, labels=None):
    """120 random images of each of three classes, without an official test part."""
    pixels = np.random.default_rng(1).integers(0, 256, (360, 8, 8), dtype=np.uint8)
    np.savez(path, images=pixels, labels=np.repeat(NAMES, 120) if labels is None else labels)
    return str(path)


def part_of_split(job, images):
    """Rows of the test part that the job's split gives all classes."""
    settings = {"test": 0.2, "calibration": jobs.CALIBRATION} | dict(job.settings)
    return split(images, test=settings["test"], calibration=settings["calibration"], seed=job.seed).test


def key_to_score(job, folder):
    """Content of each scored image -> its score."""
    images = read(job.data, size=Model.load(job.folder(folder)).size)
    rows, scores = part_of_split(job, images), {}
    for name in job.unseen:
        keys = [images.keys[i] for i in rows if images.classes[images.labels[i]] == name]
        scores |= dict(zip(keys, found(job, folder, name).score.tolist(), strict=True))
    return scores


# --- names


def test_other_data_of_the_same_name_and_changed_data_have_other_folders(tmp_path):
    """Two files x.npz, and one before and after it changed, never share a training; the same file does."""
    first, second = npz(tmp_path / "x.npz"), tmp_path / "other" / "x.npz"
    second.parent.mkdir()
    second.write_bytes(Path(first).read_bytes())
    jobs.name_of.cache_clear()
    folders = [Job(str(data), ("3",), "pca", 0).folder(Path("runs")) for data in (first, second, first)]
    assert folders[0] == folders[2] != folders[1]
    assert folders[0].parts[2].startswith("x.npz-")
    os.utime(first, ns=(1, 1))
    jobs.name_of.cache_clear()
    assert Job(first, ("3",), "pca", 0).folder(Path("runs")) != folders[0]


def test_the_folder_names_all_that_makes_a_training():
    """Preset, data, known classes, method with what it is against, changed settings and seed; never `unseen`."""
    plain = Job("digits", ("3",), "pca", 0)
    coat = f"Ankle-boot-{hashlib.sha256(b'Ankle boot').hexdigest()[:8]}"
    expected = {
        plain: "small/digits/3/pca/seed-0",
        Job("digits", ("3",), "pca", 0, unseen=("8", "9")): "small/digits/3/pca/seed-0",
        Job("mnist-5k", ("3", "8"), "mcgan", 4, ("9",), "paper"): "paper/mnist-5k/3,8/mcgan-extra_fakes-9/seed-4",
        Job("digits", ("3",), "pca", 1, settings=(("size", "8,8"), ("z", 4))): "small/digits/3/pca-size=8,8,z=4/seed-1",
        Job("digits", ("Ankle boot",), "knn", 0): f"small/digits/{coat}/knn/seed-0",
    }
    assert {job: str(job.folder(Path("runs"))) for job in expected} == {job: f"runs/{p}" for job, p in expected.items()}


def test_a_name_that_is_made_safe_stays_its_own():
    """Names that differ in replaced, cut or stripped letters differ as file names, and none leads elsewhere."""
    names = ["a b", "a-b", "a/b", "a\nb", "..", ".", "", "-", "../x", "x", "x" * 90, "x" * 91, "Ünder", "\udcff"]
    made = [files.safe_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert all("/" not in name and name not in ("", ".", "..") and len(name) < 100 for name in made)
    assert files.safe_name("Coat_1,2=x.y-z") == "Coat_1,2=x.y-z"


def test_jobs_that_differ_in_unseen_alone_are_one():
    """They are merged in the order of first appearance, with every class once; others stay apart."""
    first, other = Job("d", ("3",), "pca", 0, unseen=("3", "8")), Job("d", ("3",), "pca", 1, unseen=("3",))
    again = Job("d", ("3",), "pca", 0, unseen=("9", "3"))
    extra_fakes = Job("d", ("3",), "mcgan", 0, ("8",), "paper", ("3",), (("z", 4),))
    assert _merged([first, other, again, extra_fakes, extra_fakes]) == [
        Job("d", ("3",), "pca", 0, unseen=("3", "8", "9")), other, extra_fakes,
    ]  # fmt: skip


# --- what is scored


@pytest.mark.parametrize("method", ["pca", "knn"])
def test_scores_are_the_models_on_the_official_test_images(method, four, tmp_path):
    """For each class, in the order of the data: bit for bit what `Model.score` says of those images."""
    job = Job(four, ("3",), method, 0, unseen=NAMES)
    assert not is_done(job, tmp_path)
    perform(job, tmp_path)
    assert is_done(job, tmp_path)
    model, images = Model.load(job.folder(tmp_path)), read(four, size=(32, 32))
    spent = runs.seconds(job.folder(tmp_path))
    for name in NAMES:
        said, stored = model.score(images.select(images.test).of(name)), found(job, tmp_path, name)
        assert len(stored.score) == TEST
        assert np.array_equal(stored.score, said.score) and np.array_equal(stored.p_value, said.p_value)
        assert stored.seconds > 0
        spent += stored.seconds
    assert cost(job, tmp_path) == pytest.approx(spent)


def test_without_an_official_part_the_splits_test_part_is_scored(tmp_path):
    """Of digits exactly the split's test part, in the order of the data; of the known class it is the run's own."""
    job = Job("digits", ("3",), "pca", 0, unseen=("3", "8"), settings=(("size", "8,8"), ("calibration", 0.2)))
    perform(job, tmp_path)
    model, images = Model.load(job.folder(tmp_path)), read("digits")
    tests = part_of_split(job, images)
    for name in ("3", "8"):
        rows = [i for i in tests if images.classes[images.labels[i]] == name]
        assert 30 <= len(rows) <= 40
        assert np.array_equal(found(job, tmp_path, name).score, model.score(images.select(rows)).score)
        recorded = files.read_json(job.folder(tmp_path) / "split.json")["test"]
        assert {images.keys[i] for i in rows} & set(recorded) == (set(recorded) if name == "3" else set())


def test_an_image_under_two_labels_is_measured_nowhere(tmp_path):
    """Another class's training may have seen it: neither class's scores hold it, whichever part it would be in."""
    labels = np.repeat(NAMES, 120)
    pixels = np.random.default_rng(1).integers(0, 256, (360, 8, 8), dtype=np.uint8)
    pixels[120:180] = pixels[:60]  # half of the second class
    np.savez(tmp_path / "x.npz", images=pixels, labels=labels)
    settings = (("false_alarms", 0.5), ("size", "8,8"))
    job = Job(str(tmp_path / "x.npz"), ("3",), "pca", 0, unseen=("3", "8"), settings=settings, held=True)
    perform(job, tmp_path)
    images = read(job.data)
    parts = split(images, test=0.2, calibration=jobs.CALIBRATION, seed=0)
    twice = {*range(60), *range(120, 180)}
    for part, rows in (("unseen", parts.test), ("held", parts.calibration)):
        for name in ("3", "8"):
            mine = [i for i in rows if images.classes[images.labels[i]] == name]
            wanted = [i for i in mine if i not in twice]
            assert len(found(job, tmp_path, name, part).score) == len(wanted) > 0
    assert any(i in twice for i in parts.test)


def test_a_training_image_that_repeats_a_test_image_is_not_scored(tmp_path):
    """A copy of an official test image in the training part is no test image: the counts stay those of the test."""
    job = Job(str(official(tmp_path / "four", copied=True)), ("3",), "pca", 0, unseen=NAMES)
    perform(job, tmp_path)
    assert [len(found(job, tmp_path, name).score) for name in NAMES] == [TEST] * 3


def test_scores_do_not_depend_on_the_block(four, tmp_path, monkeypatch):
    """Blocks of five give the scores of one block."""
    job = Job(four, ("3",), "knn", 0, unseen=("8",))
    perform(job, tmp_path / "whole")
    monkeypatch.setattr(jobs, "BLOCK", 5)
    perform(job, tmp_path / "blocks")
    assert np.array_equal(found(job, tmp_path / "whole", "8").score, found(job, tmp_path / "blocks", "8").score)


def test_what_is_done_is_not_done_again(four, tmp_path, monkeypatch, here):
    """A second call trains, reads and writes nothing; a class that joins is scored by the stored model."""
    job = Job(four, ("3",), "pca", 0, unseen=("3", "8"))
    perform(job, tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        for name in ("run", "_read"):
            patch.setattr(jobs, name, lambda *_, **__: pytest.fail("done again"))
        perform(job, tmp_path)
        told = []
        assert together([job], tmp_path, report=lambda *line: told.append(line)) == {}
        assert told == [("training and scoring", 0, 0)]
    monkeypatch.setattr(BASELINES["pca"], "fit", lambda *_: pytest.fail("trained again"))
    perform(Job(four, ("3",), "pca", 0, unseen=NAMES), tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    assert len(found(job, tmp_path, "9").score) == TEST


def test_the_command_is_recorded_word_by_word(four, tmp_path):
    """A quoted class name stays one word in the run's record."""
    line = "lookalike table vtgan-2021/1 --rows 'Ankle boot/Sandal'"
    job = Job(four, ("3",), "pca", 0, unseen=("3",))
    perform(job, tmp_path, line)
    assert files.read_json(job.folder(tmp_path) / "config.json")["command"] == line


# --- leaks


def test_labels_of_official_test_images_change_nothing_but_whose_they_are(four, tmp_path):
    """With all test labels permuted, the known class's too, the model has the same bits and each image its score."""
    labels = np.random.default_rng(2).permutation(np.repeat(CLASSES, TEST))
    data = str(official(tmp_path / "four", test_labels=labels))
    first, second = (Job(source, ("3",), "pca", 0, unseen=NAMES) for source in (four, data))
    perform(first, tmp_path / "a")
    perform(second, tmp_path / "b")
    models = [tree(job.folder(tmp_path / name)) for job, name in ((first, "a"), (second, "b"))]
    assert models[0]["model.safetensors"] == models[1]["model.safetensors"]
    assert models[0]["model.json"] == models[1]["model.json"]  # the threshold stands there
    scores = key_to_score(first, tmp_path / "a")
    assert scores == key_to_score(second, tmp_path / "b") and len(scores) == 3 * TEST
    one, other = found(first, tmp_path / "a", "8").score, found(second, tmp_path / "b", "8").score
    assert not np.array_equal(one, other)  # the permutation took place


def test_labels_of_the_unknown_classes_test_part_change_no_threshold_and_no_score(tmp_path):
    """Without an official part: test images of two unknown classes swapped at random leave model and scores alone.

    The split ranks each class by content, so that some swapped images leave the test part; none enters training.
    """
    data = npz(tmp_path / "x.npz")
    first = Job(data, ("3",), "pca", 0, unseen=NAMES, settings=(("size", "8,8"), ("calibration", 0.25)))
    perform(first, tmp_path / "a")
    images = read(data)
    rows = [i for i in part_of_split(first, images) if images.labels[i] != 0]
    labels = np.repeat(NAMES, 120)
    labels[rows] = np.random.default_rng(2).permutation(labels[rows])
    assert len(rows) == 48 and 12 <= (labels != np.repeat(NAMES, 120)).sum() <= 36
    second = replace(first, data=npz(tmp_path / "y.npz", labels=labels))
    perform(second, tmp_path / "b")
    models = [Model.load(job.folder(tmp_path / name)) for job, name in ((first, "a"), (second, "b"))]
    assert models[0].threshold.value == models[1].threshold.value
    assert np.array_equal(models[0].threshold.calibration, models[1].threshold.calibration)
    one, other = key_to_score(first, tmp_path / "a"), key_to_score(second, tmp_path / "b")
    both = one.keys() & other.keys()
    assert len(both) >= 60 and {key: one[key] for key in both} == {key: other[key] for key in both}
    assert np.array_equal(found(first, tmp_path / "a", "3").score, found(second, tmp_path / "b", "3").score)


def test_the_unknown_class_is_never_seen_in_training(four, tmp_path, monkeypatch):
    """What a baseline is fitted on, and what mcgan is shown as known and as other, holds no image of the unknown."""
    shown = {}
    fit, source = BASELINES["knn"].fit, Plan.source
    monkeypatch.setattr(BASELINES["knn"], "fit", lambda pixels, seed: shown.update(knn=pixels) or fit(pixels, seed))

    def recorded(plan):
        made = source(plan)
        shown.update(known=made.known.numpy(), others=made.others.numpy())
        return made

    monkeypatch.setattr(Plan, "source", recorded)
    perform(Job(four, ("3",), "knn", 0, unseen=NAMES, settings=TINY[:1]), tmp_path)
    perform(Job(four, ("3",), "mcgan", 0, ("8",), unseen=NAMES, settings=TINY), tmp_path)
    images = read(four)
    train = images.select(~images.test)
    held = {name: {image.tobytes() for image in train.of(name).pixels} for name in NAMES}
    tests = {image.tobytes() for image in images.select(images.test).pixels}
    assert {name: len(pixels) for name, pixels in shown.items()} == {"knn": 180, "known": 180, "others": 180}
    for name, pixels in shown.items():
        seen = {image.tobytes() for image in pixels}
        assert seen <= held["8" if name == "others" else "3"]
        assert not seen & (held["9"] | tests)
    assert all(len(images) == TRAIN for images in held.values())


def test_the_unknown_class_is_never_read_in_training(tmp_path, monkeypatch):
    """Of a folder only the files of known and shown classes are opened, each once: the unknown ones may be broken."""
    pixels = np.random.default_rng(1).integers(0, 256, (120, 8, 8), dtype=np.uint8)
    for i, image in enumerate(pixels):
        (tmp_path / "data" / NAMES[i // 40]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "data" / NAMES[i // 40] / f"{i:03d}.png")
    (tmp_path / "data" / "9" / "000.png").write_bytes(b"not an image")
    opened = []
    decode, size = gate.decode, gate.size
    monkeypatch.setattr(
        gate, "decode", lambda path, *a: opened.append(("decode", path.parent.name)) or decode(path, *a)
    )
    monkeypatch.setattr(gate, "size", lambda path: opened.append(("size", path.parent.name)) or size(path))
    for known, extra_fakes in ((("3",), ("8",)), (("3", "8"), ())):
        opened.clear()
        settings = {"method": "mcgan", "threads": 1, "false_alarms": 0.5, **dict(TINY[1:])}
        settings = train_settings(known=known, extra_fakes=extra_fakes, **settings)
        runs.run(str(tmp_path / "data"), settings, tmp_path / "-".join(known))
        assert {name for _, name in opened} == {"3", "8"}
        assert [kind for kind, _ in opened] == ["size"] * 80 + ["decode"] * 80


# --- what fails


def test_a_class_without_unseen_images_is_named(four, tmp_path):
    """A class that the data does not have, or has no test image of, is one line with what to do."""
    with pytest.raises(DataError, match=r"no class '7'; there are '3', '8', '9'"):
        perform(Job(four, ("3",), "pca", 0, unseen=("7",)), tmp_path)
    data = str(official(tmp_path / "four", test_labels=np.repeat([3, 8, 8], TEST)))
    with pytest.raises(DataError, match="class 9 has no unseen images; add images of it"):
        perform(Job(data, ("3",), "pca", 1, unseen=("9",)), tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", "cut", "changed", None])
def test_damaged_scores_are_refused(damage, four, tmp_path):
    """An empty, strange, truncated, altered or missing file is a ModelError that names it and says what to do."""
    job = Job(four, ("3",), "pca", 0, unseen=("8",))
    perform(job, tmp_path)
    path = job.folder(tmp_path) / "unseen" / "8.npz"
    whole = path.read_bytes()
    damaged = {"cut": whole[:-40], "changed": whole[:120] + b"\xff\xff\xff\xff" + whole[124:]}
    path.unlink()
    if damage is not None:
        path.write_bytes(damaged.get(damage, damage))
    with pytest.raises(
        ModelError, match=r"8\.npz holds no scores: .*remove it, and run the same command again"
    ) as error:
        found(job, tmp_path, "8")
    assert "\n" not in str(error.value)


def test_one_failure_leaves_the_others(four, tmp_path, here):
    """The job whose folder is a stranger's is returned with its sentence; the others are done, and all are reported."""
    good = [Job(four, (name,), "pca", 0, unseen=NAMES) for name in ("3", "8")]
    bad = Job(four, ("9",), "pca", 0, unseen=NAMES)
    bad.folder(tmp_path).mkdir(parents=True)
    (bad.folder(tmp_path) / "mine.txt").write_text("mine")
    told = []
    failed = together([good[0], bad, good[1]], tmp_path, report=lambda *line: told.append(line))
    assert list(failed) == [bad] and "holds other files (mine.txt)" in failed[bad]
    assert all(is_done(job, tmp_path) for job in good) and not is_done(bad, tmp_path)
    assert told[0] == ("training and scoring", 0, 3)
    assert {line[0] for line in told[1:]} == {f"pca on {name}, seed 0" for name in NAMES}
    assert [line[1:] for line in told[1:]] == [(1, 3), (2, 3), (3, 3)]


# --- stops; these two tests start processes


def long(four, seed):
    """A training that does not end here and that saves no checkpoint before its end."""
    more = {"images": 10**8, "log_every": 10**8, "sample_every": 10**8, "save_every": 10**8}
    return Job(four, ("3",), "anogan", seed, unseen=("3",), settings=tuple((dict(TINY) | more).items()))


def wait(ready, what):
    """Waits for `ready()`, a minute at most."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def begun(job, folder):
    """Whether its training goes on: the first samples are drawn."""
    return (job.folder(folder) / "samples" / "000000000.png").exists()


def test_a_stop_saves_checkpoints_and_begins_nothing_new(four, tmp_path):
    """Ctrl-C ends all workers: what trains leaves a checkpoint, what is done stays, what waits is never begun."""
    done, trains, waits = Job(four, ("3",), "pca", 0, unseen=("3",)), [long(four, 0), long(four, 1)], long(four, 2)

    def report(_stage, count, _of):
        if count:
            wait(lambda: all(begun(job, tmp_path) for job in trains), "the trainings begin")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together([done, *trains, waits], tmp_path, report=report, workers=2)
    assert multiprocessing.active_children() == []
    assert is_done(done, tmp_path)
    assert [len(list((job.folder(tmp_path) / "checkpoints").iterdir())) for job in trains] == [1, 1]
    assert not waits.folder(tmp_path).exists()


def test_the_workers_of_a_killed_parent_free_their_runs(four, tmp_path):
    """After SIGKILL no worker holds a run's lock, so that the same command can go on."""
    job = long(four, 0)
    code = (
        "import sys\nfrom pathlib import Path\nfrom lookalike.studies.jobs import Job, side_by_side\n"
        f"if __name__ == '__main__':\n    side_by_side([{job!r}], Path(sys.argv[1]), workers=1, command='',"
        " report=lambda *_: None)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    with subprocess.Popen([sys.executable, tmp_path / "parent.py", tmp_path], stderr=subprocess.PIPE) as parent:
        wait(lambda: begun(job, tmp_path), "the training begins")
        with pytest.raises(LockedError), files.lock(job.folder(tmp_path)):
            pass
        os.kill(parent.pid, signal.SIGKILL)

    def free():
        with contextlib.suppress(LockedError), files.lock(job.folder(tmp_path)):
            return True
        return False

    wait(free, "the worker ends")
