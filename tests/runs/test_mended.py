"""A run with a lost or damaged file: what the message says to do is done, and then the command succeeds."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from clean_failure import assert_clean_failure, tree
from tiny import call, train

from lookalike.base.checkpoint import NAME_LIMIT, NAMES_LIMIT, save_model
from lookalike.base.errors import DataError, ModelError
from lookalike.runs import run as runs
from lookalike.runs.settings import train_settings


def cut(data: bytes) -> bytes:
    """Half of a file."""
    return data[: len(data) // 2]


def digit(data: bytes) -> bytes:
    """Another hexadecimal digit in the middle: of split.json, another image that trained."""
    at = next(i for i in range(len(data) // 2, len(data)) if data[i : i + 1] in b"0123456789abcdef")
    return data[:at] + (b"1" if data[at : at + 1] == b"0" else b"0") + data[at + 1 :]


FILES = ("model.json", "model.safetensors", "split.json")
DAMAGE = {"lost": None, "cut": cut, "empty": lambda _: b"", "other": lambda _: b"[1]", "digit": digit}


@pytest.fixture(scope="module", params=["knn", "anogan"])
def whole(request, tmp_path_factory):
    """(method, folder) of a finished run with an evaluation."""
    from lookalike.faces.cli import main

    out = tmp_path_factory.mktemp("whole") / "run"
    assert main(train(out, method=request.param)) == 0
    assert main(["evaluate", str(out), "digits"]) == 0
    return request.param, out


def damaged(whole, tmp_path, name, how):
    """A copy of the run whose file `name` is lost or damaged."""
    out = shutil.copytree(whole, tmp_path / "run")
    change, path = DAMAGE[how], out / name
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    return out


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_the_same_train_command_makes_a_lost_or_damaged_file_again(name, how, whole, tmp_path, capsys):
    """`evaluate` says to train again; that says what it makes, ends in the same bits, and then `evaluate` succeeds."""
    method, folder = whole
    out = damaged(folder, tmp_path, name, how)
    code, _, err = call(capsys, "evaluate", out, "digits")
    assert code == 4 and "train" in err and len(err.splitlines()) == 1
    assert "train again" in err or "the same train command" in err
    code, _, err = call(capsys, *train(out, method=method))
    assert code == 0, err
    lacks_card = how == "lost" and name == "model.json"  # as a run that was not finished
    assert ("made again: " in err or "written again" in err) != lacks_card
    assert lacks_card or name in err
    kept = tree(folder)
    assert [(out / file).read_bytes() == kept[file] for file in FILES] == [True] * len(FILES)
    assert call(capsys, "evaluate", out, "digits")[0] == 0


def test_E11_a_sound_finished_run_is_left_as_it_is(whole, capsys):
    """The same command again exits with 0, takes no step and changes no file."""
    method, folder = whole
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock" and path.is_file()}
    code, _, err = call(capsys, *train(folder, method=method))
    assert (code, err) == (0, "")
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("how", ["cut", "empty"])
def test_a_damaged_configuration_asks_for_another_folder(how, whole, tmp_path, capsys):
    """Nothing says any more what the run was: `train` refuses the folder, and another one is trained in."""
    method, folder = whole
    out = damaged(folder, tmp_path, "config.json", how)
    line = assert_clean_failure(capsys, train(out, method=method), 4, "config.json", kept=out)
    assert line.endswith("restore it, or train in another folder (-o)")
    assert call(capsys, *train(tmp_path / "other", method=method))[0] == 0


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_a_damaged_evaluation_is_made_again_by_evaluate(suffix, whole, tmp_path, capsys):
    """`report` says to run the command that wrote it again, and then it succeeds."""
    _, folder = whole
    name = next((folder / "evaluations").glob(f"*.{suffix}")).name
    out = damaged(folder, tmp_path, f"evaluations/{name}", "cut")
    line = assert_clean_failure(capsys, ["report", out], 4, name, kept=out)
    assert "again" in line
    assert call(capsys, "evaluate", out, "digits")[0] == 0
    assert call(capsys, "report", out)[0] == 0


def test_damaged_checkpoints_are_deleted_as_the_message_says(tmp_path, capsys):
    """With only damaged checkpoints the folder to delete is named, and then the run is trained from the start."""
    out = tmp_path / "run"
    assert call(capsys, *train(out))[0] == 0
    (out / "model.json").unlink()
    for path in (out / "checkpoints").iterdir():
        path.write_bytes(b"x")
    code, _, err = call(capsys, *train(out))
    assert code == 4 and "checkpoints has only damaged checkpoints; delete it to train from the start" in err
    shutil.rmtree(out / "checkpoints")
    assert call(capsys, *train(out))[0] == 0


LINES = {
    "nested": b"[" * 100_000,
    "a huge number": b'{"step": 1, "images": 1' + b"0" * 400 + b"}\n",
    "a huge figure": b'{"step": 1, "images": 16, "seconds": 1, "D.x": 1' + b"0" * 400 + b"}\n",
    "NaN": b'{"step": 1, "images": NaN}\n',
    "no text": b"\xff\x00\n",
    "no object": b"[1]\n",
}


@pytest.mark.parametrize("line", LINES)
def test_foreign_lines_in_the_log_are_written_again(line, whole, tmp_path, capsys):
    """A report passes them over; a training that goes on drops them, and ends in the same bits."""
    method, folder = whole
    out = shutil.copytree(folder, tmp_path / "run")
    (out / "metrics.jsonl").write_bytes(LINES[line])
    code, _, err = call(capsys, "report", out)
    assert code == 0, err
    (out / "model.json").unlink()
    code, _, err = call(capsys, *train(out, method=method))
    assert code == 0, err
    assert (out / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


# --- limits of a model's file


@pytest.mark.parametrize(("method", "role"), [("knn", "known"), ("anogan", "known"), ("k-plus-one", "unlabelled")])
def test_a_class_whose_name_no_model_can_hold_is_refused_before_the_first_step(method, role, tmp_path, capsys):
    """A name over 255 letters is one line, and no folder is begun."""
    name = "x" * (NAME_LIMIT + 1)
    rows = np.random.default_rng(0).uniform(-1, 1, (60, 3)).astype("float32")
    np.savez(tmp_path / "v.npz", images=rows, labels=np.repeat([name, "b", "c"], 20))
    known = [name] if role == "known" else ["b", "--known", "c", "--unlabelled", name]
    argv = ["train", tmp_path / "v.npz", "-o", tmp_path / "run", "--method", method, "--known", *known]
    line = assert_clean_failure(capsys, [*argv, "--false-alarms", "0.5"], 3, kept=tmp_path)
    assert f"the name has {NAME_LIMIT + 1} letters, and a model holds {NAME_LIMIT}; rename it" in line


def test_more_names_than_a_model_can_hold_are_refused_before_the_first_step(tmp_path, capsys):
    """Two thousand long names are one line that says how many letters a model holds."""
    names = [f"{i:0255d}" for i in range(1100)]
    rows = np.random.default_rng(0).uniform(-1, 1, (2 * len(names), 2)).astype("float32")
    np.savez(tmp_path / "v.npz", images=rows, labels=np.repeat(names, 2))
    argv = ["train", tmp_path / "v.npz", "-o", tmp_path / "run", "--method", "knn", "--known", ",".join(names)]
    line = assert_clean_failure(capsys, argv, 3, kept=tmp_path)
    assert f"a model holds 10,000 classes, and {NAMES_LIMIT:,} letters; name fewer" in line


def test_the_limits_that_are_refused_early_are_those_of_saving(tmp_path):
    """A card with a name of 255 letters is written, and one with a longer name is not."""
    facts = {"kind": "knn", "method": {"name": "knn"}, "shape": [2], "threshold": None, "training": {}, "settings": {}}
    save_model(tmp_path, {}, facts | {"classes": {"known": ["x" * NAME_LIMIT]}})
    assert len(json.loads((tmp_path / "model.json").read_text())["classes"]["known"][0]) == NAME_LIMIT
    with pytest.raises(ModelError, match="classes"):
        save_model(tmp_path, {}, facts | {"classes": {"known": ["x" * (NAME_LIMIT + 1)]}})


# --- what is refused, is refused before anything is written


@pytest.mark.parametrize("method", ["rotation", "autoencoder", "deepsvdd", "patches", "features-knn", "cnn"])
def test_a_method_on_images_refuses_vectors_before_a_folder_is_begun(method, tmp_path, capsys):
    """The same folder can then be given another method."""
    rows = np.random.default_rng(0).uniform(-1, 1, (60, 3)).astype("float32")
    np.savez(tmp_path / "v.npz", images=rows, labels=np.repeat(["a", "b", "c"], 20))
    argv = ["train", tmp_path / "v.npz", "-o", tmp_path / "run", "--method", method, "--false-alarms", "0.2"]
    line = assert_clean_failure(capsys, [*argv, "--known", "a", "--known", "b"], 2, kept=tmp_path)
    assert f"{method} takes images, not vectors of 3 entries" in line and not (tmp_path / "run").exists()


def test_copies_of_one_image_are_said_to_be_that(tmp_path):
    """Forty equal images are no forty images, and the message does not ask for more of them."""
    np.savez(tmp_path / "v.npz", images=np.zeros((40, 8, 8), np.uint8), labels=np.repeat(["a"], 40))
    given = train_settings(known=("a",), method="knn", false_alarms=0.5)
    with pytest.raises(DataError, match="known a: the 40 images are copies of one, so that none can be held out"):
        runs.run(tmp_path / "v.npz", given, tmp_path / "run")


def test_an_image_under_two_classes_is_said_and_counted_once(tmp_path):
    """Copies of three images under two known classes are three, however many copies there are."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = np.repeat(["a", "b", "c"], 20)
    pixels[20:23], pixels[23:26], pixels[40] = pixels[:3], pixels[:3], pixels[30]
    np.savez(tmp_path / "v.npz", images=pixels, labels=labels)
    said: list[str] = []
    given = train_settings(known=("a", "b"), method="knn", false_alarms=0.2)
    runs.run(tmp_path / "v.npz", given, tmp_path / "run", warn=said.append)
    assert [line for line in said if "two classes" in line] == [
        "images that stand under two classes, one of them known: 3; check DATA lists them"
    ]
