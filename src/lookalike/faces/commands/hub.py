"""The commands that put a model on the Hugging Face hub, and bring one from there."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lookalike.base.errors import listed, show
from lookalike.faces.commands.flags import OUT, Json, Run
from lookalike.faces.console import note, print_json, say
from lookalike.runs.groups import MOST_USED


def push(
    run: Run,
    name: Annotated[str, Parameter(help="OWNER/NAME on the hub, or NAME for your own. It is made where needed.")],
    /,
    *,
    public: Annotated[
        bool,
        Parameter(help="Everybody sees a model that is new there.", group=MOST_USED, negative=(), show_default="no"),
    ] = False,
    json_: Json = False,
) -> None:
    """Puts the model of a run on the Hugging Face hub, with a model card."""
    from lookalike.faces import hub
    from lookalike.report.card import UNKNOWN

    _quiet()
    done = hub.push(run, name, public=public)
    if json_:
        print_json(asdict(done))
        return
    say(f"{show(done.address)}: the model and its card, {'for you alone' if done.private else 'for everybody'}")
    if public and done.private:
        note("it was there, and stays private; its settings on the hub change that")
    if done.licence == UNKNOWN:
        note("fill in license in its README.md; a later push keeps it")


def pull(
    name: Annotated[str, Parameter(help="OWNER/NAME on the hub.")],
    /,
    *,
    out: Annotated[Path, Parameter(name=OUT, help="The new folder of the model.", group=MOST_USED)],
    revision: Annotated[
        str | None,
        Parameter(help="A branch, a tag or a commit of it.", group=MOST_USED, show_default="the newest"),
    ] = None,
    json_: Json = False,
) -> None:
    """Brings a model from the Hugging Face hub into a new folder, once it is known to be whole and of lookalike."""
    from lookalike.faces import hub

    _quiet()
    done = hub.pull(name, out, revision=revision)
    if json_:
        print_json({"out": str(out), "commit": done.commit, "left_out": done.left_out})
        return
    model = done.model
    say(f"{show(out)}: {model.method['name']} of {listed(model.classes['known'])}, commit {show(done.commit, 12)}")
    if done.left_out:
        note(f"other files there were left out: {done.left_out}")


def _quiet() -> None:
    """The hub's own bars are for a terminal alone, and its log for nobody."""
    from importlib.util import find_spec

    if find_spec("huggingface_hub") is not None:
        from huggingface_hub.utils import disable_progress_bars, logging

        logging.set_verbosity_error()
        if not sys.stderr.isatty():
            disable_progress_bars()
