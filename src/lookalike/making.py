"""The commands that make images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from lookalike.commands import Device, Json, Out, Run
from lookalike.console import print_json, progress, say
from lookalike.errors import UsageError, listed, show


def generate(
    run: Run,
    /,
    *,
    out: Out,
    class_: Annotated[
        tuple[str, ...],
        Parameter(name="--class", help="Class to make; repeat for more. Default: all.", negative=()),
    ] = (),
    number: Annotated[
        int, Parameter(name=["--number", "-n"], help="Images of each class.", validator=Number(gte=1, lte=10**7))
    ] = 100,
    seed: Annotated[
        int, Parameter(help="Image i of a class depends on it, the class and i alone.", validator=Number(gte=0))
    ] = 0,
    truncation: Annotated[
        float | None,
        Parameter(help="Draw entries of z beyond it anew: safer images, less variety.", validator=Number(gt=0)),
    ] = None,
    grid: Annotated[Path | None, Parameter(help="Also a picture (PNG), a row for each class.")] = None,
    between: Annotated[
        tuple[str, str] | None,
        Parameter(help="Two classes: that picture shows the way from one to the other.", negative=()),
    ] = None,
    device: Device = "cpu",
    json_: Json = False,
) -> None:
    """Makes images of the known classes from a run's model alone: PNGs in class folders, or an .npz file."""
    import torch

    from lookalike import files
    from lookalike.data.images import names_of
    from lookalike.model import Model
    from lookalike.use import generate as making

    if between is not None and grid is None:
        raise UsageError("--between is a picture; say where it goes (--grid)")
    model = Model.load(run, device=device)
    torch.set_num_threads(model.training["threads"])
    known = tuple(model.classes["known"])
    names = names_of(class_, known) or known
    with progress("images") as told:
        picture = None
        if grid is not None:
            picture = making.between(model, *between, seed=seed) if between else making.picture(model, seed, truncation)
        making.write(model, out, dict.fromkeys(names, number), seed=seed, truncation=truncation, report=told)
        if grid is not None and picture is not None:
            files.write_bytes(grid, picture)
    if json_:
        print_json(
            {"out": str(out), "images": dict.fromkeys(names, number), "grid": None if grid is None else str(grid)}
        )
        return
    say(f"{show(out)}: {number} image{'s' if number > 1 else ''} of {listed(names)}")
    if grid is not None:
        say(show(grid))
