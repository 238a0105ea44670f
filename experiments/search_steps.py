"""When may the latent search of an image stop? AUC of V(x) by stopping rule, on pairs of classes that no table has.

    python experiments/search_steps.py --mnist FOLDER

Preset small, `anogan`, seed 0: it learns one class of a pair. 64 held-out training images of each class are searched
for 1,000 steps; no test image is looked at. The course of V(x) says what any rule gives. A rule is a most number of
steps, and a share (tolerance) of V(x) by which it must fall in a number of steps (patience) to go on. FOLDER holds
MNIST's four IDX files. The figures go to experiments/results/search_steps.csv: the AUC, mean V(x), the mean number of
steps, and the share of images that converged before the most steps; each pair, then the means, and the largest loss of
AUC against the best of 50 to 1,000 steps. The trainings stay in runs/search-steps.
"""

from __future__ import annotations

import argparse
import csv
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lines import Line, measured, save

from lookalike.base import files
from lookalike.base.arrays import Floats
from lookalike.data import read
from lookalike.data.images import scaled
from lookalike.detect.auc import area
from lookalike.detect.search import Inverter, Search, Slots
from lookalike.game.gan import GAN
from lookalike.runs.run import PLACES, run
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.parts import HELD_OUT, images_of
from lookalike.studies.trial import FiguresTrial

RUNS, RESULTS = Path("runs/search-steps"), Path(__file__).parent / "results"
PAIRS = {
    "mnist": (("5", "6"), ("2", "1"), ("0", "6"), ("5", "8"), ("5", "3")),
    "fashion-mnist": (
        *(("T-shirt/top", "Dress"), ("Dress", "Trouser"), ("Sneaker", "Bag")),
        *(("T-shirt/top", "Shirt"), ("Sneaker", "Ankle boot")),
    ),
}
SIDE, LONGEST = 64, 1000  # images of each class; steps
STEPS = (50, 100, 200, 400, 700, 1000)
RATES = (0.02, 0.05)  # Adam's step size
RULES = tuple((tolerance, patience) for tolerance in (0.001, 0.003, 0.01, 0.03) for patience in (20, 50, 100))
KEY = ("lr", "most", "tolerance", "patience")
PRINTED = (
    *(("0.02", str(most), "", "") for most in (50, 100, 200, 400, 1000)),
    *(("0.02", "1000", tolerance, "20") for tolerance in ("0.03", "0.001")),
)
FIGURES = ("auc", "V", "steps", "converged", "below_best")


