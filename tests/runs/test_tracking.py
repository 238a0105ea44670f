"""Other tools get the figures and grids of a training, each once, and cost the training nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import time

import pytest
from clean_failure import assert_clean_failure, tree
from PIL import Image
from tiny import settings, train

from lookalike.base.interrupts import Stopped
from lookalike.runs import run as runs
from lookalike.runs import trackers, tracking
from lookalike.runs.settings import train_settings

REAL = ("tensorboard", "wandb", "mlflow", "trackio")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the tools
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


@pytest.fixture(autouse=True)
def offline(tmp_path, tmp_path_factory, monkeypatch):
    """No tool asks anything but the disk below a test's folder; all share MLflow's database, which takes seconds."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("TRACKIO_DIR", f"{tmp_path_factory.getbasetemp()}/trackio")  # read once, by its import
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.getbasetemp()}/mlflow.db")
    monkeypatch.chdir(tmp_path)


def finished(out, *tools, method="anogan", stop_at=None, warn=lambda line: None, **changes):
    """A run that these tools follow; with `stop_at`, stopped by SIGTERM after so many images."""

    def report(stage, done, of):
        if stage == "training" and done == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    given = train_settings(**settings(method, **changes))
    with contextlib.suppress(Stopped):
        runs.run("digits", given, out, trackers=tools, report=report, warn=warn)


def lines(out):
    """{images: figures} of metrics.jsonl."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text("ascii").splitlines()]
    return {row["images"]: row for row in rows}


def drawn(out):
    """{images: width and height} of the grids."""
    return {int(path.stem): Image.open(path).size for path in sorted((out / "samples").glob("*.png"))}


def in_tensorboard(out):
    """What TensorBoard has: [(images, name, value)] of figures, and [(images, size)] of grids."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    there = EventAccumulator(str(out / "tensorboard"), size_guidance={"scalars": 0, "images": 0}).Reload()
    tags = there.Tags()
    figures = [(event.step, name, event.value) for name in tags["scalars"] for event in there.Scalars(name)]
    grids = [(event.step, (event.width, event.height)) for name in tags["images"] for event in there.Images(name)]
    return figures, grids


def in_wandb(out):
    """The same of Weights & Biases, from the records of its offline runs, which must all be of one run."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # ends its process, which may write on after a run has ended
    figures, grids, ids = [], [], set()
    for path in sorted((out / "wandb").glob("offline-run-*/*.wandb")):
        for data in _records(path.read_bytes()):
            record = Record.FromString(data)
            ids |= {record.run.run_id} - {""}
            step = record.history.step.num
            row = {tuple(item.nested_key) or (item.key,): json.loads(item.value_json) for item in record.history.item}
            if ("samples", "width") in row:
                grids.append((step, (row["samples", "width"], row["samples", "height"])))
            figures += [(step, *key, value) for key, value in row.items() if len(key) == 1 and key[0][0] != "_"]
    assert len(ids) == 1
    return figures, grids


def _records(data):
    """The records of a file in the log format of LevelDB, after a header of seven bytes."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:  # full, or the last part
            yield parts
            parts = b""


def in_mlflow(out):
    """The same of MLflow, from its database, which must have one run of the folder's name, marked as finished."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("lookalike").experiment_id
    (run,) = client.search_runs([experiment], f"attributes.run_name = '{out.name}'")
    assert run.info.status == "FINISHED" and run.data.params["method"] == "anogan"
    figures = [
        (m.step, key, m.value) for key in run.data.metrics for m in client.get_metric_history(run.info.run_id, key)
    ]
    files = [item.path for item in client.list_artifacts(run.info.run_id, "images") if item.path.endswith(".png")]
    sizes = [Image.open(client.download_artifacts(run.info.run_id, path)).size for path in files]
    return figures, list(zip([int(path.split("+")[2]) for path in files], sizes, strict=True))


def in_trackio(out):
    """The same of Trackio, from its database, which must have one run whose name begins with the folder's."""
    from trackio.sqlite_storage import SQLiteStorage
    from trackio.utils import MEDIA_DIR

    (run,) = (name for name in SQLiteStorage.get_runs("lookalike") if name.startswith(f"{out.name}-"))
    figures, grids = [], []
    for row in SQLiteStorage.get_logs("lookalike", run):
        step, grid = row.pop("step"), row.pop("samples", None)
        del row["timestamp"]
        if grid is not None:
            grids.append((step, Image.open(MEDIA_DIR / grid["file_path"]).size))
        figures += [(step, "step" if key == "steps" else key, value) for key, value in row.items()]
    return figures, grids


