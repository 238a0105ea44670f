"""`lookalike train` on two processes: one writes and prints, a loss or a signal ends both, and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from clean_failure import tree
from tiny import PROGRESS, settings, train
from together import on_two_processes

from lookalike.base.checkpoint import newest_checkpoint
from lookalike.base.errors import UsageError
from lookalike.base.ranks import Ranks, take_card
from lookalike.runs import plan as plans
from lookalike.runs.folder import CHECKPOINTS
from lookalike.runs.settings import train_settings

SAVED = ("--images=512", "--batch=32", "--save-every=32", "--sample-every=256")  # 16 steps
LONG = ("--images=2000000", "--batch=32", "--save-every=32")
SOON = 30.0  # seconds in which the other process has to end


HANGS = """
import time
from datetime import timedelta
from lookalike.base import ranks
ranks.TIMEOUT = timedelta(seconds=10)
with ranks.joined("cpu") as mine:
    mine.largest(1)
    mine.largest(2) if mine.leads else time.sleep(600)
"""


def start(*argv: object, second: list[str] | None = None) -> list[subprocess.Popen]:
    """Two processes, as torchrun starts them, of one command; the `second` has another one where it is given."""
    second = second and ["-m", "lookalike", *second]
    return started("-m", "lookalike", *argv, second=second)


def started(*argv: object, second: list[str] | None = None) -> list[subprocess.Popen]:
    """As `start`, of any arguments of Python."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in ("0", "1"):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, *map(str, second if second and rank == "1" else argv)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=os.environ | place, **pipes))
    return processes


def ended(processes: list[subprocess.Popen], seconds: float = 60) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each process."""
    said = [process.communicate(timeout=seconds) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def errors(text: str) -> list[str]:
    """The lines that are errors."""
    return [line for line in text.splitlines() if line.startswith("error: ")]


def until_saved(out) -> None:
    """Waits for the second checkpoint of a run."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (out / CHECKPOINTS).exists() and len(list((out / CHECKPOINTS).glob("0*.safetensors"))) > 1:
            return
        time.sleep(0.05)
    pytest.fail("no checkpoint was written")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run on two processes of torchrun, with what it printed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    argv = train(out, *SAVED, "--sync-bn", method="vtgan")
    done = on_two_processes("-m", "lookalike", *argv)
    return out, done.stdout, done.stderr


def test_one_of_two_processes_writes_and_prints(whole):
    """torchrun with two processes prints what one prints, with a line on the parts of a batch; the record counts 2."""
    out, said, notes = whole
    assert said.count("vtgan has learnt 3") == 1
    strange = [line for line in notes.splitlines(keepends=True) if not PROGRESS.fullmatch(line)]
    assert [line for line in strange if "OMP_NUM_THREADS" not in line and not set(line) <= {"*", "\n"}] == [
        "2 processes train together: each has 16 of the 32 images of a step\n"
    ]
    assert json.loads((out / "config.json").read_text())["machine"]["processes"] == 2


def test_a_signal_to_one_stops_both_and_they_go_on_to_the_same_bits(whole, same, tmp_path):
    """SIGTERM to one process stops both after the same step; the same command then ends in the bits of no stop."""
    out = tmp_path / "run"
    argv = train(out, *SAVED, "--sync-bn", method="vtgan")
    both = start(*argv)
    until_saved(out)
    both[1].send_signal(signal.SIGTERM)
    results = ended(both)
    assert [code for code, _, _ in results] == [143, 143]
    assert sum(len(errors(said)) for _, _, said in results) == 1
    assert not (out / "model.json").exists()
    assert [code for code, _, _ in ended(start(*argv))] == [0, 0]
    assert tree(out)["model.safetensors"] == tree(whole[0])["model.safetensors"]
    assert same(*(newest_checkpoint(run / CHECKPOINTS, pytest.fail)[0] for run in (out, whole[0])))


def test_a_killed_process_ends_the_other_in_one_line_and_one_can_go_on(tmp_path):
    """After SIGKILL of one process the other ends with 7 and one line; the checkpoint loads; one process goes on."""
    out = tmp_path / "run"
    argv = train(out, *LONG)
    both = start(*argv)
    until_saved(out)
    both[1].kill()
    (code, said, notes), (killed, *_) = ended(both, SOON)
    assert (code, said, killed) == (7, "", -signal.SIGKILL)
    (line,) = errors(notes)
    assert "GLOO_SOCKET_IFNAME" in line and "goes on from there" in line and "Traceback" not in notes
    found = newest_checkpoint(out / CHECKPOINTS, pytest.fail)
    assert found is not None and found[1]["images"] >= 64
    alone = subprocess.Popen([sys.executable, "-m", "lookalike", *argv], stderr=subprocess.PIPE, text=True)
    heard = alone.stderr.readline() + alone.stderr.readline()
    alone.kill()
    alone.communicate()
    assert "will not have the bits of an uninterrupted one, as these changed: processes 2 -> 1" in heard


def test_a_process_that_hangs_is_not_waited_for_without_end():
    """After the time of one call the other ends, with the error of a lost process."""
    first, second = started("-c", HANGS)
    _, said = first.communicate(timeout=SOON + 60)
    second.kill()
    second.communicate()
    assert first.returncode == 1 and "LostError: a process of this training ended or cannot be reached" in said


def test_a_method_that_only_detects_is_refused_once(tmp_path):
    """A method without a GAN is refused by both processes, in one line in all, and nothing is written."""
    results = ended(start(*train(tmp_path / "run", method="auto")))
    assert [code for code, _, _ in results] == [2, 2]
    (line,) = [line for _, _, said in results for line in errors(said)]
    assert "torchrun is for GANs, and auto trains none" in line
    assert not (tmp_path / "run").exists()


def test_a_batch_that_processes_cannot_share_is_refused_with_the_plan():
    """A plan for two processes refuses an odd batch, with one that fits, before anything is written."""
    with pytest.raises(UsageError, match="33 images, which 2 processes cannot share equally; take a batch of 34"):
        plans.make("digits", train_settings(**settings(batch=33)), Ranks(0, 2))


def test_devices_that_a_process_cannot_take_are_refused():
    """A list of GPUs names torchrun; a GPU by its number is refused where each process takes that of its own."""
    with pytest.raises(UsageError, match=r"--device cuda:0,1: .*torchrun .*--nproc-per-node 2"):
        train_settings(known=("3",), device="cuda:0,1")
    with pytest.raises(UsageError, match="cpu, cuda, mps and one GPU by its number, such as cuda:1, are accepted"):
        train_settings(known=("3",), device="gpu")
    with pytest.raises(UsageError, match="each process of torchrun takes the GPU of its number; give --device cuda"):
        take_card("cuda:0", 1)


def test_processes_with_other_images_are_refused(tmp_path):
    """A process whose images are not those of rank 0 says so, which ends both; the other prints nothing of it."""
    out = tmp_path / "run"
    results = ended(start(*train(out, *SAVED), second=train(out, *SAVED, "--known=4")))
    assert [code for code, _, _ in results] == [7, 3]
    (line,) = [line for _, _, said in results for line in errors(said)]
    assert "process 1 of torchrun has other images than process 0; give every machine the same DATA" in line
