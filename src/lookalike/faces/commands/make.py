"""The commands that make images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, listed, show
from lookalike.faces.commands.detect import Data, Device, Flat, Json, Out, Run
from lookalike.faces.console import print_json, progress, say, show_table, warn
from lookalike.runs.game_settings import DIFF_AUGMENT
from lookalike.runs.presets import Preset
from lookalike.runs.settings import ClassGANName, DataSettings, Size, flag

POOR = 0.7  # share of generated images below which we warn


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
        Parameter(
            help="Draw entries of the noise z beyond it anew: safer images, less variety.", validator=Number(gt=0)
        ),
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

    from lookalike.base import files
    from lookalike.data.images import names_of
    from lookalike.detect.model import Model
    from lookalike.use import generate as making

    if between is not None and grid is None:
        raise UsageError("--between is a picture; say where it goes (--grid)")
    if grid is not None and not grid.absolute().parent.is_dir():
        raise UsageError(f"--grid {show(grid)}: its folder does not exist; make that first")
    model = Model.load(run, device=device)
    torch.set_num_threads(model.training["threads"])
    known = tuple(making.generators(model))
    names = names_of(class_, known) or known
    with progress("images") as told:
        picture = None
        if grid is not None:
            picture = (
                making.between(model, *between, seed=seed, truncation=truncation)
                if between
                else making.picture(model, seed, truncation)
            )
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


def augment(
    data: Data,
    /,
    *,
    out: Out,
    to: Annotated[
        str,
        Parameter(
            help="Images of each class in the end, real and made. balance: as many as of the largest; a number; or "
            "CLASS=NUMBER,... A class needs 12 real ones to be filled up."
        ),
    ] = "balance",
    method: Annotated[ClassGANName | None, Parameter(help="A GAN of several classes; default: acgan.")] = None,
    preset: Annotated[Preset | None, Parameter(help="As train takes it; default: small.")] = None,
    images: Annotated[
        int | None, Parameter(help="Images shown in training; default: the preset's.", validator=Number(gte=1))
    ] = None,
    size: Annotated[Size | None, Parameter(help="Resize to H,W; default: the preset's, aspect kept.")] = None,
    grey: Annotated[bool | None, Parameter(help="Turn colour images grey.", negative=())] = None,
    diff_augment: Annotated[bool | None, Parameter(help=DIFF_AUGMENT, negative=())] = None,
    seed: Annotated[
        int, Parameter(help="Seed of the split, the training and the images.", validator=Number(gte=0))
    ] = 0,
    run: Annotated[
        Path | None, Parameter(help="A finished run whose GAN is used; default: one is trained in OUT-run.")
    ] = None,
    realness: Annotated[
        float,
        Parameter(help="Keep this share, those that the discriminator finds most real.", validator=Number(gt=0, lte=1)),
    ] = 1.0,
    agree: Annotated[
        bool, Parameter(help="Keep what a classifier of the real images takes for its class.", negative=())
    ] = False,
    drop_copies: Annotated[
        bool, Parameter(help="Drop what is closer to a training image than every unseen one is.", negative=())
    ] = False,
    bad: Annotated[DataSettings | None, Flat] = None,
    device: Device = "cpu",
    threads: Annotated[int, Parameter(help="CPU threads; the same for the same bits.", validator=Number(gte=1))] = 2,
    json_: Json = False,
) -> None:
    """Fills up the classes of DATA that are short with generated images, in a new folder or an .npz file.

    A GAN of all classes is trained (the same command again goes on where it stopped) and makes what is short, which is
    written beside the real images, at one size. manifest.csv marks what is generated; report.html shows it, and says
    whether it was learnt by heart. DATA is not touched.
    """
    from lookalike.faces import api
    from lookalike.use.filters import Filters

    own = {
        "method": method,
        "preset": preset,
        "images": images,
        "size": size,
        "grey": grey,
        "diff_augment": diff_augment,
    }
    chosen: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    if run is not None and chosen:
        raise UsageError(f"--run is trained already; leave out {flag(next(iter(chosen)))}")
    with progress("images") as told:
        filled = api.augment(
            data,
            out,
            to=to,
            settings=chosen
            | {"seed": seed, "device": device, "threads": threads}
            | (bad or DataSettings()).model_dump(exclude_unset=True),
            run=run,
            filters=Filters(realness, agree, drop_copies),
            command=("lookalike", *sys.argv[1:]),
            report=told,
            warn=warn,
        )
    rows: list[dict[str, Any]] = [
        {
            "class": one.name,
            "real": one.real,
            "generated": len(one.pixels),
            "made": one.made,
            "refused": one.rejected,
            "recognised": one.agreed,
        }
        for one in filled
    ]
    page = out.with_suffix(".html") if out.suffix == ".npz" else out / "report.html"
    if json_:
        print_json({"out": str(out), "classes": rows, "report": str(page)})
        return
    show_table(
        ["class", "real", "generated", "recognised", "made", "refused"],
        [
            [
                show(row["class"], 60),
                *(f"{row[key]:,}" for key in ("real", "generated")),
                "" if row["recognised"] is None else f"{row['recognised']:.0%}",
                f"{row['made']:,}",
                ", ".join(f"{n:,} by {check}" for check, n in row["refused"].items()),
            ]
            for row in rows
        ],
    )
    for row in rows:
        if row["recognised"] is not None and row["recognised"] < POOR:
            warn(
                f"{show(row['class'])}: a classifier of the real images takes only {row['recognised']:.0%} of the "
                "generated ones for their class; look at the report, train longer (--images), or filter (--agree)"
            )
    say(f"{show(out)}: real and generated images; report: {show(page)}")
    say(f"next: lookalike bench augment {show(data)}")
