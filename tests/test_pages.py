"""Tables of the papers' pages are what experiments/pages.py makes of the committed figures."""

from __future__ import annotations

import math
import sys

import pytest
from test_project import ROOT, load

sys.path.insert(0, str(ROOT / "experiments"))  # what the experiments share
pages = load(ROOT / "experiments" / "pages.py")
TEXT = "# A\n\n| m | x |\n|---|---|\n| `a` | 1 |\n\nBelow\n\n| m | x |\n|---|---|\n| `a` | 1 |\n| | 2 |\n| real | 3 |\n"


@pytest.mark.parametrize("page", sorted({shown.page for shown in pages.TABLES}))
def test_each_table_is_that_of_its_files(page):
    """No figure of it was typed by hand, and none is older than its file."""
    text = (pages.DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert pages.rewritten(page, text) == text


def test_lines_are_found_by_table_and_name_and_others_stay(monkeypatch):
    """In the table below a line its named lines get new cells, in their order; a line that is missing is named."""
    shown = pages.Shown("a", "| m |", 1, lambda: iter([["`a`", "5"], ["", "6"]]), "Below")
    monkeypatch.setattr(pages, "TABLES", (shown,))
    first, second = TEXT.split("Below")
    assert pages.rewritten("a", TEXT) == first + "Below" + second.replace("| 1 |", "| 5 |").replace("| 2 |", "| 6 |")
    monkeypatch.setattr(pages, "TABLES", (pages.Shown("a", "| m |", 1, lambda: iter([["`b`", "5"]])),))
    with pytest.raises(ValueError, match=r"docs/a.md has no line \| `b` \| below"):
        pages.rewritten("a", TEXT)


def test_figures_by_hand(tmp_path, monkeypatch):
    """Of two rows the means of ours and of the printed ones, and in how many ours is above the printed best."""
    monkeypatch.setattr(pages, "RESULTS", tmp_path)
    theirs = {("p", "1", "d", "a", "b", "best", "auc"): 0.75, ("p", "1", "d", "b", "a", "best", "auc"): 0.75}
    monkeypatch.setattr(pages, "printed", lambda: theirs)
    (tmp_path / "t.csv").write_text(
        "dataset,known,unknown,method,metric,printed,mean\nd,a,b,m,auc,0.5,0.8\nd,b,a,m,auc,0.7,0.6\nd,b,a,o,auc,,0.1\n"
    )
    found = pages.over_rows("t", "p/1", {"m": "", "o": ""}, "auc", "best")
    assert found == {"m": ("0.600", pytest.approx(0.7), "1 of 2"), "o": ("", pytest.approx(0.1), "0 of 1")}
    assert (pages.fid((9.994, 3.1)), pages.fid((11.6, 11.46))) == ("9.99 ± 3.10", "11.6 ± 11.5")
    assert (pages.share((0.8949, math.pi / 100)), pages.alone(None)) == ("89 ± 3 %", "")
