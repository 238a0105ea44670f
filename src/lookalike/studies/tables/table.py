"""What a table of a paper is: rows, methods, the trainings behind each cell, and how scores become its figures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources

from lookalike.studies.claims import Claim
from lookalike.studies.jobs import Job, Unseen

Scores = Mapping[str, Unseen]  # of one job: class -> what it found


@dataclass(frozen=True)
class Row:
    """One task of a table, in the paper's words."""

    dataset: str
    known: tuple[str, ...]
    unknown: str

    def __str__(self) -> str:
        return f"{','.join(self.known)}/{self.unknown}"


@dataclass(frozen=True)
class Table:
    """A paper's table as a protocol.

    Parameters
    ----------
    paper, number : str
        As in the printed figures.
    summary : str
        What is measured, in sentences.
    rows : tuple of Row
        Its tasks.
    methods : mapping
        The paper's name of a method -> ours; further methods of ours keep their name.
    figures : tuple of str
        Names of what each cell measures, the printed ones first.
    jobs : callable
        (row, our method, base job) -> the trainings of one cell; the base has data, seed and preset.
    measure : callable
        (row, each training's scores) -> figure name -> value.
    extras : tuple of str
        Further methods of ours that are measured unless some are chosen.
    claims : tuple of Claim
        What the paper says of its methods.
    """

    paper: str
    number: str
    summary: str
    rows: tuple[Row, ...]
    methods: Mapping[str, str]
    figures: tuple[str, ...]
    jobs: Callable[[Row, str, Job], tuple[Job, ...]]
    measure: Callable[[Row, Sequence[Scores]], dict[str, float]]
    extras: tuple[str, ...] = ("knn", "pca", "lof", "rotation", "auto")
    claims: tuple[Claim, ...] = ()

    @property
    def name(self) -> str:
        """As the command takes it."""
        return f"{self.paper}/{self.number}"


def single(row: Row, method: str, base: Job) -> tuple[Job, ...]:
    """One training on the one known class; mcgan learns against the other class of the row, as in its paper."""
    extra_fakes = (row.unknown,) if method == "mcgan" else ()
    return (Job(base.data, row.known, method, base.seed, extra_fakes, base.preset, unseen=(*row.known, row.unknown)),)


@cache
def printed() -> dict[tuple[str, ...], float]:
    """The papers' printed figures: (paper, table, dataset, known, unknown, method, metric) -> value."""
    text = resources("lookalike.studies.tables").joinpath("printed.csv").read_text("utf-8")
    keys = ("paper", "table", "dataset", "known", "unknown", "method", "metric")
    return {tuple(line[key] for key in keys): float(line["value"]) for line in csv.DictReader(text.splitlines())}
