"""Trials on a Ray cluster: two machines on the loopback end in what this machine ends in, whatever is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clean_failure import assert_clean_failure, tree
from started_bench import PROGRAM, alive
from started_cluster import SOURCE, started

from lookalike.base import cluster as ours
from lookalike.base import files
from lookalike.base.errors import LostError, UsageError
from lookalike.studies import cluster
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.trial import FiguresTrial

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # Ray's own are not ours to mend
TINY = (("images", 640), ("false_alarms", 0.5))
SECONDS = ("metrics.jsonl", ".npz", "0.safetensors", "6.safetensors", ".lock", "bench-detect")  # differ by seconds


@pytest.fixture(scope="module")
def address():
    """The address of a cluster that no test harms; its machines get this file's classes by value."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    found = started()
    yield found.address
    found.shutdown()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four classes of short vectors."""
    draw, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "v.npz"
    labels = np.repeat(range(4), 40)
    np.savez(path, images=np.tanh(draw.normal(size=(160, 6)) + labels[:, None] / 3).astype("float32"), labels=labels)
    return path


@dataclass(frozen=True)
class Act(FiguresTrial):
    """A trial that does what its method says, and stores its working folder; `data` is a folder that all see."""

    def folder(self, runs):
        return runs / self.method / str(self.seed)

    def measure(self, folder, command):
        seen, there = Path(self.data), sorted(path.name for path in folder.iterdir())
        files.write_text(folder / "begun", "")
        tries = len(list(seen.glob(f"{self.method}-{self.seed}-*")))
        (seen / f"{self.method}-{self.seed}-{tries}").write_text(str(os.getpid()))
        if self.method == "die" or (self.method == "die once" and not tries):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.method == "wrong":
            raise KeyError(self.method)
        try:
            while self.method == "sleep" or (self.method == "wait" and self.seed and not (seen / "killed").exists()):
                time.sleep(0.1)
        except KeyboardInterrupt:
            files.write_text(folder / "saved", "so far")
            raise
        return {"place": os.getcwd(), "command": command, "there": there}


@pytest.fixture
def apart(monkeypatch):
    """No machine sees the folder of the trials."""

    def signed(runs):
        return contextlib.nullcontext(runs / "not there")

    monkeypatch.setattr(cluster, "_signed", signed)


@pytest.fixture(params=["apart", "in one folder"])
def either(request):
    """Machines that do not see the folder of the trials, and then such as do; says whether they do."""
    if request.param == "apart":
        request.getfixturevalue("apart")
    return request.param != "apart"


def kept(folder: Path) -> dict[str, bytes]:
    """The files that hold no seconds."""
    return {name: data for name, data in tree(folder).items() if not name.endswith(SECONDS)}


@pytest.mark.usefixtures("either")
def test_trials_end_in_the_same_files_and_figures_as_here(data, address, tmp_path, monkeypatch):
    """Weights and records in bits, and the scores; the data is named from this working folder."""
    monkeypatch.chdir(data.parent)
    trials = [
        DetectorTrial(data.name, method, 0, known=("3",), scored=("3", "1"), settings=TINY)
        for method in ("anogan", "pca")
    ]
    told = []
    assert Study(tmp_path / "here", workers=2).perform(trials) == {}
    there = Study(tmp_path / "there", workers=2, cluster=address, report=lambda *line: told.append(line))
    assert there.perform(trials) == {}
    assert told[0] == ("training and measuring", 0, 2) and [line[1:] for line in told[1:]] == [(1, 2), (2, 2)]
    assert {line[0] for line in told[1:]} == {"anogan on 3, seed 0", "pca on 3, seed 0"}
    assert len(kept(tmp_path / "here")) > 6 and kept(tmp_path / "there") == kept(tmp_path / "here")
    for trial in trials:
        for name in ("3", "1"):
            one, other = (trial.scores(tmp_path / where, name) for where in ("here", "there"))
            assert np.array_equal(one.score, other.score) and np.array_equal(one.p_value, other.p_value)


def test_the_command_writes_the_same_bench(data, address, tmp_path):
    """`bench detect --cluster auto` prints what the same bench prints without it, and none of Ray's lines."""
    found = []
    for n, more in enumerate(([], ["--cluster", "auto"])):
        flags = [
            "--methods",
            "pca",
            "--methods",
            "knn",
            "--seeds",
            "1",
            "--known",
            "3",
            "--runs",
            tmp_path / f"runs{n}",
        ]
        run = started_bench(data, tmp_path / f"out{n}", *flags, *more, RAY_ADDRESS=address)
        out, err = run.communicate(timeout=200)
        assert run.returncode == 0, err
        assert "Traceback" not in err and "ray" not in err.lower()
        found.append(([line.split()[:2] for line in out.splitlines()[:3]], set(kept(tmp_path / f"runs{n}"))))
    assert len(found[0][0]) == 3 and len(found[0][1]) > 6 and found[1] == found[0]


