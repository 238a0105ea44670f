"""What every refusal must look like: the common contract of the catalogue of faults, in one place."""

from __future__ import annotations

from pathlib import Path

from tiny import call


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_clean_failure(capsys, argv: list[str], code: int, *named: object, kept: Path) -> str:
    """The command exits with `code` and one line that names what is wrong; `kept` has the same files as before.

    Returns the line.
    """
    before = tree(kept)  # so neither may a left-over part appear
    got, out, err = call(capsys, *argv)
    lines = err.splitlines()
    assert got == code, err
    assert out == ""
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert "Traceback" not in err and "bug in lookalike" not in err
    for name in named:
        assert str(name) in lines[0]
    assert tree(kept) == before
    return lines[0]
