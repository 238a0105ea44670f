"""Random histories of a run folder (G-9): trained, stopped, killed, damaged, scored, and what holds after each step.

`many` plays more of them, and longer ones; `benchmarks/trust.py` calls it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from children import Changes, child
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lookalike.base import checkpoint, files
from lookalike.base.errors import ModelError
from lookalike.base.interrupts import stop_on_signals
from lookalike.faces.cli import main
from lookalike.runs import training

CODES = {0, 2, 3, 4, 5, 8, 143}  # but 1, a bug of ours
MINE = {  # files of the user's in the run folder; some are named almost as ours
    "notes.txt": b"mine",
    ".model.json.lookalike-part-0123456789abcdef0123456789abcdef": b"mine too",
    "checkpoints.part.99999/film.mkv": b"and mine",
    "samples/best.png": b"chosen",
}
TRAIN = (
    *("--known", "a,b", "--method", "cgan", "--images", "64", "--batch", "16", "--width", "2", "--z", "4"),
    *(
        "--size",
        "8,8",
        "--save-every",
        "16",
        "--sample-every",
        "32",
        "--search-steps",
        "1",
        "--calibration",
        "0.5",
        "--false-alarms",
        "0.3",
        "--threads",
        "1",
    ),
)
KEPT = ("model.json", "model.safetensors")
FILES = (*KEPT, "config.json", "split.json", "metrics.jsonl")
LAST = 70  # changes of files that a training makes, about


def data_in(folder: Path) -> Path:
    """A file of 60 images of two classes."""
    draw = np.random.default_rng(0)
    images = (draw.integers(0, 120, (60, 8, 8)) + np.repeat([0, 100], 30)[:, None, None]).astype(np.uint8)
    np.savez(folder / "data.npz", images=images, labels=np.repeat(["a", "b"], 30))
    return folder / "data.npz"


def commanded(*argv: object, at: int | None = None, number: int = signal.SIGKILL) -> list[object]:
    """What a command does in this child: exit code, errors, checkpoints gone on from. A signal comes at a change."""
    taken: list[object] = []
    newest = checkpoint.newest_checkpoint

    def watched(folder, warn):
        found = newest(folder, warn)
        taken.append(found and found[1]["images"])
        return found

    training.checkpoint.newest_checkpoint = watched
    stop_on_signals()
    Changes(at, partial(os.kill, os.getpid(), number))
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        code = main([str(word) for word in argv])
    return [code, [line for line in err.getvalue().splitlines() if line.startswith("error: ")], taken]


class Undisturbed:
    """A run that nothing disturbs: what its model and its scores are."""

    def __init__(self, folder: Path) -> None:
        self.data, self.run = data_in(folder), folder / "run"
        assert child(partial(commanded, "train", self.data, *TRAIN, "-o", self.run))[:2] == [0, []]
        self.model = {name: (self.run / name).read_bytes() for name in KEPT}
        assert child(partial(commanded, *self.scored(self.run, folder / "s.csv")))[:2] == [0, []]
        self.scores = (folder / "s.csv").read_bytes()

    def scored(self, run: Path, out: Path) -> tuple[object, ...]:
        """The command that scores the data."""
        return ("score", run, self.data, "-o", out, "--threads", "1")


class Histories(RuleBasedStateMachine):
    """One run folder, in which anything may happen in any order."""

    undisturbed: Undisturbed

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.run, self.lost = self.place / "run", set[str]()
        for name, content in MINE.items():
            path = self.place / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def teardown(self) -> None:
        """Leaves nothing."""
        shutil.rmtree(self.place)

    # --- what is known before a command

    def sound(self) -> list[int]:
        """The images that each checkpoint which can be read had shown."""
        found = []
        for path in (self.run / "checkpoints").glob("*.safetensors"):
            with contextlib.suppress(ModelError):
                found.append(int(checkpoint.read_tensors(path)[1]["images"]))
        return found

    def whole(self) -> bool:
        """Whether the model is there, and nobody has changed it."""
        return all((self.run / name).exists() and name not in self.lost for name in KEPT)

    # --- commands

    def does(self, *argv: object, **how: int) -> tuple[int, list[str]]:
        """A command, what must hold of any, and its exit code and errors."""
        there, sound = any((self.run / "checkpoints").glob("*.safetensors")), self.sound()
        ended = child(partial(commanded, *argv, **how))
        if ended == -signal.SIGKILL:
            return -9, []
        code, errors, taken = ended
        assert code in CODES, ended
        assert len(errors) == (code != 0), ended
        for images in taken:  # the newest that can be read is what a training goes on from
            assert images == (max(sound) if there else None), (images, sound)
        return code, errors

    def trains(self, **how: int) -> tuple[int, list[str]]:
        """The training's command."""
        code, errors = self.does("train", self.undisturbed.data, *TRAIN, "-o", self.run, **how)
        if code == 0:
            self.lost -= {*KEPT, "split.json", "metrics.jsonl"}
            assert {name: (self.run / name).read_bytes() for name in KEPT} == self.undisturbed.model
            assert not list(self.run.rglob("*.lookalike-part-*[!f]"))
        return code, errors

    @rule()
    def train(self) -> None:
        """To the end: with the bits of a run that nothing disturbed, whatever came before."""
        hopeless = (self.run / "checkpoints").exists() and not self.sound() and not self.whole()
        code, errors = self.trains()
        if "config.json" in self.lost:  # by one bit it may say other settings, or only another command
            assert code in (0, 2, 4), errors
        elif code == 4:
            assert hopeless and "delete it to train from the start" in errors[0], errors
            shutil.rmtree(self.run / "checkpoints")
        else:
            assert code == 0, errors

    @rule(at=st.integers(1, LAST), number=st.sampled_from([signal.SIGKILL, signal.SIGTERM]))
    def train_a_little(self, at: int, number: int) -> None:
        """It is killed, or asked to stop, before some change of a file."""
        self.trains(at=at, number=number)

    @rule()
    def score(self) -> None:
        """A whole model gives the same bits; any other is refused, and leaves the older scores."""
        out = self.place / "s.csv"
        before = out.read_bytes() if out.exists() else None
        code, errors = self.does(*self.undisturbed.scored(self.run, out))
        assert (code == 0) == self.whole(), (code, errors)
        assert (out.read_bytes() if out.exists() else None) == (before if code else self.undisturbed.scores)

    @rule(at=st.integers(1, 12))
    def score_a_little(self, at: int) -> None:
        """Killed: the scores are the older ones or the new ones."""
        out = self.place / "s.csv"
        before = out.read_bytes() if out.exists() else None
        self.does(*self.undisturbed.scored(self.run, out), at=at)
        assert (out.read_bytes() if out.exists() else None) in (before, self.undisturbed.scores)

    @rule()
    def evaluate(self) -> None:
        """It works where the model and the record of the split are whole."""
        code, errors = self.does("evaluate", self.run, self.undisturbed.data, "--threads", "1")
        assert code or self.whole(), errors
        assert not code or not self.whole() or self.lost & {"split.json", "config.json"}, errors

    @rule(command=st.sampled_from(["generate", "report"]))
    def make(self, command: str) -> None:
        """Images and pages of the run: they are there or one line says why not."""
        out = self.place / {"generate": "made", "report": "r.html"}[command]
        code, errors = self.does(command, self.run, "-o", out, *(("--number", "2") if command == "generate" else ()))
        assert out.exists() or code, errors
        if out.is_dir():
            shutil.rmtree(out)

    @precondition(lambda self: self.run.exists())
    @rule(command=st.sampled_from(["train", "evaluate"]))
    def while_another_writes(self, command: str) -> None:
        """A second process is told to wait, and nothing changes; scoring needs no lock."""
        before = tree(self.run)
        argv = {"train": (*TRAIN, "-o", self.run), "evaluate": ("--threads", "1")}[command]
        first = (self.undisturbed.data,) if command == "train" else (self.run, self.undisturbed.data)
        with files.lock(self.run):
            code, errors = self.does(command, *first, *argv)
        assert code in (4, 8), errors
        before[".lock"] = b""
        assert tree(self.run) == before or code == 4

    # --- damage

    @precondition(lambda self: self.run.exists())
    @rule(name=st.sampled_from(FILES), how=st.sampled_from(["flipped", "cut", "gone"]), at=st.integers(0, 10**6))
    def damage(self, name: str, how: str, at: int) -> None:
        """A file of ours is changed by one bit, cut or removed by somebody else."""
        path = self.run / name
        if not path.exists() or (name == "config.json" and how == "gone"):
            return  # without a config.json it would be a folder of someone else's
        spoil(path, how, at)
        self.lost.add(name)

    @rule(how=st.sampled_from(["flipped", "cut", "gone"]), at=st.integers(0, 10**6), newest=st.booleans())
    def damage_a_checkpoint(self, how: str, at: int, newest: bool) -> None:
        """The newest or the oldest checkpoint is changed, cut or removed."""
        if found := sorted((self.run / "checkpoints").glob("*.safetensors")):
            spoil(found[-1 if newest else 0], how, at)

    @rule()
    def bring_files(self) -> None:
        """The user keeps files in the run folder."""
        if self.run.exists():
            shutil.copytree(self.place / "mine", self.run, dirs_exist_ok=True)

    # --- what always holds

    @invariant()
    def the_users_files_stay(self) -> None:
        """Each is as it was brought."""
        for name, content in MINE.items():
            path = self.run / name
            assert not path.exists() or path.read_bytes() == content, name
        brought = [(self.run / name).exists() for name in MINE]
        assert all(brought) or not any(brought)


