"""CPU seconds of a step of one GAN on one and on two processes of torchrun, one thread each.

    python benchmarks/ranks.py

CPU time of all processes together: what the messages and the smaller batches cost, whatever else the machine does. The
wall time on idle cores is this divided by the processes, where they wait little for each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import torch

from lookalike.base.ranks import joined
from lookalike.game.gan import GAN
from lookalike.game.train import turn
from lookalike.runs import plan as plans
from lookalike.runs.settings import train_settings
from machine import save

METHODS = ("acgan", "auto-gan")
WARM, STEPS = 3, 20


def measure(method: str, sync: bool) -> None:
    """Prints CPU seconds of a step over all processes, and the least wall seconds of one."""
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        settings = train_settings(
            known=("3", "8"), method=method, size="32,32", calibration=0, images=64_000, threads=1
        )
        plan = plans.make("digits", settings, ranks)
        assert plan.recipe.method is not None
        gan = GAN(plan.recipe.method, plan.images.shape, classes=2, ema=plan.recipe.settings.ema or 0.0)
        if sync:
            gan.share_norms(ranks)
        source, walls, began = plan.source(), list[float](), 0.0
        for index in range(WARM + STEPS):
            if index == WARM:
                began = time.process_time()
            wall = time.perf_counter()
            turn(gan, source, index, 1000, plan.recipe.batch)
            walls.append(time.perf_counter() - wall)
        cpu = torch.tensor((time.process_time() - began) / STEPS)
        ranks.average([cpu])
        if ranks.leads:
            print(plan.recipe.batch, round(float(cpu) * ranks.size, 4), round(min(walls[WARM:]), 4), flush=True)


def run(method: str, processes: int, sync: str) -> dict[str, float]:
    """The figures of a method on so many processes."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*start, __file__, method, sync], check=True, capture_output=True, text=True, env=environment
    ).stdout.split()
    return {"batch": int(done[0]), "CPU s a step": float(done[1]), "least wall s a step": float(done[2])}


def main() -> None:
    """Measures and saves."""
    if len(sys.argv) > 1:
        measure(sys.argv[1], sys.argv[2] == "sync")
        return
    kinds = {"1 process": (1, "own"), "2 processes": (2, "own"), "2 processes, --sync-bn": (2, "sync")}
    results = {method: {kind: run(method, *how) for kind, how in kinds.items()} for method in METHODS}
    save("ranks", results)


if __name__ == "__main__":
    main()
