"""The machine a benchmark ran on, saved beside its figures; names neither host nor user."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lookalike.base.files import make_folder, write_json

RESULTS = Path(__file__).parent / "results"


def facts() -> dict[str, Any]:
    """Processor, threads and versions: what a figure in seconds or MB depends on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("lookalike", "torch", "numpy")},
        "date": datetime.now(UTC).date().isoformat(),
    }


def save(name: str, results: Any) -> Path:
    """Write `results` (anything JSON can hold) with the command and `facts()` to benchmarks/results/NAME.json."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    path = make_folder(RESULTS) / f"{name}.json"
    write_json(path, {"name": name, "command": command, "machine": facts(), "results": results})
    return path


def _cpu() -> str:
    """Return the processor's model name, else what Python knows of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown")
