"""The commands that make images."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, listed, show
from lookalike.base.words import percent
from lookalike.faces.commands.flags import Data, Device, Flat, GANSettings, Json, NewData, PartOf, Run, Threads
from lookalike.faces.console import note, print_json, progress, say, show_table, warn
from lookalike.runs.settings import DataSettings, flag

if TYPE_CHECKING:
    from lookalike.use.filled import Filled

MOST = 10**7  # images of a class
POOR = 0.7  # recognised share of generated images below which we warn
KEPT = Group("Which images are kept", sort_key=1)


def generate(
    run: Run,
    /,
    *,
    out: NewData,
    class_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--class",
            help="A class to make, or a sub-class such as Coat/0 of a run that split its classes. Repeat the flag for "
            "more.",
            negative=(),
            show_default="all known ones",
        ),
    ] = (),
    number: Annotated[
        int, Parameter(name=["--number", "-n"], help="Images of each class.", validator=Number(gte=1, lte=MOST))
    ] = 100,
    seed: Annotated[
        int,
        Parameter(help="An image depends on the seed, its class and its number alone.", validator=Number(gte=0)),
    ] = 0,
    truncation: Annotated[
        float | None,
        Parameter(
            help="Entries of z beyond it are drawn again: the images are safer and vary less.", validator=Number(gt=0)
        ),
    ] = None,
    grid: Annotated[
        Path | None, Parameter(help="A picture (PNG) that is also drawn, with a row for each class.")
    ] = None,
    sorted_by: Annotated[
        Path | None,
        Parameter(
            help="Images of a G without classes: a run of several known classes, such as one of cnn. Each image stands "
            "below the class that it is likeliest of.",
            show_default=False,
        ),
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        Parameter(help="Two classes: the picture shows the way from one to the other.", negative=()),
    ] = None,
    part: PartOf = None,
    device: Device = "cpu",
    json_: Json = False,
) -> None:
    """Makes images of the known classes from the model of a run: PNGs in class folders, or an .npz file."""
    import torch

    from lookalike.base import files
    from lookalike.data.images import names_of
    from lookalike.data.part import WHOLE, Part
    from lookalike.detect.model import Model
    from lookalike.use import generate as making

    own = WHOLE if part is None else Part.parse(part)
    if between is not None and grid is None:
        raise UsageError("--between draws a picture, and no file for it was given; name one (--grid)")
    if grid is not None and not grid.absolute().parent.is_dir():
        raise UsageError(f"--grid {show(grid)}: its folder does not exist; make the folder first")
    model = Model.load(run, device=device)
    judge = None if sorted_by is None else Model.load(sorted_by, device=device)
    torch.set_num_threads(model.training["threads"])
    known = tuple(making.generators(model))
    names = names_of(class_, (*known, *making.leaf_generators(model))) or known
    with progress("images") as report:
        picture = None
        if grid is not None:
            picture = (
                making.between(model, *between, seed=seed, truncation=truncation)
                if between
                else making.picture(model, seed, truncation)
            )
        counts = dict.fromkeys(names, number)
        made = making.write(
            model, out, counts, seed=seed, truncation=truncation, part=own, judge=judge, report=report, warn=warn
        )
        if grid is not None and picture is not None:
            files.write_bytes(grid, picture)
    if json_:
        print_json({"out": str(out), "images": made, "grid": None if grid is None else str(grid)})
        return
    each = set(made.values())
    said = f"{min(each)}" if len(each) == 1 else f"{min(each)} to {max(each)}"
    say(f"{show(out)}: {said} image{'s' if max(each) > 1 else ''} of {listed(made)}")
    if grid is not None:
        say(show(grid))


def augment(
    data: Data,
    /,
    *,
    out: NewData,
    to: Annotated[
        str,
        Parameter(
            help="Images of each class in the end, real and generated: balance (as many as the largest class has), a "
            "number, or CLASS=NUMBER,... A class needs 10 real images to be filled up."
        ),
    ] = "balance",
    run: Annotated[
        Path | None,
        Parameter(help="A finished run, whose GAN makes the images.", show_default="a GAN is trained in OUT-run"),
    ] = None,
    seed: Annotated[
        int, Parameter(help="Seed of the split, the training and the images.", validator=Number(gte=0))
    ] = 0,
    gan: Annotated[GANSettings | None, Flat] = None,
    realness: Annotated[
        float,
        Parameter(
            help="Share of the generated images that is kept: those that D finds most real.",
            group=KEPT,
            validator=Number(gt=0, lte=1),
        ),
    ] = 1.0,
    agree: Annotated[
        bool,
        Parameter(
            help="Only images are kept that a classifier of the real images takes for their class.",
            group=KEPT,
            negative=(),
        ),
    ] = False,
    drop_copies: Annotated[
        bool,
        Parameter(
            help="Images are dropped that are closer to a training image than nearly all of these are to another.",
            group=KEPT,
            negative=(),
        ),
    ] = False,
    anyway: Annotated[
        bool,
        Parameter(
            help="Generated images of a class are written even if they are nearly all the same, or of other classes.",
            group=KEPT,
            negative=(),
        ),
    ] = False,
    bad: Annotated[DataSettings | None, Flat] = None,
    device: Device = "cpu",
    threads: Threads = 2,
    json_: Json = False,
) -> None:
    """Fills up the classes of DATA that have few images, in a new folder or an .npz file.

    A GAN of all classes is trained (the same command again resumes) and makes what is missing. It is written beside the
    real images, at one size. manifest.csv marks what is generated, and report.html says whether G copied training
    images. DATA stays as it is.
    """
    from lookalike.faces import api
    from lookalike.use.filled import NotWrittenError
    from lookalike.use.filters import Filters

    _check_most(to)
    chosen = (gan or GANSettings()).model_dump(exclude_none=True)
    chosen |= {"group": bad.group} if run is not None and bad is not None and bad.group is not None else {}
    if run is not None and chosen:
        raise UsageError(
            f"the GAN of --run is trained already; leave out {flag(next(iter(chosen)))}, or leave out --run"
        )
    refused: NotWrittenError | None = None
    with progress("images") as report:
        try:
            filled = api.augment(
                data,
                out,
                to=to,
                settings=chosen
                | {"seed": seed, "device": device, "threads": threads}
                | (bad or DataSettings()).model_dump(exclude_unset=True),
                run=run,
                filters=Filters(realness, agree, drop_copies),
                anyway=anyway,
                command=("lookalike", *sys.argv[1:]),
                report=report,
                warn=warn,
                note=note,
            )
        except NotWrittenError as error:
            filled, refused = error.filled, error
    rows = [_row(one) for one in filled]
    page = out.with_suffix(".html") if out.suffix.lower() == ".npz" else out / "report.html"
    if json_:
        print_json({"out": str(out), "classes": rows, "report": str(page)})
    else:
        _show_filled(rows)
        what = "real and generated images" if any(row["written"] for row in rows) else "real images alone"
        say(f"{show(out)}: {what}; report: {show(page)}")
    if refused:
        raise refused
    if not json_:
        say(f"next: lookalike bench augment {show(data)}")


def _check_most(to: str) -> None:
    """Raises UsageError for more images of a class than can be made."""
    for part in to.split(","):
        number = part.rpartition("=")[2].strip()
        if number.isdecimal() and int(number[:20]) > MOST:
            raise UsageError(f"--to {show(to, 60)}: {show(number, 30)} images are too many; give {MOST:,} at most")


def _row(one: Filled) -> dict[str, Any]:
    """One class, as it stands in the JSON."""
    return {
        "class": one.name,
        "real": one.real,
        "generated": len(one.pixels) if one.written else 0,
        "made": one.made,
        "refused": one.rejected,
        "recognised": one.agreed,
        "variety": one.variety,
        "collapsed": one.collapsed,
        "noisy": one.noisy,
        "written": one.written,
    }


def _show_filled(rows: Sequence[Mapping[str, Any]]) -> None:
    """The classes as a table, with a warning for each whose generated images are all alike or of another class."""
    show_table(
        ["class", "real", "generated", "recognised", "variety", "made", "refused"],
        [
            [
                show(row["class"], 60),
                *(f"{row[key]:,}" for key in ("real", "generated")),
                "" if row["recognised"] is None else percent(row["recognised"]),
                ""
                if row["variety"] is None
                else percent(row["variety"]) + ", collapsed" * row["collapsed"] + ", noise" * row["noisy"],
                f"{row['made']:,}",
                ", ".join(f"{n:,} by {check}" for check, n in row["refused"].items()),
            ]
            for row in rows
        ],
    )
    for row in rows:
        for line in _doubts(row):
            warn(f"{show(row['class'])}: {line}")


def _doubts(row: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against the generated images that are written, or cannot be measured, one line each."""
    if row["collapsed"] and row["written"]:
        yield f"collapsed: two generated images differ by only {percent(row['variety'])} of what two real ones do"
    elif row["variety"] is None:
        yield "the variety cannot be measured; it needs two generated images, and two real ones that differ"
    elif row["noisy"] and row["written"]:
        yield (
            f"two generated images differ {row['variety']:.1f} times as much as two real ones, as noise does; look at "
            "the report, or train longer (--images)"
        )
    if row["recognised"] is None:
        yield "no classifier can recognise the images; it needs images, not vectors, and two classes in the run"
    elif row["recognised"] < POOR and row["written"]:
        yield (
            f"a classifier of the real images takes only {percent(row['recognised'])} of the generated ones for their "
            "class; look at the report, train longer (--images), or filter (--agree)"
        )
