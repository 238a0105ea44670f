"""The command that measures images, with the tables that it prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, show
from lookalike.base.words import percent, written
from lookalike.faces.commands.flags import Flat, Json, Threads
from lookalike.faces.console import note, print_json, progress, say, share, show_table
from lookalike.runs.settings import DataSettings

if TYPE_CHECKING:
    from lookalike.data import Images
    from lookalike.detect.auc import Rate
    from lookalike.use.measure import Measured
    from lookalike.use.quality.figures import Equal

FIGURES = Group("Figures", sort_key=0)
CLASS_HEADS = {
    "images": "images",
    "real images": "real",
    "taken for it": "recognised",
    "taken for it, low": "from",
    "taken for it, high": "to",
    "taken for it, real": "of real ones",
    "variety": "variety",
    "variety, spread": "+-",
    "KID": "KID",
    "KID, spread": "+-",
    "FID, no bias": "FID, no bias",
    "FID, no bias, spread": "+-",
}  # of measure's table
SHOWN = 10  # classes in that table
SIDE = 256  # pixels: images of several sizes are measured at an area of at most its square


def measure(
    made: Annotated[
        Path,
        Parameter(help="A finished run, whose GAN makes images, or images: in a form of DATA, or a folder of files."),
    ],
    /,
    *,
    reference: Annotated[
        str,
        Parameter(
            name="--real", help="Real images: a folder, a file or a name, as DATA elsewhere, or a folder of files."
        ),
    ],
    number: Annotated[
        int,
        Parameter(
            name=["--number", "-n"], help="Number of images of each class that a run makes.", validator=Number(gte=2)
        ),
    ] = 300,
    run: Annotated[
        Path | None,
        Parameter(help="The run that made MADE, where that is a folder. Its training images are no test images."),
    ] = None,
    seed: Annotated[int, Parameter(help="Seed of the images and of the classifier.", validator=Number(gte=0))] = 0,
    nearest: Annotated[
        Path | None,
        Parameter(
            help="A picture (PNG) that is also drawn: 16 generated images, each beside its 3 nearest real images. It "
            "shows copies where --real has the training images."
        ),
    ] = None,
    features: Annotated[
        Literal["own", "efficientnet", "inception"] | None,
        Parameter(
            help="The network that gives features: a small classifier of the real images, EfficientNet-Lite0, or "
            "Inception-v3.",
            group=FIGURES,
            show_default="own where the real images have classes, else efficientnet",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        Parameter(
            help="The weights of Inception-v3 as FID has them: pt_inception-2015-12-05-6726825d.pth.", group=FIGURES
        ),
    ] = None,
    faces: Annotated[
        bool,
        Parameter(
            help="The confidence is MTCNN's, that an image holds a face, in place of the classifier's. It needs pip "
            "install --no-deps facenet-pytorch.",
            group=FIGURES,
            negative=(),
        ),
    ] = False,
    accuracy: Annotated[
        bool,
        Parameter(
            help="A classifier is also trained on these images, and one on as many real ones.",
            group=FIGURES,
            negative=(),
        ),
    ] = False,
    bad: Annotated[DataSettings | None, Flat] = None,
    threads: Threads = 2,
    json_: Json = False,
) -> None:
    """Measures quality and diversity of generated images: FID, KID, precision, recall, and more."""
    import torch

    from lookalike.base import files
    from lookalike.base.checkpoint import CARD
    from lookalike.data import oddities
    from lookalike.data.sources import refuse_inside
    from lookalike.detect.model import Model
    from lookalike.runs.folder import CONFIG
    from lookalike.runs.used import run_split
    from lookalike.use import measure as measuring
    from lookalike.use.nearest import BESIDE

    if nearest is not None:
        refuse_inside(nearest, reference)
        refuse_inside(nearest, made)
        if not nearest.absolute().parent.is_dir() or nearest.is_dir():
            raise UsageError(f"--nearest {show(nearest)} cannot be written; name a file in a folder that exists")
    torch.set_num_threads(threads)
    reading = (bad or DataSettings()).reading()
    with progress("images") as report:
        report("reading", 0, 1)
        if (made / CARD).exists() or (made / CONFIG).exists():
            if run is not None:
                raise UsageError("--run is for a folder of images, and MADE is a run itself; leave out --run")
            run, images = made, measuring.generated(Model.load(made), number, seed)
        else:
            images = _read(str(made), size=_one_size(made), **reading | {"group": None})
        size = images.shape[1:] if len(images.shape) == 3 else None
        reading |= run_split(run).reading if run else {}
        real = _read(reference, size=size, channels=images.shape[0] if size else None, **reading)
        _say_left_out(str(made), images)
        _say_left_out(reference, real)
        for line in oddities.reading(real):
            note(line)
        report("measuring", 0, len(images.pixels))
        found = measuring.measure(
            images,
            real,
            Path(reference).name,
            run=run,
            features=features,
            weights=weights,
            show_faces=faces,
            accuracy=accuracy,
            beside=nearest is not None,
            seed=seed,
        )
        if nearest is not None and found.nearest is not None:
            files.write_bytes(nearest, found.nearest.picture)
    if json_:
        print_json(found.json())
        return
    _show_measured(found)
    if nearest is not None and found.nearest is not None:
        say("")
        say(
            f"{show(nearest)}: {len(found.nearest.rows)} generated images, each beside the {BESIDE} nearest of "
            f"{found.nearest.of:,} real ones; --json has their names"
        )


def _read(path: str, **how: Any) -> Images:
    """The images of a source, or of a folder of files without labels."""
    from lookalike.data import read
    from lookalike.data.folder import is_flat

    return read(path, labelled=not is_flat(Path(path)), **how)


def _one_size(made: Path) -> tuple[int, int] | None:
    """(H, W) at which images of several sizes are measured, which is said; None where they have one."""
    from lookalike.data.sizes import own_size, text
    from lookalike.data.sources import open_source

    counts = Counter(open_source(str(made), labelled=False, allow_empty_class=True).sizes())
    if len(counts) < 2:
        return None
    size = own_size(counts, SIDE)
    note(f"'{show(made)}': images of {len(counts):,} sizes are measured at {text(size)}, as are the real ones")
    return size


def _say_left_out(path: str, images: Images) -> None:
    """Says how many files lie beside class folders."""
    from lookalike.data.layout import BESIDE

    if beside := sum(one.reason == BESIDE for one in images.ignored):
        note(f"'{show(path)}': {beside:,} image{'s' if beside > 1 else ''} beside the class folders left out")


def _show_measured(found: Measured) -> None:
    """The tables that a person reads; --json has more."""
    say(
        f"{found.made:,} images against {found.real:,} real test images; real against real is {found.half:,} against "
        f"{found.half:,}; precision to coverage take as many of either; {found.features}"
    )
    if found.named and found.named.rate is not None:
        say(f"the classifier of the real images is right on {percent(found.named.rate)} of the real test images")
    show_table(
        ["figure", "value", "+-", "real against real", "+-", ""],
        [
            [one.name, *(_figure(v, one.name) for v in (one.value, one.spread, one.real, one.real_spread)), one.note]
            for one in found.figures
        ],
    )
    if found.equal:
        _show_equal(found.equal, found.made)
    if found.confidence:
        say("")
        show_table(
            [f"{found.sure} surer than", "share", "95 % interval", "of real ones", "95 % interval"],
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
        _show_classes(found)
    if found.unnamed:
        say(f"no figures of single classes, as the {' and '.join(found.unnamed)} images have no classes")
    if found.accuracy:
        say("")
        say(
            f"a classifier that learnt from {found.accuracy.images:,} of these images alone is right on "
            f"{_of_tests(found.accuracy.made)} of {found.accuracy.made.of:,} real test images; "
            f"from as many real images it is right on {_of_tests(found.accuracy.real)}"
        )


def _show_equal(equal: Equal, made: int) -> None:
    """FID at one number of images per side, generated and real."""
    of_made, of_real = (f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in (equal.made, equal.real))
    more = f"; {made:,} against {made:,} needs {2 * made:,} real test images" if equal.images < made else ""
    say(
        f"FID of {equal.images:,} against {equal.images:,} images in ten draws [from, to]: generated {of_made}, real "
        f"against real {of_real}{more}"
    )


def _show_classes(found: Measured) -> None:
    """A line for each class; of more than ten classes, the ten worst."""
    from lookalike.use.quality.figures import LEAST, worst_first

    names = list(found.classes)
    if len(names) > SHOWN:
        by, order = worst_first(found.classes)
        names = order[:SHOWN]
        which = f"the {SHOWN} worst by '{CLASS_HEADS[by]}'" if by else f"the first {SHOWN}"
        say(f"of {len(order)} classes {which}; --json has all")
    keys = [key for key in CLASS_HEADS if any(found.classes[name][key] is not None for name in names)]
    show_table(
        ["class", *(CLASS_HEADS[key] for key in keys)],
        [[show(name, 60), *(_cell(key, found.classes[name][key]) for key in keys)] for name in names],
    )
    say("variety: how far apart the images of a class are, as a share of how far apart its real images are")
    if any(one["KID"] is None for one in found.classes.values()):
        say(f"KID of a class needs {LEAST} images of it: generated ones (-n), and real test images")
    if any(one["FID, no bias"] is None for one in found.classes.values()):
        say(f"FID of a class needs {found.needed:,} images of it: generated ones (-n), and real test images")


def _of_tests(rate: Rate) -> str:
    return share({"rate": rate.rate, "low": rate.low, "high": rate.high})


def _figure(value: float | None, name: str = "") -> str:
    return "" if value is None else written(name, value)


def _cell(key: str, value: float | None) -> str:
    """A figure of a class: a number of images, a share, or else."""
    if value is None:
        return ""
    if "images" in key:
        return f"{value:,.0f}"
    return percent(value) if key.startswith(("taken for it", "variety")) else _figure(value)


def _rate(rate: Rate) -> tuple[str, str]:
    if rate.rate is None or rate.low is None or rate.high is None:
        return "", ""
    return percent(rate.rate), f"[{percent(rate.low)}, {percent(rate.high)}]"