@dataclass(frozen=True)
class CourseTrial(FiguresTrial):
    """A GAN of one class, and what V(x) of images of two classes gives by each rule."""

    _: KW_ONLY
    dataset: str
    known: str
    unknown: str

    places: ClassVar[tuple[str, ...]] = PLACES

    def folder(self, runs: Path) -> Path:
        """The folder of the training."""
        return runs / files.safe_name(f"{self.dataset}-{self.known}-{self.unknown}") / f"seed-{self.seed}"

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Trains, and returns each rule with what it gives."""
        settings = train_settings(known=(self.known,), method=self.method, calibration=0.1, seed=self.seed, threads=1)
        model = run(self.data, settings, folder, command=tuple(shlex.split(command)), held=True)
        images = read(self.data, size=model.size, channels=model.channels)
        sides = [images_of(images, settings, name, HELD_OUT)[:SIDE] for name in (self.known, self.unknown)]
        x = torch.from_numpy(scaled(np.concatenate(sides)))
        gan = model.detector.gan
        return {"rules": [{"lr": rate, **rule} for rate in RATES for rule in rules(course(gan, x, rate))]}


def course(gan: GAN, x: torch.Tensor, rate: float) -> Floats:
    """(T, N) the least V(x) so far, of N images that fit into one block of slots."""
    slots = Slots(Inverter(gan, Search(steps=LONGEST, patience=LONGEST + 1, lr=rate)), x, list(map(str, range(len(x)))))
    slots.fill(range(len(x)))
    found = []
    for _ in range(LONGEST):
        slots.step()
        found.append(slots.best.numpy())
    return np.array(found)


def stopped(course: Floats, most: int, tolerance: float, patience: int) -> tuple[Floats, Floats, Floats]:
    """(N,) V(x), steps, and whether it converged, by a rule; course (T, N) is the least V(x) so far."""
    n = course.shape[1]
    V, steps, converged = np.full(n, np.nan), np.full(n, float(most)), np.zeros(n)
    since, reference = np.zeros(n), np.full(n, np.inf)
    for t in range(most):
        fell = course[t] < reference * (1 - tolerance)
        since, reference = np.where(fell, 0, since + 1), np.where(fell, course[t], reference)
        done = np.isnan(V) & ((since >= patience) | (t == most - 1))
        V[done], steps[done], converged[done] = course[t][done], t + 1, since[done] >= patience
    return V, steps, converged


def figures(course: Floats, most: int, tolerance: float = 0.0, patience: int = LONGEST + 1) -> dict[str, float]:
    """What a rule gives."""
    V, steps, converged = stopped(course, most, tolerance, patience)
    return {
        "auc": area(V[:SIDE], V[SIDE:]),
        "V": float(V[:SIDE].mean()),
        "steps": float(steps.mean()),
        "converged": float(converged.mean()),
    }


def rules(course: Floats) -> Iterator[dict[str, Any]]:
    """Each rule with what it gives, and how far its AUC is below the best of `STEPS` without a rule."""
    fixed = {most: figures(course, most) for most in STEPS}
    best = max(found["auc"] for found in fixed.values())
    for most, found in fixed.items():
        yield {"most": most, "tolerance": "", "patience": "", **found, "below_best": best - found["auc"]}
    for tolerance, patience in RULES:
        found = figures(course, LONGEST, tolerance, patience)
        rule = {"most": LONGEST, "tolerance": tolerance, "patience": patience}
        yield {**rule, **found, "below_best": best - found["auc"]}


def main() -> None:
    """Measures every pair and writes the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--mnist", default="mnist-5k", help="a folder with MNIST's four IDX files, or mnist-5k")
    data = {"mnist": given.parse_args().mnist, "fashion-mnist": "fashion-mnist"}
    trials = [
        CourseTrial(data[name], "anogan", 0, dataset=name, known=known, unknown=unknown)
        for name, pairs in PAIRS.items()
        for known, unknown in pairs
    ]
    lines: list[dict[str, Any]] = []
    for trial, found in zip(trials, measured(trials, RUNS), strict=True):
        place = {"dataset": trial.dataset, "known": trial.known, "unknown": trial.unknown}
        lines += [place | rule for rule in found["rules"]]
    save("search_steps", [*map(written, lines), *summed(lines)])
    print("\n".join(table()))


def summed(lines: Sequence[dict[str, Any]]) -> Iterator[Line]:
    """The means of each rule over the pairs; of `below_best` also the largest."""
    for rule in dict.fromkeys(tuple(line[name] for name in KEY) for line in lines):
        mine = [line for line in lines if tuple(line[name] for name in KEY) == rule]
        mean = {name: float(np.mean([line[name] for line in mine])) for name in FIGURES}
        worst = mean | {"below_best": max(line["below_best"] for line in mine)}
        for name, found in (("mean", mean), ("worst", worst)):
            yield written({"dataset": name, "known": "", "unknown": "", **dict(zip(KEY, rule, strict=True)), **found})


def written(line: dict[str, Any]) -> Line:
    """The line with its figures as text."""
    return line | {name: f"{line[name]:.4g}" for name in FIGURES}


def table() -> list[str]:
    """Some of the means in the file as the lines of docs/vtgan-2021.md."""
    with (RESULTS / "search_steps.csv").open(newline="") as file:
        found = {(line["dataset"], *(line[name] for name in KEY)): line for line in csv.DictReader(file)}
    said = []
    for rule in PRINTED:
        one, worst = (found[name, *rule] for name in ("mean", "worst"))
        most, tolerance, patience = rule[1:]
        ends = f"V(x) falls by less than {tolerance} in {patience} steps, or {most}" if tolerance else f"{most} steps"
        figures = [f"{float(one['auc']):.3f}", *(f"{float(line['below_best']):.3f}" for line in (one, worst))]
        figures += [f"{float(one['V']):.0f}", f"{float(one['steps']):.0f}", f"{100 * float(one['converged']):.0f} %"]
        said.append(f"| {ends} | {' | '.join(figures)} |")
    return said


if __name__ == "__main__":
    main()
