"""Whatever stands in a command line or a file of settings: an answer or one line, and never a bug of ours."""

from __future__ import annotations

import io
import shutil
from contextlib import chdir, redirect_stderr, redirect_stdout

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.faces.cli import app, main

CODES = {0, 2, 3, 4, 5, 7}  # but 1, a bug of ours
ONE = ("--threads", "1")
SMALL = ("--size", "8,8", *ONE)
LINES = {  # command -> arguments that work
    "check": ("data",),
    "train": ("data", "--known", "a", "--method", "knn", "--false-alarms", "0.4", "-o", "out", *SMALL),
    "score": ("run", "data", "-o", "out.csv", *ONE),
    "evaluate": ("run", "data", *ONE),
    "generate": ("gan", "-o", "out", "--number", "2"),
    "measure": ("gan", "--real", "data", "--number", "2", *ONE),
    "augment": ("data", "--run", "gan", "--to", "a=14", "-o", "out", *ONE),
    "report": ("run", "-o", "out.html"),
    "export": ("gan", "-o", "out.onnx"),
    "subclasses": ("gan", "data", "-o", "out.csv", *ONE),
    "describe": ("knn",),
    "cite": ("knn",),
}
UNTRIED = {"augment", "export", "measure", "subclasses"}  # slow, or refused for so few images and for an unsplit GAN
STEADY = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
ODD = [
    *("", "-1", "0", "nan", "inf", "-inf", "1e400", "1e-400", "9" * 20, "0x10", "1_000", "٣", "１", "1:2", "1,2,3"),
    *("\0", "\ud800", "é" * 300, "a\nb", "\x1b[31m", "[", "*", "%s", "{}", "=cmd|x", "None", "true", "-", "--", "=x"),
    *(
        "/dev/zero",
        "/dev/null",
        "/proc/self/mem",
        "..",
        "~nobody/x",
        "data",
        "data/a/0.png",
        "out.npz",
        "auto",
        "cuda:99",
    ),
]


def flags(command):
    """All flags of a command, but those that print and end."""
    names = [name for argument in app[command].assemble_argument_collection() for name in argument.names]
    return [name for name in names if name.startswith("-") and name not in ("--help", "-h", "--version")]


@st.composite
def command_lines(draw):
    """A command line that works, with one odd word in place of another, or one more flag with or without one."""
    command = draw(st.sampled_from(sorted(LINES)))
    words, odd = list(LINES[command]), draw(st.sampled_from(ODD))
    if draw(st.booleans()):
        words[draw(st.integers(0, len(words) - 1))] = odd
        return [command, *words]
    flag = draw(st.sampled_from([*flags(command), "--config", "--no-such-flag"]))
    return [command, *words, *draw(st.sampled_from([(flag, odd), (f"{flag}={odd}",), (flag,)]))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data, a run and a GAN."""
    there = tmp_path_factory.mktemp("place")
    draw = np.random.default_rng(0)
    for name in "ab":
        (there / "data" / name).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(draw.integers(0, 256, (8, 8), np.uint8)).save(there / "data" / name / f"{i}.png")
    with chdir(there):
        assert ended("train", *LINES["train"][:-6], "-o", "run", *SMALL)[0] == 0
        cgan = ("--known", "a,b", "--method", "cgan", "--images", "64", "--width", "2", "--calibration", "0")
        assert ended("train", "data", *cgan, "--test", "0", "-o", "gan", *ONE)[0] == 0
    return there


def ended(*argv):
    """The exit code of a command, and what stands on standard error."""
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        return main(list(argv)), err.getvalue()


def cleared(there, kept):
    """Takes away what a command wrote."""
    for path in set(there.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.mark.parametrize("command", sorted(set(LINES) - UNTRIED))
def test_the_lines_work_before_a_word_is_odd(command, place):
    """Each line ends with 0, so that what the odd words below are refused for is they."""
    kept = set(place.iterdir())
    with chdir(place):
        code, err = ended(command, *LINES[command])
    cleared(place, kept)
    assert code == 0, err


@given(argv=command_lines())
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
def test_an_odd_word_in_a_command_line_is_no_bug(place, argv):
    """Every line ends with a code that is documented; a failure is one line that begins with "error:"."""
    kept = set(place.iterdir())
    with chdir(place):
        code, err = ended(*argv)
    cleared(place, kept)
    assert code in CODES and "bug" not in err and "Traceback" not in err, (code, err)
    assert not code or [line for line in err.splitlines() if line.startswith("error: ")], err


VALUES = st.one_of(st.integers(), st.floats(), st.booleans(), st.sampled_from(ODD), st.just([]), st.just({}), st.text())


def toml(value):
    """A value as TOML has it; texts escape what is no plain letter."""
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08X}" for c in value) + '"'
    return str(value).lower() if isinstance(value, bool | float | int) else "[]" if value == [] else "{}"


@given(key=st.sampled_from([*flags("train"), "nothing", ""]), value=VALUES)
@settings(max_examples=60, **STEADY)
def test_an_odd_setting_in_a_file_is_no_bug(place, key, value):
    """Any value of any setting in a TOML file: the run is there, or one line says why not."""
    kept = set(place.iterdir())
    (place / "odd.toml").write_text(f'"{key.lstrip("-").replace("-", "_")}" = {toml(value)}\n', encoding="ascii")
    with chdir(place):
        code, err = ended("train", *LINES["train"], "--config", "odd.toml")
    cleared(place, kept)
    assert code in CODES and "bug" not in err and "Traceback" not in err, (code, err)
    assert not code or err.splitlines()[-1].startswith("error: "), err


@pytest.mark.parametrize("command", ["score", "export", "bench"])
def test_half_a_character_in_a_name_is_one_line(command, place):
    """Python texts can hold one; no file can, and the line says so."""
    argv = {"bench": ("bench", "detect", "\ud800"), "score": ("score", "\ud800", "data", "-o", "s.csv")}
    with chdir(place):
        code, err = ended(*argv.get(command, (command, "\ud800", "-o", "x.onnx")))
    assert code == 2 and "holds half a character, which no file has in its name; give another" in err


def test_an_odd_variable_of_the_environment_is_one_line(place, monkeypatch):
    """LOOKALIKE_CACHE takes off alone, and a bench that would keep something says so."""
    monkeypatch.setenv("LOOKALIKE_CACHE", "OFF")
    argv = (
        "bench",
        "detect",
        "data",
        "--methods",
        "knn",
        "--seeds",
        "1",
        "--size",
        "8,8",
        "--workers",
        "1",
        "-o",
        "out",
    )
    with chdir(place):
        code, err = ended(*argv)
    shutil.rmtree(place / "out", ignore_errors=True)
    assert code == 2 and "LOOKALIKE_CACHE is " in err and "only 'off' is accepted" in err
