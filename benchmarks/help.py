"""`lookalike --help` as a whole process: goal under 0.5 s.

python benchmarks/help.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import save

RUNS, GOAL = 20, 0.5


def main() -> None:
    """Measures and saves."""
    program = str(Path(sys.executable).parent / "lookalike")

    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    seconds()
    times = [seconds() for _ in range(RUNS)]
    save("help", {"median s": round(statistics.median(times), 3), "slowest s": round(max(times), 3), "goal s": GOAL})


if __name__ == "__main__":
    main()