def spoil(path: Path, how: str, at: int) -> None:
    """Changes a file by one bit, cuts it, or removes it."""
    data = path.read_bytes()
    if how == "gone" or not data:
        path.unlink()
        return
    at %= len(data)
    path.write_bytes(data[:at] if how == "cut" else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def tree(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def play(folder: Path, examples: int, steps: int, *, same: bool) -> None:
    """Plays histories, the same ones each time where that is asked for."""
    machine = type("Here", (Histories,), {"undisturbed": Undisturbed(folder)})
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=same, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=how)


def many(examples: int, folder: Path) -> dict[str, object]:
    """Other histories each time; raises what breaks."""
    play(folder, examples, 30, same=False)
    return {"histories": examples, "steps": 30, "bad": 0}


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_E1_E8_F11_whatever_happens_to_a_run_folder(tmp_path):
    """No bug, no lost file, the newest sound checkpoint, and in the end the bits of an undisturbed run."""
    play(tmp_path, 5, 10, same=True)


def rounds(data: Path, folder: Path) -> list[list[int]]:
    """What this process holds after each of some rounds of training and scoring: descriptors, threads."""
    held = []
    for i in range(4):
        assert main(["train", str(data), *TRAIN, "-o", str(folder / str(i))]) == 0
        assert main(["score", str(folder / str(i)), str(data), "-o", str(folder / "s.csv"), "--threads", "1"]) == 0
        held.append([len(list(Path(f"/proc/self/{name}").iterdir())) for name in ("fd", "task")])
    return held


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_E25_a_process_that_goes_on_holds_no_more(tmp_path):
    """After the first round descriptors and threads are as many as after the last; a soak (G-11) counts memory too."""
    first, *_, last = child(partial(rounds, data_in(tmp_path), tmp_path))
    assert last == first
