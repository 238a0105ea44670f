"""One self-contained HTML page from run folders: no script, no request, and every name from a file is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lookalike.base.errors import UsageError, show
from lookalike.base.files import write_text
from lookalike.report import pictures, verdicts, words
from lookalike.report.compare import comparisons
from lookalike.runs.encoding import ENCODING
from lookalike.runs.folder import Metrics, Training, read_run
from lookalike.runs.watch import COLLAPSED, DROPPED, RECOGNISED, VARIETY, by_class

__all__ = ["environment", "write"]

MEMBERS = 10  # known classes whose training is shown
CAPTIONS = {  # of galleries: title, what they show, words for images above and below the threshold
    "finds": (
        "Finds",
        "Unknown images that were flagged, from the highest score to the lowest at even distances.",
        *("flagged", "not flagged"),
    ),
    "misses": (
        "Worst misses",
        "The unknown images with the lowest scores, which are most like known images by the score.",
        *("flagged", "missed"),
    ),
    "alarms": (
        "Worst false alarms",
        "The known images with the highest scores, which are least like known images by the score.",
        *("false alarm", "not flagged"),
    ),
}
GLOSSARY = {  # what a term means, shown by hover
    "AUC": "Area under the ROC curve: the probability that an unknown image scores above a known one. 1 is perfect, "
    "0.5 is chance.",
    "p-value": "How often chance alone would give a difference at least as large. Below 0.05 is the usual limit.",
}
TERM = re.compile(r"\b(?:" + "|".join(GLOSSARY) + r")\b")
LIMITS = {VARIETY: COLLAPSED, RECOGNISED: DROPPED}  # figures beside those of real images, drawn by class
LONGEST = 8192  # the most characters of one text from a file


@dataclass(frozen=True)
class Detail:
    """How much is shown of each run: images of a gallery, sample grids (of one class of several), and the rest."""

    images: int
    grids: int
    member_grids: int
    training: bool = True
    settings: bool = True


DETAILS = {4: Detail(100, 6, 3), 20: Detail(2, 2, 1)}  # up to so many runs
LEAST = Detail(0, 0, 0, training=False, settings=False)  # of more, so that a page stays below 2 MB


def write(runs: Sequence[Path], out: Path) -> Path:
    """Write the report of `runs` (run folders, in this order) to the HTML file `out` and return `out`.

    The same folders give the same bytes. Where a run has no evaluations, samples or metrics, the page says so and gives
    the command that makes them. Of many runs it shows less of each.

    Raises
    ------
    UsageError
        For no runs, or a folder that is not a run.
    ModelError
        For a damaged file of a run.
    OutputError
        If `out` cannot be written.
    """
    if not runs:
        raise UsageError("no run was given; give one run folder or more, such as runs/coat")
    read = [read_run(run) for run in runs]
    detail = next((detail for most, detail in DETAILS.items() if len(read) <= most), LEAST)
    page = environment()
    page.globals["detail"] = detail
    write_text(out, page.get_template("page.html.jinja").render(runs=read, comparisons=comparisons(read)))
    return out


def environment() -> Environment:
    """Return the templates' environment, in which every text is escaped and printable."""
    environment = Environment(
        loader=PackageLoader("lookalike.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"unbroken": _unbroken, "explained": _explained}
    environment.globals.update(words=words, pictures=pictures, verdicts=verdicts, panels=_panels, grids=_grids)
    environment.globals.update(MEMBERS=MEMBERS, CAPTIONS=CAPTIONS, LIMITS=LIMITS)
    return environment


def _printable(value: Any) -> Any:
    """Return a text for the page, in which control characters and undecodable bytes are visible escapes."""
    return value if isinstance(value, Markup) else show(value, LONGEST)


def _unbroken(text: str) -> Markup:
    """Return `text` as it stands in the page, with no line break before a percent sign."""
    return escape(_printable(text)).replace(" %", "\N{NO-BREAK SPACE}%")


def _explained(text: str) -> Markup:
    """Return `text` for the page, in which each term of the glossary says what it means when the mouse is over it."""
    marked = TERM.sub(lambda found: f'<abbr title="{GLOSSARY[found[0]]}">{found[0]}</abbr>', _unbroken(text))
    return Markup(marked)  # noqa: S704 - escaped before


def _panels(metrics: Metrics) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the columns of the metrics by the picture that shows them."""
    panels: dict[str, dict[str, Any]] = {"losses": {}, "gradient norms": {}, "accuracy of D": {}}
    panels |= {figure: by_class(metrics, figure) for figure in (*LIMITS, ENCODING)}
    for name, column in metrics.columns.items():
        player, _, measure = name.rpartition(".")
        if player == "split" or name.partition("/")[0] in (*LIMITS, ENCODING):
            continue  # they have panels, and numbers of splits stand beside the sub-classes
        kind = {"gradient_norm": "gradient norms", "accuracy": "accuracy of D"}.get(measure, "losses")
        panels[kind][name if kind == "losses" else player] = column
    return [(kind, columns) for kind, columns in panels.items() if columns]


def _grids(training: Training, most: int) -> list[tuple[int, Mapping[str, Path]]]:
    """Return at most `most` of the sample grids at even distances; the first and the last are always among them."""
    grids = list(training.samples.items())
    if len(grids) <= most:
        return grids
    return [grids[round(place * (len(grids) - 1) / (most - 1))] for place in range(most)]
