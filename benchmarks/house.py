"""Does the code keep its layout? Counts of rooms, arrows and circles, from the imports of `src/lookalike`.

A room is a folder of `src/lookalike`. An arrow leads from a room to one whose modules it imports. Imports for types
alone and imports inside functions count too. A circle is a group of modules that import each other. CONTRIBUTING.md has
the order of the rooms. `python benchmarks/house.py` prints the counts and saves them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import machine

SOURCE = Path(__file__).parents[1] / "src" / "lookalike"
ROOMS = (
    "base",
    "data",
    "features",
    "game",
    "methods",
    "detect",
    "runs",
    "use",
    "studies",
    "report",
    "faces",
)  # upwards
MARKERS = ("py.typed", "__main__.py")  # files that Python asks for

Imports = Mapping[str, frozenset[str]]  # module -> the modules of the package that it imports


def imports(source: Path = SOURCE) -> Imports:
    """Module name -> modules of the same package that it imports, wherever in the file."""
    files = {_name(source, path): path for path in source.rglob("*.py")}
    return {name: frozenset(_imported(name, path, files)) - {name} for name, path in files.items()}


def _name(source: Path, path: Path) -> str:
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, files: Iterable[str]) -> Iterator[str]:
    package = name.partition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in files)
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == package:
                wholes = {f"{module}.{alias.name}" for alias in names}
                yield from wholes & set(files)
                if wholes - set(files) and module in files:
                    yield module


def room(module: str) -> str:
    """The room of a module; "" for the package itself and its `__main__`."""
    name = f"{module}..".split(".")[1]
    return "" if name == "__main__" else name


def arrows(found: Imports) -> set[tuple[str, str]]:
    """(room, room that it imports from)."""
    pairs = {(room(one), room(other)) for one, others in found.items() for other in others}
    return {(one, other) for one, other in pairs if one != other and one and other}


def upwards(found: Imports) -> list[tuple[str, str]]:
    """(module, module that it imports from a room further up)."""
    height = {name: floor for floor, name in enumerate(ROOMS)}
    pairs = [(one, other) for one, others in found.items() for other in others if room(one) and room(other)]
    return sorted((one, other) for one, other in pairs if height[room(one)] < height[room(other)])


def circles(found: Imports) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reached = {name: _reached(name, found) for name in found}
    groups = {tuple(sorted({name, *(other for other in reached[name] if name in reached[other])})) for name in found}
    return sorted(list(group) for group in groups if len(group) > 1)


def _reached(name: str, found: Imports) -> set[str]:
    seen, left = set[str](), [name]
    while left:
        for other in found[left.pop()] - seen:
            seen.add(other)
            left.append(other)
    return seen


def entries(source: Path = SOURCE) -> list[str]:
    """What a reader meets at the top of the package, markers and caches aside."""
    return sorted(path.name for path in source.iterdir() if path.name not in ("__pycache__", *MARKERS))


def main() -> None:
    """Prints and saves the counts."""
    found = imports()
    counts = {
        "entries at the top": len(entries()),
        "modules": len(found),
        "arrows between rooms": len(arrows(found)),
        "imports that run upwards": len(upwards(found)),
        "circles of modules": len(circles(found)),
    }
    for name, count in counts.items():
        print(f"{name:26} {count}")
    machine.save("house", counts)


if __name__ == "__main__":
    main()
