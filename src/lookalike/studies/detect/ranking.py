"""The methods of a bench in their order, those that are not ranked with the reason, and which one to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from lookalike.studies.claims import Claim, Estimate, Values, Verdict, judge, mean
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.trial import Cell

CHANCE = 0.5  # the AUC of scores that say nothing
CLOSE = 0.02  # a difference of AUC that is not worth twice the time
Cells = Sequence[Cell[DetectorTrial]]  # a row is an unknown class
Errors = Mapping[tuple[str, str, int], str]  # (unknown class, method, seed) -> why it has no AUC


@dataclass(frozen=True)
class Line:
    """One method over all cells."""

    method: str
    auc: float  # mean over unknown classes of the mean over seeds
    low: float | None  # 95 % interval over unknown classes (Student's t), cut to 0..1; None for one class
    high: float | None
    seconds: float  # training and scoring, mean over cells
    trials: int
    against_best: Verdict | None  # the best method less this one; None for the best


@dataclass(frozen=True)
class Unranked:
    """One method that lacks an AUC in some cell: a mean over the others, perhaps the easy ones, compares with none."""

    method: str
    missing: str  # how many cells, in words
    errors: tuple[str, ...]  # why, each once


def unranked_of(gone: Mapping[str, str], errors: Errors) -> tuple[Unranked, ...]:
    """The methods that lack cells, of which `gone` says how many."""
    why = {name: [said for (_, method, _), said in errors.items() if method == name] for name in gone}
    return tuple(Unranked(name, missing, tuple(dict.fromkeys(why[name]))) for name, missing in gone.items())


def lines_of(cells: Cells, values: Values, runs: Path) -> tuple[Line, ...]:
    """Every method, the best mean first."""
    by_method: dict[str, list[Cell[DetectorTrial]]] = {}
    for cell in cells:
        by_method.setdefault(cell.method, []).append(cell)
    means = {method: _mean_auc(mine, values) for method, mine in by_method.items()}
    ranked = sorted(means, key=lambda method: -means[method].mean)
    costs = {trial: trial.cost(runs) for trial in dict.fromkeys(trial for cell in cells for trial in cell.trials)}
    lines = []
    for method in ranked:
        auc, mine = means[method], by_method[method]
        seconds = fmean(sum(costs[trial] for trial in cell.trials) for cell in mine)
        low, high = (max(auc.low, 0.0), min(auc.high, 1.0)) if auc.low == auc.low else (None, None)
        gap = judge(Claim(ranked[0], method, "AUC"), values) if method != ranked[0] else None
        lines.append(Line(method, auc.mean, low, high, seconds, len(mine), gap))
    return tuple(lines)


def _mean_auc(cells: Cells, values: Values) -> Estimate:
    """The mean over unknown classes, where each has its mean over seeds."""
    by_row: dict[str, list[float]] = {}
    for cell in cells:
        by_row.setdefault(cell.row, []).append(values[cell.key])
    return mean([fmean(mine) for mine in by_row.values()])


def advice(lines: Sequence[Line], classes: int, seeds: int, unranked: Sequence[str] = ()) -> str:
    """Which to take, in a sentence: the best, or one that costs at most half and whose distance may be chance.

    Another sentence names the methods that were not ranked.
    """
    if not lines:
        return "No method was measured for every unknown class and seed, so none is recommended."
    said = _advised(lines, classes, seeds)
    return f"{said} Not ranked: {', '.join(unranked)}." if unranked else said


def _advised(lines: Sequence[Line], classes: int, seeds: int) -> str:
    best = lines[0]
    if (best.auc if best.low is None else best.low) <= CHANCE:
        return (
            f"No method can be told from chance, an AUC of {CHANCE}: the best, {best.method}, has a mean AUC of "
            f"{best.auc:.3f}; more images, or others, may help."
        )
    gaps = [(line, line.against_best.gap) for line in lines[1:] if line.against_best]
    near = [(line, gap) for line, gap in gaps if not gap.low > 0]
    cheap = [one for one in near if one[1].mean <= CLOSE and one[0].seconds <= best.seconds / 2]
    measured = f"over {classes} unknown classes and {seeds} seed{'s' if seeds > 1 else ''}"
    if cheap:
        line, gap = min(cheap, key=lambda one: one[0].seconds)
        return (
            f"Take {line.method} ({_cost(line)}): {best.method} has the highest mean AUC, {best.auc:.3f} against "
            f"{line.auc:.3f} {measured}, but costs {_cost(best)}, and the difference of {gap.text()} may be chance."
        )
    said = f"Take {best.method}: mean AUC {best.auc:.3f} {measured}, {_cost(best)} per training and scoring"
    if not near:
        return f"{said}."
    line, gap = near[0]
    return f"{said}. Its lead over {line.method}, {gap.text()}, may be chance: more classes or seeds would tell."


def _cost(line: Line) -> str:
    return f"{line.seconds:.0f} s" if line.seconds >= 10 else f"{line.seconds:.1f} s"
