"""Tables whose trials store their figures: a line for each figure over the seeds, and a file of every seed's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from lookalike.studies.claims import Estimate, difference
from lookalike.studies.tables.lines import every_seed, of_seeds
from lookalike.studies.tables.table import Found, Table, printed
from lookalike.studies.trial import FiguresTrial

F = TypeVar("F", bound=FiguresTrial)
Figures = Mapping[str, float | None]
Values = Mapping[tuple[str, int], Figures]  # (method, seed) -> its figures
SECONDS = "seconds"  # stand beside each figure, and are no line


class FiguresTable(Table[F]):
    """A table with one trial in each cell."""

    labels: str  # what the column `known` says
    least: tuple[str, ...]  # figures that have a line even where no trial of a method succeeded

    @abstractmethod
    def figures(self, trial: F, stored: Mapping[str, Any]) -> dict[str, float | None]:
        """What a trial stored, by the table's names of figures, with `SECONDS`."""

    def dataset(self, group: str) -> str:
        """The paper's name of a data set."""
        return group

    def values(self, found: Found[F], group: str) -> Values:
        """The figures of the trials that are done."""
        return {
            (cell.method, cell.seed): self.figures(cell.trials[0], cell.trials[0].figures(found.study.runs))
            for cell in found.done(group)
        }

    def lines(self, found: Found[F]) -> list[dict[str, Any]]:
        """A line for each figure of each method, over its seeds."""
        lines = []
        for group in found.groups:
            values = self.values(found, group)
            for method in found.methods(group):
                mine = [one for (name, _), one in values.items() if name == method]
                names = dict.fromkeys(name for one in mine for name in one if name != SECONDS)
                for figure in names or self.least:
                    key = (*self.name.split("/"), self.dataset(group), self.labels, "", method, figure)
                    numbers, seconds = (_measured(mine, name) for name in (figure, SECONDS))
                    lines.append(
                        of_seeds(key, numbers, seconds, printed=printed().get(key), command=found.study.command)
                    )
        return lines

    def beside(self, found: Found[F]) -> dict[str, str | bytes]:
        """Every seed's figures, which the means and the paired differences are made of."""
        return {"-seeds.csv": every_seed({group: self.values(found, group) for group in found.groups})}


def gaps(values: Values, base: str, gone: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Estimate | None]]]:
    """Each method that lacks no seed, with its paired differences from `base`; None where one side is not measured."""
    plain = [one for (name, _), one in values.items() if name == base]
    if not plain or base in gone:
        return
    for method in dict.fromkeys(name for name, _ in values if name not in (base, *gone)):
        mine = [one for (name, _), one in values.items() if name == method]
        yield method, {name: _gap(mine, plain, name) for name in plain[0]}


def _measured(mine: Sequence[Figures], name: str) -> list[float]:
    """One figure of those that have it."""
    return [value for one in mine if (value := one.get(name)) is not None]


def _gap(mine: Sequence[Figures], plain: Sequence[Figures], name: str) -> Estimate | None:
    one, other = _measured(mine, name), _measured(plain, name)
    return difference(one, other) if len(one) == len(other) == len(mine) else None
