"""What trials of a study spend on reading: each in memory by itself, and with the file that the first one fills.

    python benchmarks/reading.py

CPU seconds of twelve trainings of quick detectors on photographs as files, one after the other in this process, with
nothing kept in memory between them, as fresh processes have it.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from lookalike.data import beyond
from lookalike.studies import study as studies
from lookalike.studies.detect import trial as detectors
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.trial import name_of
from machine import save

CLASSES, EACH, SIDES = ("a", "b", "c", "d"), 50, (600, 400)
METHODS = ("pca", "knn", "mahalanobis")


def write(folder: Path) -> None:
    """Photographs as JPEG files, in folders of classes."""
    draw = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            coarse = draw.integers(0, 200, (12, 8, 3), dtype=np.uint8) + np.uint8(10 * label)
            Image.fromarray(coarse).resize(SIDES).save(folder / name / f"{i}.jpg")


def spent(data: Path, runs: Path) -> dict[str, float]:
    """CPU seconds of all trials, and of a trial after the first."""
    trials = [
        DetectorTrial(str(data), method, 0, known=(name,), scored=CLASSES, settings=(("false_alarms", 0.5),))
        for name in CLASSES
        for method in METHODS
    ]
    each = []
    for trial in trials:
        detectors.read_once.cache_clear()
        name_of.cache_clear()
        began = time.process_time()
        studies._perform(trial, runs, "")  # noqa: SLF001  what a worker calls
        each.append(time.process_time() - began)
    return {"CPU s": round(sum(each), 1), "median CPU s of a trial": round(float(np.median(each)), 2)}


def main() -> None:
    """Measures and saves."""
    found: dict[str, Any] = {"images": EACH * len(CLASSES), "sides": SIDES, "trials": len(CLASSES) * len(METHODS)}
    shared = beyond.shared
    with TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        write(data := Path(name) / "data")
        Study(Path(name) / "warm").perform([])
        for kind, how in (("each reads", nullcontext), ("the first one reads", shared)):
            beyond.shared = how
            found[kind] = spent(data, Path(name) / kind)
            print(kind, found[kind], flush=True)
    save("reading", found)


if __name__ == "__main__":
    main()
