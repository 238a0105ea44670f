"""The commands that compare: which classes look alike, a paper's table, which detector for my images."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, show
from lookalike.faces.commands.detect import Data, Flat, Json, Out
from lookalike.faces.console import print_json, progress, say, show_table, warn
from lookalike.runs.presets import Preset
from lookalike.runs.settings import DIFF_AUGMENT, DataSettings, Size

TOP = 10  # pairs printed
CELL = {"dataset": "data", "known": "known", "unknown": "unknown", "method": "method", "metric": "figure"}  # of a table


def pairs(
    data: Data,
    /,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="New folder for pairs.csv, pairs.json and confusion.png.")
    ] = None,
    temperature: Annotated[float, Parameter(help="Cosines are divided by it before the softmax.")] = 0.2,
    dimensions: Annotated[int, Parameter(help="Of the embedding.")] = 8,
    steps: Annotated[int, Parameter(help="Updates, each on one pair of images per class.")] = 3000,
    neighbours: Annotated[int, Parameter(help="Nearest unseen images that count, of each example.")] = 10,
    examples: Annotated[
        int | Literal["all"],
        Parameter(help="Unseen images of each class whose neighbours count; the papers have 10, which scatter."),
    ] = "all",
    test: Annotated[float, Parameter(help="Share held out to look at, without an official test part.")] = 0.2,
    seed: Annotated[int, Parameter(help="Seed of the split, the training and the examples.")] = 0,
    settings: Annotated[DataSettings | None, Flat] = None,
    threads: Annotated[int, Parameter(help="CPU threads; the same for the same bits.", validator=Number(gte=1))] = 1,
    json_: Json = False,
) -> None:
    """Finds which classes look alike: those that are near neighbours in a learnt embedding.

    A small network learns to bring images of one class together; then the classes of unseen images' near neighbours are
    counted. About a minute and a half for Fashion-MNIST.
    """
    import torch

    from lookalike.use.pairs import Choices, find

    torch.set_num_threads(threads)
    drawn = None if examples == "all" else examples
    choices = Choices(temperature, dimensions, steps, neighbours, drawn, test, seed)
    with progress("steps") as told:
        found = find(data, choices, out=out, reading=(settings or DataSettings()).reading(), report=told, warn=warn)
    if json_:
        print_json(found.json())
        return
    show_table(
        ["rank", "class", "looks like", "alike", "there", "back", ""],
        [
            [
                str(rank), show(pair.first, 40), show(pair.second, 40), f"{pair.alike:.1f}", f"{pair.ahead:.1f}",
                f"{pair.back:.1f}", "chosen in the papers" if pair.papers else "",
            ]
            for rank, pair in enumerate(found.ranked(), 1)
            if rank <= TOP
        ],
    )  # fmt: skip
    steadier = (
        "" if drawn is None else f"; {drawn} examples per class scatter with the seed, --examples all steadies it"
    )
    say(f"alike: of a hundred near neighbours of each class, how many are of the other, both ways added{steadier}")
    if out is not None:
        say(f"all pairs and the picture: {show(out)}")


def table(
    name: Annotated[
        str,
        Parameter(
            help="PAPER/TABLE: vtgan-2021/1, mcgan-2021/1, mcgan-2021/2, gan-augmentation-2020/I, "
            "splitting-gan-2017/1, /2 or /3, kplus1-2020/gaussians, /cifar-10 or /celeba."
        ),
    ],
    /,
    *,
    preset: Annotated[Preset, Parameter(help="As train takes it.")] = "small",
    seeds: Annotated[int, Parameter(help="Seeds 0 to so many less one.", validator=Number(gte=1, lte=1000))] = 3,
    rows: Annotated[
        tuple[str, ...],
        Parameter(help="One row: KNOWN/UNKNOWN, or a data set; repeat for more. Default: all.", negative=()),
    ] = (),
    methods: Annotated[
        tuple[str, ...], Parameter(help="One method; repeat for more. Default: the paper's and ours.", negative=())
    ] = (),
    weights: Annotated[
        Path | None,
        Parameter(help="Inception-v3's, as measure takes them, for images of splitting-gan-2017 and kplus1-2020."),
    ] = None,
    mnist: Annotated[str, Parameter(help="MNIST: a folder of its four IDX files, or mnist-5k.")] = "mnist-5k",
    out: Out = Path("runs/tables"),
    runs: Annotated[Path, Parameter(help="Where the trainings are kept; tables share them.")] = Path("runs/trainings"),
    workers: Annotated[
        int | None, Parameter(help="Trainings side by side; default: one per core.", validator=Number(gte=1, lte=1024))
    ] = None,
    json_: Json = False,
) -> None:
    """Runs a paper's protocol cell by cell and writes printed | ours as .csv and .md. The same command again resumes.

    Hours on a laptop: begin with one row and one seed.
    """
    from lookalike.studies.tables import TABLES
    from lookalike.studies.tables.detectors import DATA, DetectorTable
    from lookalike.studies.tables.quality import Quality
    from lookalike.studies.tables.table import run

    if name not in TABLES:
        raise UsageError(f"there is no table {show(name)}; there are {', '.join(TABLES)}")
    table = TABLES[name]
    if weights is not None and not isinstance(table, Quality):
        raise UsageError(f"table {name} measures no features; leave --weights out")
    if isinstance(table, DetectorTable):
        table = replace(table, data=DATA | {"mnist": mnist})
    if isinstance(table, Quality):
        table = replace(table, weights=weights)
    options = [f"--preset {preset} --seeds {seeds}", *(f"--rows {shlex.quote(row)}" for row in rows)]
    options += [f"--methods {method}" for method in methods]
    options += [f"--weights {shlex.quote(str(weights))}"] if weights else []
    options += [f"--mnist {shlex.quote(mnist)}"] if mnist != "mnist-5k" else []
    command = " ".join([f"lookalike table {name}", *options])
    with _study(runs, preset, seeds, methods, workers, command) as study:
        lines = run(table, study, out, rows)
    if json_:
        print_json(lines)
        return
    found = {key: {line[key] for line in lines} for key in CELL}
    keys = [key for key in CELL if found[key] != {""} and (key != "dataset" or len(found[key]) > 1)]
    show_table(
        [*(CELL[key] for key in keys), "printed", "ours", "seeds", "seconds"],
        [[*(line[key] for key in keys), *_printed_and_ours(line)] for line in lines],
    )
    say(f"table: {show(out / table.stem(study, rows))}.md")


def _printed_and_ours(line: dict[str, Any]) -> list[str]:
    spread = "" if line["sd"] is None else f" +- {line['sd']:.3f}"
    return [
        "" if line["printed"] is None else f"{line['printed']:g}",
        "not measured" if line["mean"] is None else f"{line['mean']:.3f}{spread}",
        str(line["seeds"]),
        "" if line["seconds"] is None else f"{line['seconds']:.0f}",
    ]


def bench_detect(
    data: Data,
    /,
    *,
    methods: Annotated[
        tuple[str, ...],
        Parameter(help="One method, or all; repeat for more. Default: what takes minutes, and auto.", negative=()),
    ] = (),
    preset: Annotated[Preset, Parameter(help="As train takes it.")] = "small",
    seeds: Annotated[int, Parameter(help="Seeds 0 to so many less one.", validator=Number(gte=1, lte=1000))] = 3,
    images: Annotated[
        int | None, Parameter(help="Images shown to each GAN; default: the preset's.", validator=Number(gte=1))
    ] = None,
    out: Out = Path("runs/bench"),
    runs: Annotated[Path, Parameter(help="Where the trainings are kept.")] = Path("runs/trainings"),
    workers: Annotated[
        int | None, Parameter(help="Trainings side by side; default: one per core.", validator=Number(gte=1, lte=1024))
    ] = None,
    bad: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Measures which detector finds an unknown class beside DATA's. The same command again resumes.

    Each class in turn is the unknown one; all methods have the same images. Writes a table, JSON and an HTML page.
    """
    from lookalike.data.sources import refuse_inside
    from lookalike.report.bench_detect import write
    from lookalike.studies.detect import bench

    refuse_inside(out, data)
    given = (bad or DataSettings()).model_dump(exclude_unset=True) | ({"images": images} if images else {})
    with _study(runs, preset, seeds, methods, workers, shlex.join(["lookalike", *sys.argv[1:]])) as study:
        found = bench.run(data, study, given)
    page = write(found, out)
    if json_:
        print_json(bench.record(found))
        return
    show_table(
        ["method", "mean AUC", f"{found.lines[0].method} is above by", "p", "seconds"],
        [[line.method, _mean_auc(line), *_gap(line.against_best), f"{line.seconds:.1f}"] for line in found.lines],
    )
    say(found.advice)
    say(f"report: {show(page)}")


