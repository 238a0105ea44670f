"""A model card in the format of Hugging Face: what a model or its exported network is, and how well it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lookalike.base.errors import OutputError, UsageError, show
from lookalike.base.files import open_regular, write_text
from lookalike.detect.model import Model
from lookalike.detect.onnx import Network
from lookalike.report import words
from lookalike.runs.folder import Run
from lookalike.use.generate import generators

NAME = "README.md"  # as the hub wants it
OURS = "<!-- written by lookalike"  # in every card, so that no other file is replaced
HEAD = 65536  # bytes of a file that are searched for this
UNKNOWN = "unknown"  # the licence until somebody fills it in
FRONT = re.compile(r"---\n(.*?\n)---(?:\n|$)", re.DOTALL)
LICENCE = re.compile(r"""^license:[ \t]*["']?([a-z0-9][a-z0-9.-]{0,60})["']?[ \t]*$""", re.MULTILINE)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|&~])")


def refuse_other(folder: Path) -> None:
    """Raises OutputError where `folder` has a README.md that is no card of ours."""
    if not is_ours(_there(folder)):
        raise OutputError(
            f"{show(folder / NAME)} is no model card, and is not replaced; give a folder of its own "
            "(-o model/FILE.onnx)"
        )


def is_ours(text: str) -> bool:
    """Whether a README.md may be replaced: it is a card of ours, or has nothing below its head."""
    return OURS in text or not FRONT.sub("", text, count=1).strip()


def licence_of(text: str) -> str:
    """The licence in the head of a README.md, which somebody may have filled in; `UNKNOWN` without one."""
    head = FRONT.match(text)
    found = LICENCE.search(head[1]) if head else None
    return found[1] if found else UNKNOWN


def write(run: Run, model: Model, network: Network, file: Path) -> Path:
    """Writes the card of `network`, which was exported from `run` to `file`, beside it; returns its path."""
    path = file.parent / NAME
    licence = licence_of(_there(file.parent))
    write_text(path, _rendered(run, model, licence, network=network, file=file.name, makes=False, hub=""))
    return path


def of_model(run: Run, model: Model, hub: str, licence: str) -> str:
    """The card of the whole `model` of `run`, under its name on the `hub`."""
    try:
        makes = bool(generators(model))
    except UsageError:
        makes = False
    return _rendered(run, model, licence, network=None, file="", makes=makes, hub=hub)


def _there(folder: Path) -> str:
    """The beginning of the README.md in a folder; empty where there is none."""
    path = folder / NAME
    if not path.exists():
        return ""
    with open_regular(path) as handle:
        return handle.read(HEAD).decode("utf-8", "replace")


def _rendered(run: Run, model: Model, licence: str, **more: Any) -> str:
    environment = Environment(
        loader=PackageLoader("lookalike.report", "."),
        autoescape=False,  # noqa: S701 - Markdown: the filter `plain` escapes each name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "json": lambda value: json.dumps(value, ensure_ascii=True)}
    facts = {"run": run, "model": model, "licence": licence, "ours": OURS, "words": words, "metrics": [*_metrics(run)]}
    return environment.get_template("card.md.jinja").render(**facts, **more)


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
