"""A study does what is missing: trials of one folder as one, failures named, and stops that lose nothing."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from official import CLASSES, official

from lookalike.base import files, workers
from lookalike.base.errors import LockedError
from lookalike.data import read
from lookalike.features import cache
from lookalike.features.cache import Reading
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study, merged
from lookalike.studies.trial import Cell, FiguresTrial

TINY = (("size", "8,8"), ("width", 4), ("z", 8), ("images", 128), ("batch", 64), ("search_steps", 5))
NAMES = tuple(map(str, CLASSES))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """The folder of a data set with an official test part."""
    return str(official(tmp_path_factory.mktemp("data") / "four"))


def test_trials_of_one_folder_are_one():
    """They are merged in the order of first appearance, with every class once; others stay apart."""
    first, other = (
        DetectorTrial("d", "pca", 0, known=("3",), scored=("3", "8")),
        DetectorTrial("d", "pca", 1, known=("3",), scored=("3",)),
    )
    again = DetectorTrial("d", "pca", 0, known=("3",), scored=("9", "3"))
    extra_fakes = DetectorTrial(
        "d", "mcgan", 0, known=("3",), extra_fakes=("8",), preset="paper", scored=("3",), settings=(("z", 4),)
    )
    assert merged([first, other, again, extra_fakes, extra_fakes], Path("runs")) == [
        DetectorTrial("d", "pca", 0, known=("3",), scored=("3", "8", "9")), other, extra_fakes,
    ]  # fmt: skip


@dataclass(frozen=True)
class Looking(FiguresTrial):
    """A trial that looks at the same image as the others, and stores how many images the network saw."""

    def folder(self, runs):
        return runs / str(self.seed)

    def measure(self, folder, command):
        seen = []

        def see(pixels):
            seen.extend(pixels)
            return [torch.ones(2, 3, 4, 5)]

        readings = [Reading.of("a reading", (3, 4, 5))]
        ((n, (found,)),) = cache.current().blocks(see, np.ones((1, 3, 8, 8), np.uint8), 2, readings)
        return {"seen": len(seen), "found": [n, *found.shape]}


def test_trials_share_what_networks_saw(tmp_path, monkeypatch, here):
    """The second trial finds the rows of the first; after the trials nothing is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    trials = [Looking("d", "m", seed) for seed in range(2)]
    for trial in trials:
        assert not Study(tmp_path / "runs").perform([trial])
    assert [trial.figures(tmp_path / "runs")["seen"] for trial in trials] == [1, 0]
    assert trials[1].figures(tmp_path / "runs")["found"] == [1, 2, 3, 4, 5] and cache.current() is None


@dataclass(frozen=True)
class Reads(FiguresTrial):
    """A trial that reads its images, and says how often it had to decode them."""

    def folder(self, runs):
        return runs / str(self.seed)

    def measure(self, folder, command):
        said = []
        images = read(self.data, size=(8, 8), report=lambda *line: said.append(line))
        return {"decoded": len(said), "sum": int(images.pixels.sum())}


def test_trials_share_the_images_that_one_has_read(tmp_path, monkeypatch):
    """Of two trials, each in a process of its own, the first reads the images and the second maps them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.savez(tmp_path / "d.npz", images=np.arange(640).reshape(10, 8, 8).astype(np.uint8), labels=np.zeros(10, int))
    trials = [Reads(str(tmp_path / "d.npz"), "m", seed) for seed in range(2)]
    assert not Study(tmp_path / "runs").perform(trials)
    found = [trial.figures(tmp_path / "runs") for trial in trials]
    assert [one["decoded"] for one in found] == [1, 0]
    assert {one["sum"] for one in found} == {int(read(tmp_path / "d.npz").pixels.sum())}


def test_one_failure_leaves_the_others(four, tmp_path, here):
    """The one whose folder is a stranger's is returned with its sentence; the others are done, and all are reported."""
    good = [DetectorTrial(four, "pca", 0, known=(name,), scored=NAMES) for name in ("3", "8")]
    bad = DetectorTrial(four, "pca", 0, known=("9",), scored=NAMES)
    bad.folder(tmp_path).mkdir(parents=True)
    (bad.folder(tmp_path) / "mine.txt").write_text("mine")
    told, said = [], []
    study = Study(tmp_path, report=lambda *line: told.append(line), warn=said.append)
    failed = study.perform([good[0], bad, good[1]])
    assert list(failed) == [bad] and "holds other files (mine.txt)" in failed[bad]
    assert all(one.is_done(tmp_path) for one in good) and not bad.is_done(tmp_path)
    assert told[0] == ("training and measuring", 0, 3)
    assert {line[0] for line in told[1:]} == {f"pca on {name}, seed 0" for name in NAMES}
    assert [line[1:] for line in told[1:]] == [(1, 3), (2, 3), (3, 3)]
    assert said == [f"pca on 9, seed 0: {failed[bad]}"]


def test_trials_that_fail_for_one_reason_are_one_warning(tmp_path, here):
    """With their number and their methods."""
    vectors = np.random.default_rng(0).random((60, 5), np.float32)
    np.savez(tmp_path / "v.npz", images=vectors, labels=np.repeat(["a", "b"], 30))
    said, base = [], DetectorTrial(str(tmp_path / "v.npz"), "rotation", 0, scored=("a",))
    trials = [base.but(known=(name,), settings=(("false_alarms", 0.5),)) for name in "ab"]
    assert set(Study(tmp_path / "runs", warn=said.append).perform(trials)) == set(trials)
    assert len(said) == 1 and said[0].startswith("2 trials failed (rotation): rotation takes images")


