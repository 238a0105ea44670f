"""A page of many runs stays small: each is shown in short, and photographs are made smaller."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike import report
from lookalike.report import DETAILS, pictures, write
from lookalike.runs.folder import Gallery

MakeRun = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(make_run: MakeRun) -> list[Path]:
    """Three evaluated GANs, each with its twin."""
    return [make_run(name) for name in ("first", "second", "third")]


def decoded(uri: str) -> np.ndarray:
    """The pixels of a data URI."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_page_of_forty_runs_is_below_two_megabytes(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what a page of three runs has more than one of one run, shown as those of a page of forty are."""
    assert max(DETAILS) < 40
    monkeypatch.setattr(report, "DETAILS", {})
    one, three = (write(runs[:n], tmp_path / "page.html").stat().st_size for n in (1, 3))
    assert 20_000 < (three - one) / 2 < 45_000 and one + 39 * (three - one) / 2 < 2_000_000


def test_what_is_left_out_of_many_runs(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], Any]
) -> None:
    """Of more runs than the last number each has its figures, plots and command; of fewer, some of its images."""
    alone = seen(write(runs, tmp_path / "all.html").read_text("utf-8"))
    monkeypatch.setattr(report, "DETAILS", {1: DETAILS[4], 3: DETAILS[20]})
    some = seen(write(runs, tmp_path / "some.html").read_text("utf-8"))
    monkeypatch.setattr(report, "DETAILS", {})
    least = seen(write(runs, tmp_path / "least.html").read_text("utf-8"))
    count = [[alt for alt, _ in page.pictures].count("image") for page in (alone, some, least)]
    assert count[0] > count[1] == 3 * 2 * 2 and count[2] == 0  # two misses and two false alarms of each
    grids = [len(page.decoded("generated images")) for page in (alone, some, least)]
    assert grids == [18, 6, 0]
    assert [alt for alt, _ in least.pictures] == 3 * ["Histogram of the scores by group", "ROC curve with its band"]
    assert "z_dim" in some.text and "z_dim" not in least.text and least.text.count("lookalike train digits") == 3
    said = "Of so many runs each is shown in short"
    assert said not in alone.text and said in some.text and said in least.text


def test_a_photograph_is_made_smaller_and_a_digit_stays() -> None:
    """A longer side of 640 pixels becomes 360, nearly as it was; of 8 pixels each is kept."""
    y, x = np.mgrid[:480, :640]
    photograph = np.stack([x / 3, y / 3, (x + y) / 6]).astype(np.uint8)
    shown = decoded(pictures.tile(photograph))
    assert shown.shape == (270, 360, 3)
    wanted = Image.fromarray(photograph.transpose(1, 2, 0)).resize((360, 270))
    assert np.abs(shown.astype(int) - np.asarray(wanted)).mean() < 3
    digit = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    assert np.array_equal(decoded(pictures.tile(digit)), digit.transpose(1, 2, 0))


@pytest.mark.parametrize(("spread", "places"), [(False, "ab"), (True, "ae")])
def test_some_of_a_gallery(spread: bool, places: str) -> None:
    """The first ones, or at even distances, where the gallery says so; all of a small gallery."""
    gallery = Gallery(None, None, np.arange(5.0), tuple("abcde"))
    assert [case.name for case in pictures.cases(gallery, 0, 2, spread=spread)] == list(places)
    assert len([*pictures.cases(gallery, 0, 9, spread=spread)]) == 5
