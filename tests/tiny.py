"""The smallest run that several tests share: scikit-learn's digits at 8x8, trained for a moment on one thread."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lookalike.detect.baselines import deepsvdd
from lookalike.faces.cli import main

SETTINGS: dict[str, Any] = {
    "known": ("3",), "size": "8,8", "width": 4, "z": 8, "images": 256, "batch": 64, "search_steps": 5, "threads": 1,
    "calibration": 0.2,
}  # fmt: skip
EXTRA_FAKES = {"mcgan": ("8",)}
PROGRESS = re.compile(
    r"(reading|(.{1,200}: )?training|joining the classes|calibrating|(.{1,200}: )?scoring|scoring known|"
    r"scoring unknown|locating)"
    r"(: \d+ images)?\n|training (\d+ GANs )?takes .+\n"
)


def settings(method: str = "anogan", **changes: Any) -> dict[str, Any]:
    """Keyword arguments of `TrainSettings`."""
    return {**SETTINGS, "method": method, "extra_fakes": EXTRA_FAKES.get(method, ()), **changes}


def train(out, *more: str, method: str = "anogan", data: str = "digits") -> list[str]:
    """The command line `lookalike train ...` of the same run; `more` wins where it repeats a flag."""
    there = {text.split("=")[0] for text in more}
    given = {name: value for name, value in settings(method).items() if value != () and _flag(name) not in there}
    flags = [text for name, value in given.items() for text in (_flag(name), _text(value))]
    return ["train", str(data), "-o", str(out), *flags, *more]


def two_runs(folder: Path, *more: list[object]) -> Path:
    """An evaluated run of deepsvdd, and a GAN of two classes that only makes images; then `more` commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deepsvdd, "EPOCHS", 2)
        for flags in (
            train(folder / "svdd", method="deepsvdd"),
            ["evaluate", folder / "svdd", "digits", "--unknown", "8"],
            train(folder / "gan", "--known=3,8", "--calibration=0", method="acgan"),
            *more,
        ):
            assert main([str(flag) for flag in flags]) == 0
    return folder


def call(capsys, *argv: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that runs in this process, without its progress."""
    capsys.readouterr()
    code = main([str(token) for token in argv])
    out, err = capsys.readouterr()
    return code, out, without_progress(err)


def without_progress(err: str) -> str:
    """Standard error without the line that each stage begins with."""
    return "".join(line for line in err.splitlines(keepends=True) if not PROGRESS.fullmatch(line))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
