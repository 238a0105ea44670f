"""What a command meets in the system: closed streams, names that no file can have, pipes, devices, endless files."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clean_failure import assert_clean_failure
from tiny import call, train

from lookalike.faces import cli
from lookalike.runs.folder import METRICS_LIMIT

LONG = "x" * 300
PROGRAM = "import sys; from lookalike.faces.cli import entry; entry()"
KNN = ("--method", "knn", "--known", "3", "--false-alarms", "0.2", "--size", "8,8", "--threads", "1")
CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run."""
    out = tmp_path_factory.mktemp("trained") / "run"
    assert cli.main(["train", "digits", "-o", str(out), *KNN]) == 0
    return out


@pytest.mark.parametrize("closed", CLOSED)
def test_E26_a_command_works_without_its_streams(closed, run, tmp_path):
    """As a daemon starts it, with any standard stream closed, a command writes its file, and nothing else in it."""
    out = tmp_path / "scores.csv"
    command = f'exec "$0" -c "$@" {CLOSED[closed]}'
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    argv = ["sh", "-c", command, sys.executable, PROGRAM, "score", str(run), "digits", "-o", str(out)]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(out.read_text().splitlines()) == 1798
    assert "flagged" in ended.stdout if closed in ("stdin", "stderr") else ended.stdout == ""
    assert "bug" not in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", [LONG, f"{LONG}/inner", "a\0b"], ids=["long", "folder", "NUL"])
def test_B16_a_name_that_no_file_can_have_is_one_line(name, run, tmp_path, capsys, monkeypatch):
    """A name of over 255 bytes or with NUL, wherever a command takes one, is the user's mistake and no bug of ours."""
    monkeypatch.chdir(tmp_path)
    for argv, codes in (
        (train(tmp_path / "r", data=name), (2, 3)),
        (train(tmp_path / name), (2, 5)),
        (["score", str(run), name, "-o", "s.csv"], (2, 3)),
        (["score", name, "digits", "-o", "s.csv"], (2, 4)),
        (["score", str(run), "digits", "-o", f"{name}.csv"], (2, 5)),
        (["evaluate", name, "digits"], (2, 4)),
        (["report", name], (2, 4)),
        (["generate", name, "-o", "g"], (2, 4)),
        (["measure", "digits", "--real", name], (2, 3)),
        (["pairs", name], (2, 3)),
        (["check", name], (2, 3)),
        (["augment", name, "-o", "a"], (2, 3)),
        (["bench", "detect", name], (2, 3)),
        (["train", "--config", name], (2,)),
    ):
        code, out, err = call(capsys, *argv)
        assert code in codes and out == "", (argv, err)
        assert err.startswith("error: ") and len(err.splitlines()) == 1 and "bug" not in err, (argv, err)
    assert list(tmp_path.iterdir()) == []


def test_too_many_open_files_is_one_line(capsys, monkeypatch):
    """What the system refuses outside the modules that read and write is a line with its words, and no bug of ours."""

    def refused(_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(cli.console, "fitted", refused)
    assert call(capsys, "check", "digits") == (
        7, "", "error: too many files are open; allow more with 'ulimit -n 4096'\n",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_foreign_run_with_a_pipe_or_an_endless_log_neither_hangs_nor_fills_the_memory(kind, run, tmp_path, capsys):
    """`evaluate` measures without the seconds of the training, and `report` says which file it is."""
    there = tmp_path / "run"
    subprocess.run(["cp", "-r", str(run), str(there)], check=True)
    (there / "metrics.jsonl").unlink()
    if kind == "pipe":
        os.mkfifo(there / "metrics.jsonl")
    else:
        with (there / "metrics.jsonl").open("wb") as log:
            log.truncate(METRICS_LIMIT + 1)  # a sparse file
    assert call(capsys, "evaluate", there, "digits")[0] == 0
    code, _, err = call(capsys, "report", there)
    assert code == 4 and "metrics.jsonl cannot be read: it is " in err


@pytest.mark.parametrize("kind", ["device", "pipe", "large", "missing"])
def test_G8_a_file_of_settings_that_is_none_is_refused_at_once(kind, tmp_path, capsys):
    """A device without end, a pipe without a writer, a large file and a missing one are each one line, exit code 2."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / "c.toml"
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "large":
        path.write_text("#" * (cli.CONFIG_LIMIT + 1))
    code, out, err = call(capsys, "train", "digits", "--config", path)
    assert (code, out) == (2, "") and f"error: {path} cannot be read" in err and "give a TOML file" in err


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path, capsys):
    """Editors of Windows write one; it is no part of the first setting."""
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbfmethod = "knn"\nknown = "3"\nsize = "8,8"\nthreads = 1\n')
    argv = ("train", "digits", "--config", tmp_path / "c.toml", "-o", tmp_path / "run")
    assert call(capsys, *argv)[0] == 0


@pytest.mark.parametrize("to", ["1000000000000", "3=1000000000000", "3=20,8=10000001"])
def test_augment_makes_no_more_images_than_generate(to, tmp_path, capsys):
    """More than ten million images of a class are refused before a GAN trains."""
    line = assert_clean_failure(capsys, ["augment", "digits", "-o", tmp_path / "a", "--to", to], 2, kept=tmp_path)
    assert "images are too many; give 10,000,000 at most" in line
