"""A model card in the format of Hugging Face: what an exported network is, what it learnt, and how well it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lookalike.base.errors import OutputError, show
from lookalike.base.files import open_regular, write_text
from lookalike.detect.model import Model
from lookalike.detect.onnx import Network
from lookalike.report import words
from lookalike.runs.folder import Run

NAME = "README.md"  # as the hub wants it
OURS = "<!-- written by lookalike export -->"  # in every card, so that no other file is replaced
HEAD = 65536  # bytes of a file that are searched for this
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&~])")


def refuse_other(folder: Path) -> None:
    """Raises OutputError where `folder` has a README.md that is no card of ours."""
    path = folder / NAME
    if not path.exists():
        return
    with open_regular(path) as handle:
        if OURS.encode() in handle.read(HEAD):
            return
    raise OutputError(
        f"{show(path)} is no model card, and is not replaced; give a folder of its own (-o model/FILE.onnx)"
    )


def write(run: Run, model: Model, network: Network, file: Path) -> Path:
    """Writes the card of `network`, which was exported from `run` to `file`, beside it; returns its path."""
    environment = Environment(
        loader=PackageLoader("lookalike.report", "."),
        autoescape=False,  # noqa: S701 - Markdown: the filter `plain` escapes each name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "json": lambda value: json.dumps(value, ensure_ascii=True)}
    template = environment.get_template("card.md.jinja")
    text = template.render(
        run=run, model=model, network=network, file=file.name, ours=OURS, words=words, metrics=[*_metrics(run)]
    )
    path = file.parent / NAME
    write_text(path, text)
    return path


def plain(text: object) -> str:
    """A text from a file as Markdown shows it: on one line, without markup of its own."""
    return SPECIAL.sub(r"\\\1", show(text))


def _metrics(run: Run) -> Iterator[dict[str, Any]]:
    """The figures of each evaluation that has an AUC."""
    for one in run.evaluations:
        figures = one.figures
        if figures.auc.value is None:
            continue
        shares = {"False alarms": figures.false_alarms.rate, "Misses": figures.misses.rate}
        values = {"AUC": figures.auc.value} | {name: rate for name, rate in shares.items() if rate is not None}
        yield {"unknown": ", ".join(figures.unknown), "figures": figures, "values": values}
