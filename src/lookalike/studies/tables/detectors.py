"""Runs a table cell by cell and writes it: printed | ours, mean and standard deviation over seeds, and the cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import DataError, UsageError, listed, show
from lookalike.data.sources import open_source
from lookalike.detect.baselines import BASELINES
from lookalike.methods import METHODS
from lookalike.studies import claims, jobs
from lookalike.studies.jobs import Job
from lookalike.studies.paired import incomplete
from lookalike.studies.tables.lines import as_csv, chosen, file_name, grid, of_seeds, ours
from lookalike.studies.tables.table import Row, Table, printed

DATA = {"mnist": "mnist-5k", "fashion-mnist": "fashion-mnist"}


@dataclass(frozen=True)
class Cell:
    """One method on one row with one seed: its trainings."""

    row: Row
    method: str  # the paper's name, or ours
    seed: int
    jobs: tuple[Job, ...]


def run(
    table: Table,
    *,
    preset: str,
    seeds: int,
    rows: Sequence[str] = (),
    methods: Sequence[str] = (),
    data: Mapping[str, str] = DATA,
    runs: Path,
    out: Path,
    side_by_side: int,
    command: str,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> list[dict[str, Any]]:
    """Trains what is missing below `runs`, and writes PAPER-TABLE-PRESET.csv and .md into `out`; of a part -part.csv.

    Parameters
    ----------
    table : Table
        Which.
    preset, seeds
        `small` or `paper`; seeds 0 to `seeds` - 1.
    rows, methods
        Some of them, as the table names them; empty: all rows, the paper's methods and the table's extras.
    data : mapping
        The paper's name of a data set -> what to read.
    runs, out : Path
        Folders for the trainings, shared among tables, and for the table.
    side_by_side : int
        Trainings side by side.
    command : str
        What stands beside each figure.

    Returns
    -------
    list of dict
        The lines of the CSV file: a figure is None where no run of its cell succeeded.

    Raises
    ------
    UsageError
        For a row or method that is not there, or where no cell could be measured.
    DataError
        For data that cannot be opened, or that lack a class of a row.
    """
    picked = chosen([str(row) for row in table.rows], rows, "row", table.name)
    names = chosen([*table.methods, *METHODS, *BASELINES], methods, "method", table.name) if methods else ()
    names = names or (*table.methods, *(name for name in table.extras if name not in table.methods))
    _refuse_other_data([row for row in table.rows if str(row) in picked], data)
    cells = [
        Cell(row, name, seed, _trainings(table, row, name, seed, preset, data))
        for seed in range(seeds)
        for row in table.rows
        if str(row) in picked
        for name in names
    ]
    folder = files.make_folder(out)  # hours before it is needed
    wanted = [job for cell in cells for job in cell.jobs]
    failed = jobs.side_by_side(wanted, runs, workers=side_by_side, command=command, report=report)
    for job, sentence in failed.items():
        warn(f"{job.method} on {listed(job.known)}, seed {job.seed}: {sentence}")
    if failed and not any(all(jobs.is_done(job, runs) for job in cell.jobs) for cell in cells):
        raise UsageError("no cell of the table could be measured; the warnings above say why")
    for line in jobs.remarks(wanted, runs):
        warn(line)
    gone = _lacking(cells, runs, warn)
    lines, values = _lines(table, cells, runs, command)
    name = file_name(table.name, preset, part=bool(rows or methods))
    files.write_text(folder / f"{name}.csv", as_csv(lines))
    files.write_text(folder / f"{name}.md", _markdown(table, preset, lines, values, gone, command, data))
    return lines


def _refuse_other_data(rows: Sequence[Row], data: Mapping[str, str]) -> None:
    """Raises DataError where what is read for a data set cannot be opened, or lacks a class of a row."""
    there = {dataset: open_source(data[dataset]).classes for dataset in dict.fromkeys(row.dataset for row in rows)}
    for row in rows:
        for name in (*row.known, row.unknown):
            if name not in there[row.dataset]:
                raise DataError(
                    f"{show(data[row.dataset])} has no class {name}, so it is not {row.dataset}; "
                    f"give the folder of {row.dataset}'s four IDX files, or {DATA[row.dataset]}"
                )


def _lacking(cells: Sequence[Cell], runs: Path, warn: Warn) -> dict[str, str]:
    """Methods that lack a cell, and how many in words, which is also a warning."""
    there: dict[str, list[bool]] = {}
    for cell in cells:
        there.setdefault(cell.method, []).append(all(jobs.is_done(job, runs) for job in cell.jobs))
    gone = incomplete(there)
    for method, said in gone.items():
        warn(f"{method} is compared with nothing: {said}; the same command tries them again")
    return gone


def _trainings(table: Table, row: Row, name: str, seed: int, preset: str, data: Mapping[str, str]) -> tuple[Job, ...]:
    base = Job(data[row.dataset], (), "", seed, preset=preset)
    return table.jobs(row, table.methods.get(name, name), base)


def _lines(
    table: Table, cells: Sequence[Cell], runs: Path, command: str
) -> tuple[list[dict[str, Any]], dict[str, dict[tuple[str, str, int], float]]]:
    """Lines of the file, and each figure by row, method and seed."""
    values: dict[str, dict[tuple[str, str, int], float]] = {figure: {} for figure in table.figures}
    costs: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        if not all(jobs.is_done(job, runs) for job in cell.jobs):
            continue
        scores = [{name: jobs.found(job, runs, name) for name in job.unseen} for job in cell.jobs]
        for figure, value in table.measure(cell.row, scores).items():
            if math.isfinite(value):  # nan: not defined for these scores
                values[figure][str(cell.row), cell.method, cell.seed] = value
        costs.setdefault((str(cell.row), cell.method), []).append(sum(jobs.cost(job, runs) for job in cell.jobs))
    lines = []
    for row, method in dict.fromkeys((cell.row, cell.method) for cell in cells):
        for figure in table.figures:
            found = [v for (r, m, _), v in values[figure].items() if (r, m) == (str(row), method)]
            key = (table.paper, table.number, row.dataset, ",".join(row.known), row.unknown, method, figure)
            seconds = costs[str(row), method] if found else []
            lines.append(of_seeds(key, found, seconds, printed=printed().get(key), command=command))
    return lines, values


def _markdown(
    table: Table,
    preset: str,
    lines: Sequence[Mapping[str, Any]],
    values: Mapping[str, claims.Values],
    gone: Mapping[str, str],
    command: str,
    data: Mapping[str, str],
) -> str:
    """The table for a reader: over all rows first, then each cell, then the paper's claims."""
    used = sorted({line["dataset"] for line in lines if data[line["dataset"]] != line["dataset"]})
    notes = [
        f"`{command}`", "",
        table.summary + f" Preset {preset}; a tenth of the training images is held out for thresholds. "
        "Mean ± standard deviation over seeds; seconds are training and scoring on one thread.",
        *[_measured_on(name, data[name]) for name in used],
    ]  # fmt: skip
    whole = [claim for claim in table.claims if not {claim.better, claim.worse} & set(gone)]
    verdicts = [(claim, claims.judge(claim, values[claim.figure])) for claim in whole]
    said = [f"- {claims.sentence(claim, verdict)}" for claim, verdict in verdicts if verdict]
    said += [f"- {method}: not compared, {missing}" for method, missing in gone.items()]
    return "\n".join(
        [
            f"# {table.paper}, table {table.number}, preset {preset}", "", *notes, "",
            "## Over the rows", "", *_over_rows(table, lines, gone), "",
            *(["## The paper's claims", "", *said, ""] if said else []),
            "## Every cell", "", *_cells(lines), "",
        ]
    )  # fmt: skip