def test_trials_of_another_version_are_one_warning(four, tmp_path, here):
    """They are not done again, and a line says how many there are; of this version's nothing is said."""
    said = []
    trials = [DetectorTrial(four, "pca", seed, known=("3",), scored=("3",)) for seed in (0, 1)]
    study = Study(tmp_path, warn=said.append)
    study.perform(trials)
    assert said == []
    config = trials[0].folder(tmp_path) / "config.json"
    config.write_text(config.read_text().replace(f'"lookalike": "{version("lookalike")}"', '"lookalike": "0.0.9"'))
    assert study.perform(trials) == {} and len(said) == 1
    assert said[0].startswith("1 of 2 trials in ") and "were done by lookalike 0.0.9" in said[0] and "--runs" in said[0]


def test_a_method_that_lacks_a_cell_is_named(four, tmp_path, here):
    """With the number of its missing cells, in words; a method with all cells is not."""
    said, names = [], ("3", "8")
    cells = [
        Cell(name, method, 0, (DetectorTrial(four, method, 0, known=(name,), scored=("3",)),))
        for method in ("pca", "knn") for name in names
    ]  # fmt: skip
    study = Study(tmp_path, warn=said.append)
    study.perform([trial for cell in cells[:3] for trial in cell.trials])
    assert study.lacking(cells) == {"knn": "1 of 2 cells is missing"}
    assert said == ["knn is compared with nothing: 1 of 2 cells is missing; the same command tries them again"]
    assert study.lacking(cells, lambda _cell: False) == dict.fromkeys(("pca", "knn"), "2 of 2 cells are missing")


@dataclass(frozen=True)
class Placed(FiguresTrial):
    """A trial that stores the settings of where it trains."""

    def folder(self, runs):
        return runs / self.method

    def shown(self, runs):
        return "640 images shown" if self.method == "begun" else ""

    def measure(self, folder, command):
        return self.place


@pytest.mark.parametrize(
    ("device", "precision"), [("cpu", {}), ("cuda:1", {"precision": "tf32"}), ("mps", {})], ids=["cpu", "cuda", "mps"]
)
def test_a_study_says_where_its_trials_train(device, precision, tmp_path, here):
    """Each trial gets the device; its folder is the same on every device, and its failure is told under its name."""
    trial = Placed("d", "m", 0)
    assert Study(tmp_path, device=device).perform([trial]) == {}
    found = trial.figures(tmp_path)
    assert {name: found[name] for name in found if name != "version"} == {"threads": 1, "device": device} | precision
    lost = DetectorTrial(str(tmp_path / "nothing"), "pca", 0, known=("3",), scored=("3",))
    assert list(Study(tmp_path, device=device).perform([lost])) == [lost]
    assert lost.but(device="cuda").train_settings().device == "cuda"


def test_in_slices_what_is_left_goes_on(tmp_path, monkeypatch):
    """Trials are done in their order whatever they cost, and a line says how many are left and how far each is."""
    said, given = [], []

    def nothing(do, tasks, *_):
        given.extend(iter(tasks.take, None))
        return (one for one in ())

    monkeypatch.setattr(workers, "_spread", nothing)
    trials = [Placed("d", name, 0) for name in ("begun", "waits")]
    assert Study(tmp_path, minutes=8, slices=True, warn=said.append).perform(trials) == {}
    assert given == trials
    assert said == [
        "not done within 8 minutes: 2 trials left; begun on d, seed 0: 640 images shown; the same command goes on"
    ]


# --- stops; these two tests start processes


def long(four, seed):
    """A training that does not end here and that saves no checkpoint before its end."""
    more = {"images": 10**8, "log_every": 10**8, "sample_every": 10**8, "save_every": 10**8}
    return DetectorTrial(four, "anogan", seed, known=("3",), scored=("3",), settings=tuple((dict(TINY) | more).items()))


def wait(ready, what):
    """Waits for `ready()`, a minute at most."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def begun(one, folder):
    """Whether its training goes on: the first samples are drawn."""
    return (one.folder(folder) / "samples" / "000000000.png").exists()


def test_a_stop_saves_checkpoints_and_begins_nothing_new(four, tmp_path):
    """Ctrl-C ends all workers: what trains leaves a checkpoint, what is done stays, what waits is never begun."""
    done, trains, waits = (
        DetectorTrial(four, "pca", 0, known=("3",), scored=("3",)),
        [long(four, 0), long(four, 1)],
        long(four, 2),
    )

    def report(_stage, count, _of):
        if count:
            wait(lambda: all(begun(one, tmp_path) for one in trains), "the trainings begin")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Study(tmp_path, workers=2, report=report).perform([done, *trains, waits])
    assert multiprocessing.active_children() == []
    assert done.is_done(tmp_path)
    assert [len(list((one.folder(tmp_path) / "checkpoints").iterdir())) for one in trains] == [1, 1]
    assert not waits.folder(tmp_path).exists()


def test_the_workers_of_a_killed_parent_free_their_runs(four, tmp_path):
    """After SIGKILL no worker holds a run's lock, so that the same command can go on."""
    one = long(four, 0)
    code = (
        "import sys\nfrom pathlib import Path\nfrom lookalike.studies.detect.trial import DetectorTrial\n"
        "from lookalike.studies.study import Study\n"
        f"if __name__ == '__main__':\n    Study(Path(sys.argv[1])).perform([{one!r}])\n"
    )
    (tmp_path / "parent.py").write_text(code)
    with subprocess.Popen([sys.executable, tmp_path / "parent.py", tmp_path], stderr=subprocess.PIPE) as parent:
        wait(lambda: begun(one, tmp_path), "the training begins")
        with pytest.raises(LockedError), files.lock(one.folder(tmp_path)):
            pass
        os.kill(parent.pid, signal.SIGKILL)

    def free():
        with contextlib.suppress(LockedError), files.lock(one.folder(tmp_path)):
            return True
        return False

    wait(free, "the worker ends")
