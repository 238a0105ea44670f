"""Writes docs/reliability.md: each fault of the catalogue with the tests that carry its id, or why it has none.

`python tests/catalogue.py` asks pytest for the ids of all tests. A test carries the id of a row in its name or in that
of a parameter: test_A28_..., test_B18_to_B22_..., test_rows[D7]. `catalogue.csv` holds the rows. Where no test carries
the id, its column `also` holds a part of the id of a test that covers the row, or `why` says why there is none.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
ROWS = TESTS / "catalogue.csv"
ID = re.compile(r"(?<![A-Za-z0-9])([A-J])(\d{1,2})(?:_to_[A-J](\d{1,2}))?(?![A-Za-z0-9])")
MOST = 3  # tests that a row names
SECTIONS = {
    "A": "One image", "B": "Folders and labels", "C": "Arrays and Python", "D": "Models and checkpoints",
    "E": "During training", "F": "Outputs, disk and several processes", "G": "Settings and the command line",
    "H": "Reports", "I": "Several machines", "J": "Honest numbers",
}  # fmt: skip
HEAD = """# Faults and bad input

What can go wrong, and the tests that say what happens then. `python tests/catalogue.py` writes this page from the ids
of the tests. `make trust` runs kills, faults, flips, histories and a soak in large numbers, and `make fuzz` gives
random bytes to everything that reads; their results stand in [trust.json](../benchmarks/results/trust.json), each part
with its date and number, and in [fuzz.json](../benchmarks/results/fuzz.json).

Every refusal has an exit code, one line on standard error that names what is wrong, no traceback, and leaves every
earlier file as it was. The codes: 2 usage, 3 data, 4 model or checkpoint, 5 output, 6 diverged, 7 memory or another
resource, 8 locked by another process, 129, 130 and 143 stopped by a signal.
"""


def collected() -> list[str]:
    """The ids of all tests, as pytest gives them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "-p", "no:cacheprovider", str(TESTS)]
    said = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if "::" in line]


def ids_in(test: str) -> set[str]:
    """The rows that the id of a test names."""
    found: set[str] = set()
    for letter, first, last in ID.findall(test.partition("::")[2].replace("_", " ").replace(" to ", "_to_")):
        found |= {f"{letter}{n}" for n in range(int(first), int(last or first) + 1)}
    return found


def page(rows: Iterable[Mapping[str, str]], tests: Iterable[str]) -> str:
    """The page as Markdown. Raises ValueError for a row without a test and without a reason, or with an idle one."""
    tests = list(tests)
    carried: dict[str, list[str]] = {}
    for test in tests:
        for name in ids_in(test):
            carried.setdefault(name, []).append(test)
    parts, section = [HEAD], ""
    for row in rows:
        mine = carried.get(row["id"]) or [test for test in tests if row["also"] and row["also"] in test]
        if bool(mine) == bool(row["why"]) or (row["also"] and row["id"] in carried):
            raise ValueError(f"{row['id']}: give tests that carry its id, or a part of a test's id, or a reason")
        if row["id"][0] != section:
            section = row["id"][0]
            parts.append(f"\n## {SECTIONS[section]}\n\n| row | case | tests |\n|---|---|---|\n")
        parts.append(f"| {row['id']} | {row['case']} | {_named(mine) or row['why']} |\n")
    return "".join(parts)


def _named(tests: Iterable[str]) -> str:
    """The first functions of these tests, each with its file, and how many more there are."""
    functions = list(dict.fromkeys(test.partition("[")[0] for test in tests))
    more = f", {len(functions) - MOST} more" if functions[MOST:] else ""
    return ", ".join(f"`{name.rpartition('/')[2]}`" for name in functions[:MOST]) + more


def rows() -> list[dict[str, str]]:
    """The rows of the catalogue."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    PAGE.write_text(page(rows(), collected()), "utf-8")
