"""What the engines cost: eight short trainings of digits by this machine's processes, and by a Ray cluster on it.

    python benchmarks/cluster.py

Wall seconds of the study, twice each and in turn, with two trainings side by side, and what of them the trainings
themselves take. The rest is the start of processes, imports, reading, scoring, and the way to the cluster and back.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from lookalike.runs.folder import training_seconds
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from machine import save

SIDE = 2
TRIALS = [
    DetectorTrial(
        "digits", "anogan", seed, known=("3",), scored=("3", "8"), settings=(("images", 12_800), ("false_alarms", 0.5))
    )
    for seed in range(8)
]


def measure(runs: Path, address: str) -> dict[str, float]:
    """Wall seconds of the study, and the share of it in which trainings take steps."""
    began = time.monotonic()
    failed = Study(runs, workers=SIDE, cluster=address).perform(TRIALS)
    assert not failed, failed
    took = time.monotonic() - began
    trained = [training_seconds(trial.folder(runs)) or 0.0 for trial in TRIALS]
    return {"wall s": round(took, 1), "mean s of a training": round(fmean(trained), 2)}


def main() -> None:
    """Measures and saves."""
    from ray.cluster_utils import Cluster

    load = os.getloadavg()[0]
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": SIDE, "include_dashboard": False})
    found: dict[str, list[dict[str, float]]] = {"processes": [], "cluster": []}
    with TemporaryDirectory() as folder:
        for turn in range(2):
            for name, address in (("processes", ""), ("cluster", cluster.address)):
                found[name].append(measure(Path(folder) / f"{name}-{turn}", address))
                print(name, found[name][-1], flush=True)
    cluster.shutdown()
    save("cluster", found | {"load before": round(load, 1)})


if __name__ == "__main__":
    main()