def started_bench(data, out, *flags, **variables):
    """A real `lookalike bench detect`."""
    argv = [sys.executable, "-c", PROGRAM, "bench", "detect", data, "-o", out, *flags]
    environment = os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"} | variables
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, argv)), start_new_session=True, env=environment, **pipes)


def test_a_trial_whose_process_is_killed_is_tried_again(address, tmp_path, either):
    """It alone. The working folder is that of the command, and what a trial's folder held goes with it.

    What it had saved is there at the second try, where machines see the folder.
    """
    trials = [Act(str(tmp_path), "die once", 0), Act(str(tmp_path), "go", 0)]
    (tmp_path / "runs/go/0").mkdir(parents=True)
    (tmp_path / "runs/go/0/before").touch()
    assert Study(tmp_path / "runs", workers=2, cluster=address, command="c").perform(trials) == {}
    assert len(list(tmp_path.glob("die once-0-*"))) == 2 and len(list(tmp_path.glob("go-0-*"))) == 1
    found = trials[1].figures(tmp_path / "runs")
    assert (found["place"], found["command"], found["there"]) == (os.getcwd(), "c", [".lock", "before"])
    assert (tmp_path / "runs/go/0/before").exists()
    assert trials[0].figures(tmp_path / "runs")["there"] == [".lock", *["begun"] * either]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"die once", "go"}


@pytest.mark.usefixtures("apart")
def test_a_trial_that_is_always_killed_has_a_sentence(address, tmp_path):
    """After its retries; nothing of it is left here."""
    trial = Act(str(tmp_path), "die", 0)
    failed = Study(tmp_path / "runs", cluster=address).perform([trial])
    assert list(failed) == [trial] and failed[trial].startswith("its process or machine was lost 4 times (")
    assert failed[trial].endswith("; the same command tries again") and "\n" not in failed[trial]
    assert len(list(tmp_path.glob("die-0-*"))) == 4 and tree(tmp_path / "runs") == {}


def test_a_failure_and_a_fault_reach_the_command(data, address, tmp_path):
    """A refused trial has its sentence with the machine's name; a bug of ours is raised."""
    refused = DetectorTrial(str(data), "pca", 0, known=("9",), scored=("9",))
    (said,) = Study(tmp_path, cluster=address).perform([refused]).values()
    assert "9" in said and said.endswith(f" (on {os.uname().nodename})")
    with pytest.raises(KeyError, match="wrong"):
        Study(tmp_path / "runs", cluster=address).perform([Act(str(tmp_path), "wrong", 0)])


@pytest.mark.usefixtures("either")
def test_what_runs_when_the_time_is_over_is_saved_here(address, tmp_path, monkeypatch):
    """As after Ctrl-C: what a trial saved comes back, it has not failed, and what waits is not begun."""
    clock = lambda: time.monotonic() + (1000 if list(tmp_path.glob("sleep-0-0")) else 0)  # noqa: E731
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=clock))
    trials = [Act(str(tmp_path), "sleep", seed) for seed in range(2)]
    said = []
    study = Study(tmp_path / "runs", cluster=address, workers=1, minutes=10, slices=True, warn=said.append)
    assert study.perform(trials) == {}
    assert (trials[0].folder(tmp_path / "runs") / "saved").read_text() == "so far"
    assert not list(tmp_path.glob("sleep-1-*")) and said[0].startswith("not done within 10 minutes: 2 trials left")


@pytest.fixture
def mortal(address):
    """A cluster of one test, which kills a part of it."""
    found = started()
    yield found
    found.shutdown()


