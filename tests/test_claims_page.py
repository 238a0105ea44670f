"""docs/claims.md is what experiments/claims.py makes of the committed figures."""

from __future__ import annotations

import math
import sys

import pytest
from test_project import ROOT, load

from lookalike.studies.claims import Estimate

sys.path.insert(0, str(ROOT / "experiments"))  # what the experiments share
claims, search_steps, encoder = (load(ROOT / "experiments" / f"{n}.py") for n in ("claims", "search_steps", "encoder"))


def test_the_page_is_that_of_the_committed_figures():
    """No figure was typed by hand, and none is older than its file."""
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page()


def test_a_difference_by_hand(tmp_path, monkeypatch):
    """Over rows the mean of ours and of the printed ones; over seeds paired by seed, and smaller may be better."""
    monkeypatch.setattr(claims, "RESULTS", tmp_path)
    (tmp_path / "rows.csv").write_text(
        "dataset,known,unknown,method,metric,printed,mean\n"
        "d,a,b,new,auc,0.9,0.8\nd,a,b,old,auc,0.7,0.7\nd,b,a,new,auc,0.8,0.6\nd,b,a,old,auc,0.8,0.4\nd,c,a,new,auc,,0.1\n"
    )
    ours, theirs, n = claims.measured(claims.Claim("", "rows", "new", "old"))
    assert (ours.mean, theirs, n) == (pytest.approx(0.15), pytest.approx(0.1), 2)
    (tmp_path / "seeds.csv").write_text(
        "dataset,method,seed,metric,value\nd,new,0,fid,2\nd,old,0,fid,5\nd,new,1,fid,3\nd,old,1,fid,4\ne,new,0,fid,9\n"
    )
    ours, theirs, n = claims.measured(claims.Claim("", "seeds", "new", "old", "fid", "d", sign=-1))
    assert (ours.mean, theirs, n) == (2.0, None, 2)


@pytest.mark.parametrize(
    ("low", "high", "equal", "said"),
    [
        (0.1, 0.2, False, "holds"),
        (-0.2, -0.1, False, "does not hold"),
        (-0.1, 0.2, False, "cannot be told"),
        (math.nan, math.nan, False, "cannot be told"),
        (0.1, 0.2, True, "does not hold"),
        (-0.1, 0.2, True, "cannot be told"),
    ],
)
def test_verdicts(low, high, equal, said):
    """A claim holds on its side of 0; one of no difference never does, as an interval cannot show that."""
    assert claims.verdict(Estimate((low + high) / 2, low, high, 0.5), equal) == said


def test_sampling_errors_by_hand():
    """An AUC of 1 has none, one of a half that of a rank sum; an accuracy has the binomial one."""
    assert claims.sampling(1.0, 100, "auc") == 0
    assert claims.sampling(0.5, 100, "auc") == pytest.approx(math.sqrt(201 / (12 * 100**2)), rel=1e-2)
    assert claims.sampling(0.8, 50, "known_vs_known") == pytest.approx(0.04)


def test_the_verdicts_on_the_page_are_those_of_their_file():
    """Each line of vtgan-2021's table of verdicts has the means of experiments/results/verdicts.csv."""
    page, found = (ROOT / "docs" / "vtgan-2021.md").read_text(encoding="utf-8"), []
    for line in claims.read("verdicts"):
        if line["known"] == "mean" and (line["method"], line["share"]) in (
            ("oc-svm", "0.01"),
            ("isolation-forest", "0.02"),
        ):
            figures = [line[name] for name in ("printed", "score", "score_off", "verdict", "verdict_off")]
            found.append((line["dataset"], f" | {' | '.join(figures)} |"))
    where = {"mnist": "four rows of MNIST", "fashion-mnist": "six rows of Fashion-MNIST"}
    there = [f"{where[data]}{figures}" in page for data, figures in found if data in where]
    assert there == [True] * 4


def test_the_tables_of_the_latent_search_are_those_of_their_files():
    """Each line of vtgan-2021's two tables is what the experiments make of their files."""
    page = (ROOT / "docs" / "vtgan-2021.md").read_text(encoding="utf-8").splitlines()
    lines = [*search_steps.table(), *encoder.table()]
    assert len(lines) == 14 and [line for line in lines if line not in page] == []
