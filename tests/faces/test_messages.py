"""What the command line says: no flag that a command lacks, the nearest word, and no bug for a user's mistake."""

from __future__ import annotations

import ast
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lookalike
from lookalike.faces.cli import app, main
from lookalike.faces.messages import ADVICE, FLAG, QUOTED, fitting

SRC = Path(lookalike.__file__).parent
COMMANDS = (
    *(
        "check",
        "train",
        "score",
        "evaluate",
        "generate",
        "measure",
        "augment",
        "report",
        "page",
        "export",
        "push",
        "pull",
        "pairs",
        "table",
        "demo",
    ),
    *("bench detect", "bench augment"),
)
COMPLETION = "--install-completion"  # whose only message names its own flag
BENCHES = ("bench detect", "bench augment")
RAISED_BY = {  # modules whose messages only some commands can meet
    "faces/cli.py": (*COMMANDS, COMPLETION),
    "faces/commands/compare.py": ("pairs", "table", *BENCHES),
    "faces/commands/detect.py": ("check", "train", "score", "evaluate", "report"),
    "faces/commands/make.py": ("generate", "augment"),
    "faces/commands/measure.py": ("measure",),
    "faces/hub.py": ("push", "pull"),
    "faces/page/serve.py": ("page",),
    "studies/detect/cast.py": ("bench detect",),
    "studies/detect/shots.py": ("bench detect",),
    "studies/tables/photographs.py": ("table",),
    "use/augment.py": ("augment",),
    "use/evaluate.py": ("evaluate",),
    "use/generate.py": ("generate", "augment", "train"),
    "use/masks.py": ("evaluate", "train"),
    "use/measure.py": ("measure",),
    "use/pairs.py": ("pairs",),
    "use/scorefile.py": ("score",),
    "runs/plan.py": ("train",),
    "runs/own_flags.py": ("train",),
    "runs/record.py": ("train",),
    "runs/run.py": ("train",),
    "runs/settings.py": ("train",),
    "runs/used.py": ("train", "evaluate"),
}


def flags_of(command: str) -> set[str]:
    """All flags that a command takes."""
    _, apps, _ = app.parse_commands(command.split())
    named = {name for part in (app.meta, apps[-1]) for one in part.assemble_argument_collection() for name in one.names}
    return {*named, "--help", "-h", "--version"}


def text(node: ast.AST | None) -> str:
    """The text of a message in the source, X for what is filled in; empty for another expression."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text(left) + text(right)
    return ""


def messages() -> list[tuple[str, str]]:
    """(module, message) of all that name a flag: what is raised, warned of, noted, or given back."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        module = str(path.relative_to(SRC))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            parts: list[ast.AST | None] = []
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                parts = [*node.exc.args]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("warn", "note"):
                parts = [*node.args]
            elif isinstance(node, ast.Yield | ast.Return):
                parts = [node.value]
            found += [(module, said) for part in parts if FLAG.search(said := text(part))]
    return found


MESSAGES = messages()


def named(said: str) -> set[str]:
    """The flags that a message names outside quoted commands."""
    return set(FLAG.findall(QUOTED.sub("", said)))


def test_the_messages_are_found():
    """The search finds messages in most rooms, or the tests below would pass without looking at any."""
    assert len(MESSAGES) > 90
    assert {"data", "detect", "game", "runs", "use", "studies", "faces"} <= {m.split("/")[0] for m, _ in MESSAGES}


def test_every_flag_in_a_message_exists():
    """A flag that a message names is one of the commands that can raise it."""
    flags = {command: flags_of(command) for command in (*COMMANDS, COMPLETION)}
    for module, said in MESSAGES:
        can = RAISED_BY.get(module, COMMANDS)
        assert named(said) <= set().union(*(flags[command] for command in can)), (module, said)
        for command in re.findall(r"'lookalike (\w+) [^']*'", said):
            assert set(FLAG.findall(said)) <= flags[command], said


@pytest.mark.parametrize("command", COMMANDS)
def test_no_message_advises_a_flag_that_the_command_lacks(command):
    """What a command prints names flags of its own, but for what was given; and it says the rest in full."""
    flags = flags_of(command)
    for _, said in MESSAGES:
        shown = fitting(said, flags)
        first, *advice = ADVICE.split(shown)
        assert named("".join(advice)) <= flags, said
        assert not any(named(bracket) - flags for bracket in re.findall(r" \([^()]*\)", first)), said
        if named(said) <= flags:
            assert shown == said


CUT = {
    "images differ; choose one (--size H,W)": "images differ; choose one",
    "x.png: damaged; repair it, or pass --on-bad skip": "x.png: damaged; repair it",
    "too few; add images, or allow more (--false-alarms)": "too few; add images, or allow more",
    "masks: 'lookalike evaluate --masks m' measures": "masks: 'lookalike evaluate --masks m' measures",
    "pre--on-bad.png is damaged; give a-b": "pre--on-bad.png is damaged; give a-b",
    "no space; write elsewhere (-o), or remove files": "no space; write elsewhere, or remove files",
}


@pytest.mark.parametrize("said", CUT)
def test_advice_is_cut_where_the_flag_is_missing(said):
    """Brackets and clauses that name a strange flag go, all other words stay."""
    assert fitting(said, ()) == CUT[said]
    assert fitting(said, ("--size", "--on-bad", "--false-alarms", "-o")) == said


# --- the words of single mistakes


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Classes a and b of ten images each, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(("a", "b", "-dash")):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.random.default_rng(100 * k + i).integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "d" / name / f"{i}.png")
    return tmp_path / "d"