def bench_augment(
    data: Data,
    /,
    *,
    methods: Annotated[
        tuple[str, ...],
        Parameter(
            help="One way (none, oversample, affine, mixup, or a GAN of several classes), or all; repeat for more. "
            "Default: these four, acgan, acgan-v3 and cgan.",
            negative=(),
        ),
    ] = (),
    to: Annotated[
        str,
        Parameter(
            help="How far short classes are filled up, as augment takes it; of the images that train, not of all."
        ),
    ] = "balance",
    preset: Annotated[Preset, Parameter(help="As train takes it.")] = "small",
    seeds: Annotated[int, Parameter(help="Seeds 0 to so many less one.", validator=Number(gte=1, lte=1000))] = 3,
    images: Annotated[
        int | None, Parameter(help="Images shown to each GAN; default: the preset's.", validator=Number(gte=1))
    ] = None,
    size: Annotated[Size | None, Parameter(help="Resize to H,W; default: the preset's, aspect kept.")] = None,
    grey: Annotated[bool | None, Parameter(help="Turn colour images grey.", negative=())] = None,
    diff_augment: Annotated[bool | None, Parameter(help=DIFF_AUGMENT, negative=())] = None,
    out: Out = Path("runs/bench"),
    runs: Annotated[Path, Parameter(help="Where the trainings are kept.")] = Path("runs/trainings"),
    workers: Annotated[
        int | None, Parameter(help="Trainings side by side; default: one per core.", validator=Number(gte=1, lte=1024))
    ] = None,
    bad: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Measures whether filling up DATA's short classes helps a classifier. The same command again resumes.

    Nothing, oversampling, affine transformations, MixUp and generated images are compared on the same splits. Writes a
    table, JSON and an HTML page with the verdict.
    """
    from lookalike.data.sources import refuse_inside
    from lookalike.report.bench_augment import gain, percent, write
    from lookalike.studies.augment import bench

    refuse_inside(out, data)
    given = (bad or DataSettings()).model_dump(exclude_unset=True)
    own = {"images": images, "size": size, "grey": grey, "diff_augment": diff_augment}
    given |= {name: value for name, value in own.items() if value is not None}
    with _study(runs, preset, seeds, methods, workers, shlex.join(["lookalike", *sys.argv[1:]])) as study:
        found = bench.run(data, study, given, to=to)
    page = write(found, out)
    if json_:
        print_json(bench.record(found))
        return
    show_table(
        ["way", "balanced accuracy", "gain, points", "recall of rare classes", "accuracy", "seconds"],
        [
            [
                line.way,
                percent(line, "balanced_accuracy"),
                gain(line.gain),
                *(percent(line, figure) for figure in ("rare_recall", "accuracy")),
                f"{line.seconds:.0f}",
            ]
            for line in found.lines
        ],
    )
    say(found.verdict)
    say(f"report: {show(page)}")


def _mean_auc(line: Any) -> str:
    return f"{line.auc:.3f}" + ("" if line.low is None else f" [{line.low:.3f}, {line.high:.3f}]")


def _gap(verdict: Any) -> list[str]:
    if verdict is None:
        return ["", ""]
    return [verdict.gap.text(), f"{verdict.gap.p:.3f}" if verdict.gap.p == verdict.gap.p else ""]


@contextmanager
def _study(
    runs: Path, preset: Preset, seeds: int, methods: tuple[str, ...], workers: int | None, command: str
) -> Iterator[Any]:
    """The study of these flags, whose progress is on the terminal while it runs."""
    from lookalike.studies.study import Study

    with progress("trials") as report:
        yield Study(
            runs, preset=preset, seeds=seeds, methods=methods, workers=workers or _cores(), command=command,
            report=report, warn=warn,
        )  # fmt: skip


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
