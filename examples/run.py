"""Runs the notebooks beside this file, each in a folder of its own, and keeps in them what they show.

    python examples/run.py [NAME ...]

A name is that of a notebook without its suffix; without one all are run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.ipynb"))


def run(name: str) -> nbformat.NotebookNode:
    """The notebook with what its cells show. Raises CellExecutionError for a cell that fails."""
    book = nbformat.read(HERE / f"{name}.ipynb", 4)
    with TemporaryDirectory() as folder:
        NotebookClient(book, timeout=600, record_timing=False, resources={"metadata": {"path": folder}}).execute()
    return book


def main() -> None:
    """Runs and writes."""
    for name in sys.argv[1:] or NAMES:
        nbformat.write(run(name), HERE / f"{name}.ipynb")
        print(f"{name}: done")


if __name__ == "__main__":
    main()
