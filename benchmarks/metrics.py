"""FID, KID and precision to coverage of given features beside torchmetrics and prdc, and what memory they take.

    python benchmarks/metrics.py

10,000 random features on each side, of 128 and of 2,048 numbers, in float64. The same features go through both in
turn, A B A B; the ratio is the median over rounds of our time against theirs, and both must say the same. KID is of all
images at once, which is `subsets=1` there. Memory is the peak of a process of its own, above its features.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from prdc import compute_prdc
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from lookalike.use.quality import frechet, kernel, manifold
from machine import save

N, SMALL, ROUNDS = 10_000, 2_500, {128: 3, 2048: 1}
Figure = Callable[[np.ndarray, np.ndarray], object]
OURS: dict[str, Figure] = {
    "FID": frechet.distance,
    "KID": kernel.discrepancy,
    "precision to coverage": lambda made, real: manifold.compare(real, made),
}
WHATS = (*OURS, "nothing")


def features(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sides (n, d)."""
    random = np.random.default_rng(0)
    return random.normal(size=(n, d)), random.normal(0.1, size=(n, d))


def theirs(what: str, made: np.ndarray, real: np.ndarray) -> object:
    """The same figure by torchmetrics or prdc."""
    if what == "precision to coverage":
        with contextlib.redirect_stdout(io.StringIO()):
            return tuple(compute_prdc(real, made, 5).values())
    given = nn.Identity()
    given.num_features = made.shape[1]  # type: ignore[assignment]
    with warnings.catch_warnings(action="ignore"):
        metric = (
            FrechetInceptionDistance(feature=given)
            if what == "FID"
            else KernelInceptionDistance(feature=given, subsets=1, subset_size=len(made))
        )
    for side, real_one in ((made, False), (real, True)):
        metric.update(torch.from_numpy(side), real=real_one)
    said = metric.compute()
    return float(said[0] if isinstance(said, tuple) else said)


def seconds(of: Callable[[], object]) -> tuple[float, object]:
    """How long it takes, and what it says."""
    began = time.perf_counter()
    said = of()
    return time.perf_counter() - began, said


def ratios(ours: Figure, theirs: Figure, sides: tuple[np.ndarray, np.ndarray], rounds: int) -> dict[str, float]:
    """The ratio and both times, in turn; both must say the same of the two sides."""
    taken = []
    for _ in range(rounds):
        mine, our_value = seconds(lambda: ours(*sides))
        other, their_value = seconds(lambda: theirs(*sides))
        np.testing.assert_allclose(our_value, their_value, rtol=1e-6)  # type: ignore[arg-type]
        taken.append((mine, other))
    times = [round(statistics.median(one), 2) for one in zip(*taken, strict=True)]
    ratio = statistics.median(mine / other for mine, other in taken)
    return {"ratio": round(ratio, 3), "ours s": times[0], "theirs s": times[1]}


def compared(what: str, d: int) -> dict[str, float]:
    """The times of both and their ratio, for features of d numbers."""
    return ratios(OURS[what], lambda made, real: theirs(what, made, real), features(N, d), ROUNDS[d])


def peak(what: str, n: int, d: int) -> float:
    """MB of a process that takes one figure."""
    program = (
        f"import sys; sys.path.insert(0, {sys.path[0]!r}); import metrics; sides = metrics.features({n}, {d});"
        f"metrics.OURS.get({what!r}, lambda *_: None)(*sides);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    """Measures and saves."""
    torch.set_num_threads(2)
    found = {f"{d} features": {what: compared(what, d) for what in OURS} for d in ROUNDS}
    peaks = {n: {what: peak(what, n, 128) for what in WHATS} for n in (SMALL, N)}
    memory = {what: {f"{n:,}": round(peaks[n][what] - peaks[n]["nothing"]) for n in peaks} for what in OURS}
    save("metrics", {"images": N, "rounds": list(ROUNDS.values()), **found, "MB above 128 features": memory})


if __name__ == "__main__":
    main()
