"""Goal G-8: random bytes at every gate. None may raise an error that is not ours, take 2 seconds, or 2 GB.

    pip install atheris
    python benchmarks/fuzz.py --seconds 600

atheris (Google's fuzzer for Python, on libFuzzer) changes the bytes in tests/corpus and keeps what reaches new code, in
the folder that --keep names. What breaks a gate is printed and stored, and then belongs in tests/corpus. It needs the
folder tests in PYTHONPATH, as `make fuzz` gives it. Results: benchmarks/results/fuzz.json.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine

CORPUS = Path(__file__).parents[1] / "tests" / "corpus"  # GATE/NAME
GATES = sorted(path.name for path in CORPUS.iterdir())
FAST = Path("/dev/shm")  # files in memory, on Linux
SLOWEST, MEMORY = 2, 2048  # seconds and MB
DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def fuzz(gate: str, folder: Path, arguments: list[str]) -> None:
    """Runs libFuzzer on one gate, which may write in the folder; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["lookalike"]):
        from gates import passes

    def once(data: bytes) -> None:
        passes(gate, data, folder)

    for path in (CORPUS / gate).iterdir():  # what is imported late does not count as slow
        once(path.read_bytes())
    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


def measured(gate: str, seconds: int, keep: Path) -> dict[str, Any]:
    """What a run of libFuzzer says: executions, and the bytes that broke the gate, in hexadecimals."""
    found = keep / gate
    shutil.copytree(CORPUS / gate, found, dirs_exist_ok=True)
    broken = keep / "broken"
    broken.mkdir(exist_ok=True)
    given = [
        f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}", "-max_len=20000",
        "-print_final_stats=1", f"-artifact_prefix={broken}/{gate}-", str(found),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as folder:
        argv = [sys.executable, __file__, "--gate", gate, folder, *given]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    runs = DONE.search(ended.stderr)
    bad = {path.name: path.read_bytes()[:2000].hex() for path in sorted(broken.glob(f"{gate}-*"))}
    if ended.returncode and not bad:
        raise SystemExit(f"{gate} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return {"executions": int(runs[1]) if runs else None, "seconds": seconds, "broken": bad}


def main() -> int:
    """Fuzzes every gate in turn and stores what was found."""
    if sys.argv[1:2] == ["--gate"]:
        fuzz(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, help="of each gate; 600 for a release")
    parser.add_argument("--only", default=",".join(GATES), help="some gates, by name")
    parser.add_argument("--keep", type=Path, help="a folder for the bytes that reached new code")
    given = parser.parse_args()
    keep = given.keep or Path(tempfile.mkdtemp())
    keep.mkdir(exist_ok=True)
    results = {}
    for gate in given.only.split(","):
        results[gate] = measured(gate, given.seconds, keep)
        print(f"{gate}: {results[gate]}", flush=True)
    print(machine.save("fuzz", results))
    return int(any(found["broken"] for found in results.values()))


if __name__ == "__main__":
    raise SystemExit(main())
