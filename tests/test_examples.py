"""The notebooks of examples/ run, and show what is stored in them: text and pictures."""

from __future__ import annotations

import re

import nbformat
import pytest
from test_project import ROOT, load

runner = load(ROOT / "examples" / "run.py")


def shown(book: nbformat.NotebookNode) -> list[str]:
    """The kinds of what each code cell shows, and the words of its text without numbers."""
    found = []
    for cell in book.cells:
        for output in cell.get("outputs", []):
            pictures = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            found += pictures or re.findall(r"[A-Za-z]+", output.get("text", ""))
    return found


def test_there_are_five() -> None:
    """The five examples that the documents promise are there."""
    assert len(runner.NAMES) == 5


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", runner.NAMES)
def test_a_notebook_runs_and_shows_what_is_stored(name: str) -> None:
    """Each cell runs, without a warning or an error, and shows pictures and words as the stored notebook does."""
    stored = nbformat.read(ROOT / "examples" / f"{name}.ipynb", 4)
    book = runner.run(name)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr" or output.output_type == "error"]
    assert shown(book) == shown(stored)
    assert "image/png" in shown(stored)


@pytest.mark.parametrize("name", runner.NAMES)
def test_a_notebook_is_small(name: str) -> None:
    """A stored notebook, with its pictures, takes 400 kB at most."""
    assert (ROOT / "examples" / f"{name}.ipynb").stat().st_size < 400_000