READ = {"tensorboard": in_tensorboard, "wandb": in_wandb, "mlflow": in_mlflow, "trackio": in_trackio}


def assert_has_all(tool, out):
    """The tool has each figure and each grid of the run folder at its images, and nothing twice."""
    figures, grids = READ[tool](out)
    wanted = {(images, key): value for images, row in lines(out).items() for key, value in row.items()}
    clock = {place for place in wanted if place[1] == "seconds"}  # a resumed training has its own
    found = {(images, key): value for images, key, value in figures}
    assert len(figures) == len(found) and found.keys() == wanted.keys()
    assert all(found[place] == pytest.approx(wanted[place], rel=1e-6) for place in wanted.keys() - clock)
    if tool != "mlflow":
        assert sorted(grids) == sorted(drawn(out).items())
    else:  # keeps a small copy beside each
        assert dict(sorted(grids)).keys() == drawn(out).keys()


@pytest.mark.parametrize("tool", REAL)
def test_a_tool_has_the_figures_and_grids_of_a_resumed_run_once(tool, tmp_path):
    """Stopped in the middle and resumed, the run is one run of the tool, with each line and each grid once."""
    every = {"log_every": 64, "sample_every": 128, "save_every": 256}
    out = tmp_path / "resumed"
    finished(out, tool, stop_at=128, **every)
    assert max(lines(out)) < 256
    time.sleep(1.1)  # folders of W&B are named by the second
    finished(out, tool, **every)
    assert list(lines(out)) == [64, 128, 192, 256]
    assert_has_all(tool, out)


def test_several_tools_follow_one_run_and_a_finished_run_is_given_later(tmp_path):
    """A run that nobody followed is given to two tools by the same command, and a third call gives nothing again."""
    finished(tmp_path / "later")
    for _ in range(2):
        finished(tmp_path / "later", "tensorboard", "mlflow")
        assert_has_all("tensorboard", tmp_path / "later")
        assert_has_all("mlflow", tmp_path / "later")


@pytest.mark.parametrize("tool", ["tensorboard", "wandb"])
def test_each_class_with_a_training_of_its_own_is_a_run(tool, tmp_path):
    """With two known classes and a GAN for each, a tool has a run of each class, below the class's folder."""
    finished(tmp_path / "run", tool, known=("3", "5"))
    for name in ("3", "5"):
        assert_has_all(tool, tmp_path / "run" / "classes" / name)


def test_a_followed_run_has_the_bits_of_another(tmp_path):
    """Weights, metrics and samples are those of a run that no tool follows."""
    finished(tmp_path / "alone")
    finished(tmp_path / "run", "tensorboard", "wandb")
    alone, run = (
        {name: data for name, data in tree(tmp_path / name).items() if name.startswith(("model", "samples"))}
        for name in ("alone", "run")
    )
    assert alone == run and "model.safetensors" in run


def test_a_tool_that_fails_is_left_and_gets_the_rest_later(tmp_path, monkeypatch):
    """The training of a tool that fails ends as ever, one warning says so, and the same command again gives all."""

    def broken(*_):
        raise OSError("no space\nand more")

    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setitem(trackers.OPENED, "tensorboard", broken)
        finished(tmp_path / "run", "tensorboard", warn=said.append)
    assert [line for line in said if "tensorboard" in line] == [
        "tensorboard gets nothing more: no space; the training goes on, and the same command again gives it the rest"
    ]
    assert (tmp_path / "run" / "model.safetensors").exists()
    finished(tmp_path / "run", "tensorboard")
    assert_has_all("tensorboard", tmp_path / "run")


def test_a_tool_that_is_not_installed_is_named_with_what_to_install(tmp_path, monkeypatch, capsys):
    """Without its package, --log ends in one line that says what to install, and no folder is made."""
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    message = assert_clean_failure(capsys, train(tmp_path / "run", "--log", "mlflow"), 2, kept=tmp_path)
    assert "--log mlflow needs the package mlflow; pip install '.[mlflow]'" in message


def test_a_damaged_record_of_what_was_given_gives_all_again(tmp_path):
    """Where tracked.json cannot be read, the tool is a new one."""
    finished(tmp_path / "run", "tensorboard")
    (tmp_path / "run" / tracking.TRACKED).write_text("{")
    finished(tmp_path / "run", "tensorboard")
    assert json.loads((tmp_path / "run" / tracking.TRACKED).read_text())["tensorboard"]["figures"] == 256
