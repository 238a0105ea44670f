"""The ablation of the weak twin, experiments/weak_twin.py, without its trainings."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from test_project import ROOT, load

from lookalike.runs.choices import filled, method_of
from lookalike.studies.detect.parts import HELD_OUT, TEST

sys.path.insert(0, str(ROOT / "experiments"))  # what the experiments share
weak_twin = load(ROOT / "experiments" / "weak_twin.py")
CLOTHES = {"fashion-mnist": "fashion-mnist"}


def test_each_way_weakens_the_twin_by_one_thing():
    """A twin as strong has the GAN's networks and z; each other way changes z, depth, or strides and pools alone."""
    twins = {}
    for way in weak_twin.WAYS:
        settings = weak_twin.trial(weak_twin.ROWS[6], way, 0, CLOTHES).train_settings()
        method = method_of(filled(settings, (1, 32, 32), 1))
        if method.twins:
            twins[way] = method.methods_of_twins()["weak"]
    strong = method.net
    assert twins["twin, as strong"].net == twins["twin, longer z"].net == strong
    z = {way: twin.latent.z_dim for way, twin in twins.items()}
    assert z == dict.fromkeys(twins, 100) | {"twin, longer z": 400, "twin, all three": 400}
    depth = {way: (twin.net.layers, twin.net.stride, twin.net.g_pool, twin.net.pool) for way, twin in twins.items()}
    assert depth["twin, one layer"] == (1, 2, 1, 2)
    assert depth["twin, strides and pools"] == (2, 4, 2, 4)
    assert depth["twin, all three"] == (1, 4, 1, 4)


def test_the_table_has_each_auc_and_the_differences_over_rows(monkeypatch):
    """Of two rows and two seeds: a way that is .1 and .3 above anogan has the mean .2 with Student's interval."""
    saved = []
    above = {"Coat/Shirt": 0.1, "Coat/Pullover": 0.3}

    def scores(trial, runs, name, part):
        assert part == TEST
        auc = 0.5 + (above[f"Coat/{trial.scored[1]}"] if trial.method == "noisegan" else 0.0)
        known = name == "Coat"
        return SimpleNamespace(score=np.arange(10.0) if known else np.repeat([-1.0, 10.0], [10 - 10 * auc, 10 * auc]))

    monkeypatch.setattr(weak_twin.Study, "perform", lambda *of: {})
    monkeypatch.setattr(weak_twin.DetectorTrial, "scores", scores)
    monkeypatch.setattr(weak_twin, "save", lambda name, lines: saved.append(lines))
    argv = ["weak_twin.py", "--rows", "Coat/Shirt", "--rows", "Coat/Pullover", "--seeds", "2"]
    monkeypatch.setattr(sys, "argv", argv)
    weak_twin.main()
    assert [len(lines) for lines in saved] == [2 * 9 + 9, 2 * 2 * 9 + 9]
    means = {line["way"]: line for line in saved[1] if line["row"] == "mean"}
    noise = means["noise, Gaussian"]
    assert [float(noise[name]) for name in ("auc", "above")] == pytest.approx([0.7, 0.2])
    assert float(noise["high"]) == pytest.approx(0.2 + 12.706 * 0.1, abs=1e-3)
    assert float(means["twin, all three"]["above"]) == 0


def test_the_larger_pair_is_judged_by_held_out_training_images(monkeypatch):
    """anogan and vtgan at 64 x 64 on a pair of no table; figures come from the part that is held out."""
    saved, asked = {}, []

    def scores(trial, runs, name, part):
        asked.append((trial.method, part, trial.train_settings().size, trial.held_out))
        return SimpleNamespace(score=np.arange(5.0))

    monkeypatch.setattr(weak_twin.Study, "perform", lambda *of: {})
    monkeypatch.setattr(weak_twin.DetectorTrial, "scores", scores)
    monkeypatch.setattr(weak_twin, "save", saved.__setitem__)
    monkeypatch.setattr(sys, "argv", ["weak_twin.py", "--larger", "--seeds", "1"])
    weak_twin.main()
    assert asked == [(method, HELD_OUT, "64,64", True) for method in ("anogan", "anogan", "vtgan", "vtgan")]
    assert [line["way"] for line in saved["weak_twin-larger"]] == ["anogan", "twin, all three"] * 2
    assert str(weak_twin.PAIR) not in map(str, weak_twin.ROWS)