def _measured_on(dataset: str, source: str) -> str:
    part = ", not on all of the paper's images" if source == DATA.get(dataset) else ""
    return f"{dataset} is measured on {show(Path(source).name)}{part}."


def _over_rows(table: Table, lines: Sequence[Mapping[str, Any]], gone: Mapping[str, str]) -> list[str]:
    """Each method's mean over the rows, and in how many it is above what the paper printed for its best method.

    What lacks a seed or a row has neither.
    """
    own = list(table.methods)[-1]  # the paper's method stands last
    best = {
        (known, unknown, figure): value
        for (paper, number, _, known, unknown, method, figure), value in printed().items()
        if (paper, number, method) == (table.paper, table.number, own)
    }
    head = ["method", "figure", "printed, mean", "ours, mean", f"rows above the printed {own}", "seconds"]
    body = []
    for method, figure in dict.fromkeys((line["method"], line["metric"]) for line in lines):
        mine = [line for line in lines if (line["method"], line["metric"]) == (method, figure)]
        means = [line["mean"] for line in mine if line["mean"] is not None]
        known = [line["printed"] for line in mine if line["printed"] is not None]
        beaten = [line["mean"] > best[_row(line)] for line in mine if line["mean"] is not None and _row(line) in best]
        body.append(
            [
                method,
                figure,
                _mean(known),
                f"{len(means)} of {len(mine)} rows" if len(means) < len(mine) else gone.get(method) or _mean(means),
                f"{sum(beaten)} of {len(beaten)}" if beaten and method not in gone else "",
                _mean([line["seconds"] for line in mine if line["seconds"] is not None], 0),
            ]
        )
    return grid(head, body)


def _row(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return line["known"], line["unknown"], line["metric"]


def _cells(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ["data", "known", "unknown", "method", "figure", "printed", "ours", "seeds", "seconds"]
    body = [
        [
            line["dataset"], line["known"], line["unknown"], line["method"], line["metric"],
            "" if line["printed"] is None else f"{line['printed']:.2f}",
            ours(line), str(line["seeds"]), "" if line["seconds"] is None else f"{line['seconds']:.0f}",
        ]
        for line in lines
    ]  # fmt: skip
    return grid(head, body)


def _mean(values: Sequence[float], digits: int = 3) -> str:
    return f"{math.fsum(values) / len(values):.{digits}f}" if values else ""
