"""The command about sub-classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lookalike.base.errors import show
from lookalike.faces.commands.flags import OUT, Device, Flat, Json, Run, ThreadsOfRun
from lookalike.faces.console import print_json, progress, say, show_table
from lookalike.runs.settings import BadImageSettings


def subclasses(
    run: Run,
    images: Annotated[
        str, Parameter(help="A folder of images, one image, an .npz or IDX file, or the name of a data set.")
    ],
    /,
    *,
    out: Annotated[Path, Parameter(name=OUT, help="The .csv or .jsonl file that is written.")],
    bad: Annotated[BadImageSettings | None, Flat] = None,
    device: Device = "cpu",
    threads: ThreadsOfRun = None,
    json_: Json = False,
) -> None:
    """Writes the sub-class of each image, by D of a run that split its classes."""
    import torch

    from lookalike.detect.model import Model
    from lookalike.use.leaffile import write

    model, bad = Model.load(run, device=device), bad or BadImageSettings()
    torch.set_num_threads(threads or model.training["threads"])
    with progress() as report:
        counts = write(model, images, out, report=report, **bad.model_dump())
    if json_:
        print_json({"out": str(out), "subclasses": counts})
        return
    show_table(["sub-class", "images"], [[show(name, 60), f"{n:,}"] for name, n in counts.items()])
    say(show(out))
