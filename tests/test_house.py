"""The layout holds: imports lead downwards through the rooms, and no modules import each other in a circle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from test_project import ROOT, load

sys.path.insert(0, str(ROOT / "benchmarks"))
house = load(ROOT / "benchmarks" / "house.py")


def package(root: Path, files: dict[str, str]) -> Path:
    """A package of these files; returns its folder."""
    for name, text in files.items():
        path = root / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "pack"


def test_no_import_runs_upwards() -> None:
    """No module imports from a room further up, not for types alone and not inside a function."""
    assert house.upwards(house.imports()) == []


def test_no_circle() -> None:
    """No group of modules imports each other, directly or by way of others."""
    assert house.circles(house.imports()) == []


def test_the_top_of_the_package_is_the_rooms() -> None:
    """At the top stand the eleven rooms and the map, at most twelve entries, and every room is there."""
    assert house.entries() == sorted([*house.ROOMS, "__init__.py"]) and len(house.entries()) <= 12


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from pack.runs import plan", True),
        ("from pack.runs.plan import Plan", True),
        ("import pack.runs.plan", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack.runs.plan import Plan", True),
        ("def f():\n    from pack.runs.plan import Plan", True),
        ("from pack.base import errors", False),
    ],
)
def test_an_import_that_runs_upwards_is_found(text: str, found: bool, tmp_path: Path) -> None:
    """An import from a room further up is found in each form; one from a room below is none."""
    files = {f"{name}/__init__.py": "" for name in ("base", "data", "runs")}
    files |= {"__init__.py": "", "base/errors.py": "", "runs/plan.py": "", "data/load.py": text}
    up = house.upwards(house.imports(package(tmp_path, files)))
    assert bool(up) == found and all(one == "pack.data.load" for one, _ in up)


def test_a_circle_by_way_of_a_third_module_is_found(tmp_path: Path) -> None:
    """Three modules in a ring are one circle; a module that imports the ring is not of it."""
    ring = {"a.py": "from pack import b", "b.py": "from pack.c import x", "c.py": "import pack.a\nx = 1"}
    found = house.imports(package(tmp_path, {"__init__.py": "", **ring, "d.py": "from pack.a import b"}))
    assert house.circles(found) == [["pack.a", "pack.b", "pack.c"]]
    assert found["pack.d"] == {"pack.a"}
