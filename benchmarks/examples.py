"""The README's examples: every `$ lookalike` command in its order, and what it prints.

`python benchmarks/examples.py` runs them in an empty folder and saves their standard output. A test compares the lines
that the README shows with what is saved.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from machine import save

README = Path(__file__).parents[1] / "README.md"


def examples(text: str) -> list[tuple[str, list[str]]]:
    """(command, the lines of its output that the text shows) of each console example. Comments are left out."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```\n(\$ .*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:].split("  # ")[0].strip(), []))
            else:
                found[-1][1].append(line.rstrip())
    return found


def main() -> None:
    """Runs the commands and saves their output."""
    said: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for command, _ in examples(README.read_text(encoding="utf-8")):
            done = subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True, text=True)
            said[command] = [line.rstrip() for line in done.stdout.splitlines()]
            print(f"$ {command}", *said[command], sep="\n")
    save("examples", {"output": said})


if __name__ == "__main__":
    main()
