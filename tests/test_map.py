"""The annotated tree in CONTRIBUTING.md is the real tree of src/lookalike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "src/lookalike/"
LINE = re.compile(r"(?P<indent> *)(?P<name>\S+)(?: +(?P<text>\S.*))?")

SAMPLE = """\
# lookalike

## The tree

The data flow, top down:

```
src/lookalike/
  data/            images from anywhere
    idx.py         IDX files
  train.py         the only loop
tests/             mirrors src
```

## Next
"""


def tree(text: str) -> dict[str, str]:
    """Path -> description of every line in the fenced block under the heading "The tree"."""
    section = re.search(r"^#+ The tree$(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    block = section and re.search(r"^```\w*\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    if not block:
        pytest.fail('CONTRIBUTING.md has no fenced block under the heading "The tree"')
    entries: dict[str, str] = {}
    parents: list[str] = []
    for line in filter(str.strip, block[1].splitlines()):
        match = LINE.fullmatch(line)
        assert match, f"not an entry: {line!r}"
        level, odd = divmod(len(match["indent"]), 2)
        assert not odd, f"indent by two spaces per level: {line!r}"
        assert level <= len(parents), f"deeper than its parent: {line!r}"
        assert level == 0 or parents[level - 1].endswith("/"), f"its parent is not a folder: {line!r}"
        path = "".join(parents[:level]) + match["name"]
        assert path not in entries, f"named twice: {path}"
        parents = [*parents[:level], match["name"]]
        entries[path] = match["text"] or ""
    return entries


def real(folder: Path) -> set[str]:
    """Return the files and folders (with a final slash) below `folder`, as the tree names them."""
    found = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {PACKAGE + path.relative_to(folder).as_posix() + "/" * path.is_dir() for path in found}


def test_the_parser_reads_levels_and_descriptions() -> None:
    """A block of three levels becomes full paths with their descriptions."""
    assert tree(SAMPLE) == {
        "src/lookalike/": "",
        "src/lookalike/data/": "images from anywhere",
        "src/lookalike/data/idx.py": "IDX files",
        "src/lookalike/train.py": "the only loop",
        "tests/": "mirrors src",
    }


@pytest.mark.parametrize(
    "line", ["      too_deep.py  text", "   odd.py  text", "    train.py/child.py text", "  train.py         again"]
)
def test_the_parser_refuses_a_crooked_tree(line: str) -> None:
    """An entry that is too deep, oddly indented, below a file or repeated is an error."""
    with pytest.raises(AssertionError):
        tree(SAMPLE.replace("tests/             mirrors src", line))


def test_the_real_tree_leaves_caches_out(tmp_path: Path) -> None:
    """Folders end with a slash, and compiled files are not part of the tree."""
    (tmp_path / "data" / "__pycache__").mkdir(parents=True)
    (tmp_path / "data" / "idx.py").touch()
    (tmp_path / "data" / "__pycache__" / "idx.pyc").touch()
    assert real(tmp_path) == {"src/lookalike/data/", "src/lookalike/data/idx.py"}


def test_the_tree_equals_the_real_tree() -> None:
    """CONTRIBUTING.md names every file and folder of src/lookalike, and nothing that is not there."""
    named = tree((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert {path for path in named if path.startswith(PACKAGE) and path != PACKAGE} == real(ROOT / PACKAGE)


def test_every_entry_of_the_tree_exists_and_is_described() -> None:
    """Each path that the tree names is on disk (a folder with a final slash) and says what it is for."""
    named = tree((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    for path, text in named.items():
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path
        assert text or path == PACKAGE, f"{path} has no description"
