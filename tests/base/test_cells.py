"""CSV: no cell of any table that we write is a formula to a spreadsheet, and every text comes back."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from tiny import call

import lookalike
from lookalike.base.cells import as_csv, file_cell

FORMULA = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("+1", "+1"),
        ("-1", "-1"),
        ("-0.5", "-0.5"),
        ("+.5", "+.5"),
        ("7", "7"),
        ("+1.2.3", "'+1.2.3"),
        ("-dash", "'-dash"),
        ("+ve", "'+ve"),
        ("@home", "'@home"),
        ("=1+1", "'=1+1"),
        ("-1+2", "'-1+2"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'quoted'", "''quoted'"),
        ("a-b", "a-b"),
        ('a,b\r\n"c"', 'a,b\r\n"c"'),
        ("", ""),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_H7_text_in_csv_is_itself_or_one_apostrophe_longer(name, cell, quoted):
    """Numbers and harmless names stay; without one apostrophe, what is left is the text; none is a formula."""
    text = as_csv([("class", "n"), (name, 1), (name, -0.5)], quoted=quoted)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["class", "n"], [cell, "1"], [cell, "-0.5"]]
    assert cell.removeprefix("'") == name or name == "'quoted'"


@pytest.mark.parametrize(
    ("name", "cell"), [("=1.png", "./=1.png"), ("a/=1.png", "a/=1.png"), ("-x/1.png", "./-x/1.png")]
)
def test_H7_a_file_in_csv_is_the_same_file(name, cell):
    """A file's name that would be a formula gets ./ before it, and no apostrophe."""
    assert file_cell(name) == cell
    assert as_csv([(file_cell(name),)]) == f"{cell}\n"


def test_H7_one_module_alone_writes_csv():
    """Nobody else makes a writer of the module csv, so that no table can forget what a formula is."""
    package = Path(lookalike.__file__).parent
    found = [path for path in package.rglob("*.py") if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))]
    assert found == [package / "base" / "cells.py"]


def test_H7_a_class_that_is_a_formula_is_text_in_the_table_of_a_bench(tmp_path, capsys):
    """`bench detect` writes such a class with an apostrophe, which a spreadsheet shows as text."""
    draw = np.random.default_rng(0)
    labels = np.repeat([FORMULA, "b"], 20)
    np.savez(tmp_path / "v.npz", images=draw.uniform(-1, 1, (40, 4)).astype("float32"), labels=labels)
    argv = ("bench", "detect", tmp_path / "v.npz", "--methods", "knn", "--seeds", 1)
    assert call(capsys, *argv, "--runs", tmp_path / "runs", "-o", tmp_path / "out")[0] == 0
    with (tmp_path / "out" / "bench-detect.csv").open(newline="") as file:
        assert {row["unknown"] for row in csv.DictReader(file)} == {f"'{FORMULA}", "b"}
