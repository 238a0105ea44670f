"""The experiment on games and class information, experiments/controls.py, on digits for a moment."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
from test_project import ROOT, load

from lookalike.base.errors import UsageError
from lookalike.data import read

sys.path.insert(0, str(ROOT / "experiments"))  # what the experiments share
controls = load(ROOT / "experiments" / "controls.py")


@pytest.fixture
def digits(monkeypatch):
    """Scikit-learn's digits in place of the clothes, of which every fifth measures; two choices for each game."""
    images = read("digits")
    images = replace(images, test=np.arange(len(images)) % 5 == 0)
    monkeypatch.setattr(controls, "parts", lambda *, chooses: images)
    monkeypatch.setattr(controls, "LOSSES", ("minimax", "hinge"))
    monkeypatch.setattr(controls, "RATES", ((4e-4, 1e-3),))
    monkeypatch.setattr(controls, "MADE", 60)
    return images


def settings(game, d, images):
    """The filled settings of a game's first choice."""
    trial = next(one for one in controls.candidates(64) if (one.game, one.d) == (game, d))
    return trial.filled(images)


def test_every_cell_is_a_method_and_no_other_exists(digits):
    """G is told in the cell's way by the cell's game; where D is told and G is not, the method refuses."""
    assert len(controls.CELLS) == 18
    for game, d, g in controls.CELLS:
        method = controls.played(settings(game, d, digits), game, g)
        assert (method.conditional, method.conditioning) == (g != controls.NOT, controls.TOLD[g])
        assert method.head.classifies == (game != "binary")
    for game in ("binary", "k-plus-one", "mode"):
        with pytest.raises(UsageError, match="D needs the class of each image, and G's images have none"):
            controls.played(settings(game, "told", digits), game, controls.NOT)


def test_the_best_of_each_game_is_taken():
    """The least FID of its candidates, the first of equal ones."""
    trials = [one for one in controls.candidates(64) if one.game == "mode"]
    found = [{"fid": 5.0 - (i == 3) - 2 * (i in (7, 8))} for i in range(len(trials))]
    assert controls.chosen(trials, found) == {("mode", controls.NOT): trials[3], ("mode", "told"): trials[7]}


def test_the_command_writes_both_tables_and_the_picture(digits, tmp_path, monkeypatch):
    """Each game takes the loss of the smaller FID, here hinge; each cell has a line for a fresh seed and its mean."""
    monkeypatch.setattr(controls, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(controls, "compared", lambda made, asked, images: dict.fromkeys(controls.FIGURES, 0.5))
    monkeypatch.setattr(controls, "measured", measured)
    argv = ["controls.py", "--choosing", "32", "--images", "32", "--seeds", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", argv)
    controls.main()
    choices, lines = (read_csv(tmp_path / f"{name}.csv") for name in ("controls-settings", "controls"))
    assert [(one["loss"], one["taken"]) for one in choices] == [("minimax", ""), ("hinge", "yes")] * 7
    assert [one["seed"] for one in lines] == ["1", "mean"] * 18
    assert {one["fid"] for one in lines} == {"0.500"}
    assert (tmp_path / "controls.png").stat().st_size > 10_000


def measured(trials, runs):
    """The figures of all trials, done here; those of hinge have the smaller FID."""
    for trial in trials:
        trial.perform(runs)
    return [trial.figures(runs) | ({} if trial.loss == "hinge" else {"fid": 1.0}) for trial in trials]


def read_csv(path):
    """The lines of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
