"""`lookalike demo` from its start to its table and report: goal at most 180 seconds on two cores.

python benchmarks/demo.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import save

GOAL = 180


def main() -> None:
    """Measures once and saves."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [Path(sys.executable).with_name("lookalike"), "demo", "-o", Path(folder) / "demo"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
    save("demo", {"seconds": round(seconds, 1), "goal": GOAL})


if __name__ == "__main__":
    main()