def test_trials_of_a_lost_machine_are_done_by_another(mortal, tmp_path):
    """A machine is killed in the middle; the study ends with all trials, and the lost one finds what it had saved."""
    trials = [Act(str(tmp_path), "wait", seed) for seed in range(4)]

    def kill(_stage, count, _of):
        if count != 1:
            return
        end = time.monotonic() + 120
        while len(list(tmp_path.glob("wait-*-0"))) < 3:  # the one that has ended, and one on each machine
            assert time.monotonic() < end
            time.sleep(0.1)
        mortal.remove_node(mortal.list_all_nodes()[1], allow_graceful=False)
        there = [Path("/proc", path.read_text()) for path in tmp_path.glob("wait-[123]-0")]
        while all(process.exists() for process in there):  # it ends when it misses its machine
            assert time.monotonic() < end
            time.sleep(0.1)
        (tmp_path / "killed").touch()

    assert Study(tmp_path / "runs", workers=2, cluster=mortal.address, report=kill).perform(trials) == {}
    assert all(trial.is_done(tmp_path / "runs") for trial in trials) and len(mortal.list_all_nodes()) == 1
    begun = ["begun" in trial.figures(tmp_path / "runs")["there"] for trial in trials]
    assert begun == [len(list(tmp_path.glob(f"wait-{trial.seed}-*"))) > 1 for trial in trials] and sum(begun) == 1


def test_a_lost_head_is_one_line(mortal, data, tmp_path):
    """The command ends, with the exit code of what is lost, and leaves nobody."""
    flags = ["--methods", "anogan", "--images", "100000000", "--runs", tmp_path / "r", "--cluster", mortal.address]
    run = started_bench(data, tmp_path / "out", *flags)
    end = time.monotonic() + 60
    while not list((tmp_path / "r").rglob("config.json")):  # a trial has begun
        assert time.monotonic() < end and run.poll() is None, run.communicate()
        time.sleep(0.1)
    mortal.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
    _, err = run.communicate(timeout=60)
    assert run.returncode == LostError.exit_code and alive(run.pid) == []
    last = err.strip().splitlines()[-1]
    assert last.startswith(f"error: the head of the cluster at {mortal.address} is lost") and "Traceback" not in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--cluster", "nowhere"], "--cluster nowhere is no address; give HOST:PORT of the head, or auto"),
        (["--cluster", "ray://a:1"], "ray://a:1 is no address"),
        (["--cluster", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1; start it with 'ray start --head' there"),
        (["--cluster", "auto", "--device", "cuda:1"], "with --cluster --device is cpu or cuda"),
    ],
    ids=["no address", "of a client", "nobody", "card"],
)
def test_a_cluster_that_cannot_be_used_is_one_line(flags, said, data, tmp_path, capsys):
    """It says what was given and what to do, and nothing is written."""
    argv = ["bench", "detect", str(data), "--methods", "pca", "--runs", str(tmp_path / "r"), "-o", str(tmp_path / "o")]
    assert_clean_failure(capsys, [*argv, *flags], UsageError.exit_code, said, kept=tmp_path)


def test_without_the_extra_it_is_named(data, tmp_path, monkeypatch):
    """Where Ray is not installed."""
    monkeypatch.setattr(ours, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs the package ray; pip install '\.\[cluster\]'"):
        ours.room("auto", "cpu")


def test_a_cluster_without_a_gpu_is_said(address):
    """Before a trial waits for ever; with processors it has room for one trial on each."""
    assert ours.room(address, "cpu") == 2
    with pytest.raises(UsageError, match="no machine of the cluster has a GPU to give"):
        ours.room(address, "cuda")


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path):
    """Whatever a machine sends, nothing is written beside the folder, and the folder stays as it was."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine").touch()
    for name in ("../out", "/out", "a/../../out"):
        with pytest.raises(UsageError, match="leads out of its folder"):
            cluster._write(tmp_path / "run", {"good": b"", name: b""})
    assert set(tree(tmp_path)) == {"run/mine", "run/.lock"}


def test_a_machine_with_other_images_begins_nothing(data, tmp_path, monkeypatch):
    """It returns the name under which its images would be, and does not train."""
    monkeypatch.chdir(tmp_path)  # as the machine will
    monkeypatch.setattr(cluster.workers, "one_thread", lambda: None)
    trial = DetectorTrial(str(data), "pca", 0, known=("3",), scored=("3",))
    given = cluster._Given(trial, "of other images", {}, tmp_path, "", str(tmp_path), version("lookalike"))
    back = cluster._on_node(pytest.fail, given)
    assert (back.folder, back.files) == (trial.folder(Path()).as_posix(), {})