def said(capsys, *argv: str) -> str:
    """The line of an error of a command."""
    assert main([*argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert not Path("run").exists()
    return next(line for line in lines if line.startswith("error: "))


KNOWN = "name one or several (--known): there are '-dash', 'a', 'b'"
DASH = "--known -dash: a value that begins with a dash is written --known=-dash"
MANY = "d/a/0.png and 9 more: not expected here; give one folder in place of many files"
MISTAKES = {
    "known forgotten": (("train", "d", "-o", "run"), KNOWN),
    "known forgotten, another method": (("train", "d", "--method", "knn", "-o", "run"), KNOWN),
    "method": (("train", "d", "--known", "a", "--method", "kNN", "-o", "run"), "--method kNN: did you mean knn?"),
    "preset": (("train", "d", "--known", "a", "--preset", "smal", "-o", "run"), "did you mean small?"),
    "dash": (("train", "d", "--known", "-dash", "-o", "run"), DASH),
    "many files": (("check", "d", *(f"d/a/{i}.png" for i in range(10))), MANY),
    "one too many": (("check", "d", "e"), "e: not expected here"),
    "no method there": (("bench", "detect", "d", "--methods", "kNN"), "there is no method kNN; did you mean knn?"),
    "no way there": (("bench", "augment", "d", "--methods", "mixUp"), "there is no way mixUp; did you mean mixup?"),
    "no table": (("table", "vtgan-2021"), "did you mean vtgan-2021/1?"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_the_line_of_a_mistake(case, data, capsys):
    """It says what is accepted: the classes that are there, the nearest word, or how to write it."""
    argv, words = MISTAKES[case]
    line = said(capsys, *argv)
    assert words in line
    assert len(line) < 700


def test_known_forgotten_in_a_file_of_settings(data, capsys):
    """The classes are listed there too, and --known may hold a class that begins with a dash."""
    Path("c.toml").write_text('method = "knn"\nthreads = 1\n')
    assert KNOWN in said(capsys, "train", "d", "--config", "c.toml", "-o", "run")
    argv = ["train", "d", "--known=-dash", "--method", "knn", "--threads", "1", "--false-alarms", "0.3", "-o", "run"]
    assert main(argv) == 0


def test_a_terminal_without_unicode_gets_escapes(data, monkeypatch):
    """A class name that the terminal's encoding lacks is printed with escapes, and is no bug of ours."""
    (data / "-dash").rename(data / "\u00e9t\u00e9")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert main(["check", "d"]) == 0
    sys.stdout.flush()
    assert b"\\xe9t\\xe9" in sys.stdout.buffer.getvalue()


def test_check_lists_unreadable_files(data, capsys):
    """The first ten are named with their reasons, and more are counted."""
    for i in range(12):
        (data / "a" / f"p{i:02d}.jpg").write_bytes(b"<html>")
    assert main(["check", "d", "--json"]) == 3
    capsys.readouterr()
    assert main(["check", "d"]) == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("unreadable: ")]
    assert lines[0].startswith("unreadable: a/p00.jpg: format not allowed (HTML or XML)")
    assert (len(lines), lines[-1]) == (11, "unreadable: 2 more; --json lists all")


def test_a_run_that_was_begun_with_other_images_says_how_many(data, capsys):
    """In place of hashes the line counts images that are new or gone; a longer training is not begun either."""
    argv = ["train", "d", "--known", "a", "--method", "knn", "--threads", "1", "--false-alarms", "0.3", "-o", "run"]
    assert main(argv) == 0
    (data / "a" / "new.png").write_bytes((data / "b" / "0.png").read_bytes())
    assert main(argv) == 2
    assert re.search(r"data: images: \d new ones, \d gone; give another folder", capsys.readouterr().err)
    (data / "a" / "new.png").unlink()
    assert main([*argv, "--seed", "3"]) == 2
    assert "data: --seed 0 -> 3" in capsys.readouterr().err


def test_nothing_unknown_is_said(data, capsys):
    """Without an unknown class the line says so."""
    argv = ["train", "d", "--known", "a", "--method", "knn", "--threads", "1", "--false-alarms", "0.3", "-o", "run"]
    assert main(argv) == 0
    for name in ("b", "-dash"):
        for path in (data / name).iterdir():
            path.unlink()
        (data / name).rmdir()
    assert main(["evaluate", "run", "d"]) == 0
    assert "a known, no class unknown, by knn" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".NPZ", ".Npz", ".NPY"])
def test_suffixes_in_capitals(suffix, data, capsys):
    """A file of arrays is known by its suffix in any case, and so is the file that scores are written to."""
    pixels = np.random.default_rng(0).integers(0, 255, (9, 8, 8), dtype=np.uint8)
    path = Path(f"x{suffix}")
    with path.open("wb") as file:
        np.save(file, pixels) if suffix == ".NPY" else np.savez(file, images=pixels, labels=np.zeros(9, int))
    argv = ["train", "d", "--known", "a", "--method", "knn", "--threads", "1", "--false-alarms", "0.3", "-o", "run"]
    assert main(argv) == 0
    assert main(["score", "run", str(path), "-o", "S.CSV"]) == 0
    assert len(Path("S.CSV").read_text().splitlines()) == 10


def test_images_of_several_sizes_are_measured_at_one(tmp_path, monkeypatch, capsys):
    """Measure has no --size: it takes the usual size, and says so."""
    monkeypatch.chdir(tmp_path)
    for side, n, where in ((8, 30, "made"), (12, 30, "made"), (10, 60, "real")):
        Path(where).mkdir(exist_ok=True)
        for i in range(n):
            pixels = np.random.default_rng(1000 * side + i).integers(0, 255, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{where}/{side}-{i}.png")
    assert main(["measure", "made", "--real", "real", "--threads", "1"]) == 0
    assert "'made': images of 2 sizes are measured at 10 x 10, as are the real ones" in capsys.readouterr().err
