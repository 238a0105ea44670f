"""The commands that compare: which classes look alike, a table of a paper, and what is best on your images."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from lookalike.base.errors import UsageError, did_you_mean, show
from lookalike.base.names import USUAL, USUAL_WAYS, ClassifierName
from lookalike.base.words import written
from lookalike.faces.commands.flags import (
    MOST,
    OUT,
    Cluster,
    Data,
    DetectorSettings,
    Device,
    Flat,
    Json,
    MakerSettings,
    Minutes,
    PresetOfAll,
    Seeds,
    Threads,
    Trainings,
    Workers,
)
from lookalike.faces.console import note, print_json, progress, say, show_table, warn
from lookalike.runs.groups import DATA, RUN
from lookalike.runs.presets import Preset
from lookalike.runs.settings import DataSettings

TOP = 10  # pairs printed
BENCH, TRAININGS = Path("runs/bench"), Path("runs/trainings")
CELL = {"dataset": "data", "known": "known", "unknown": "unknown", "method": "method", "metric": "figure"}  # of a table

EMBEDDING = Group("Embedding", sort_key=0)


def pairs(
    data: Data,
    /,
    *,
    out: Annotated[
        Path | None, Parameter(name=OUT, help="A new folder for pairs.csv, pairs.json and confusion.png.")
    ] = None,
    temperature: Annotated[
        float, Parameter(help="Cosines are divided by it before the softmax.", group=EMBEDDING)
    ] = 0.2,
    dimensions: Annotated[int, Parameter(help="Number of dimensions of the embedding.", group=EMBEDDING)] = 8,
    steps: Annotated[
        int, Parameter(help="Number of updates, each on one pair of images per class.", group=EMBEDDING)
    ] = 3000,
    neighbours: Annotated[int, Parameter(help="Number of nearest test images that count for each example.")] = 10,
    examples: Annotated[
        int | Literal["all"],
        Parameter(
            help="Number of test images of each class whose neighbours count. The papers take 10, and that ranking "
            "depends on the seed."
        ),
    ] = "all",
    test: Annotated[
        float,
        Parameter(
            help="Share of the images that is held out as test images, where the data has no official test part.",
            group=DATA,
        ),
    ] = 0.2,
    seed: Annotated[int, Parameter(help="Seed of the split, the training and the examples.")] = 0,
    settings: Annotated[DataSettings | None, Flat] = None,
    threads: Threads = 1,
    json_: Json = False,
) -> None:
    """Finds which classes look alike: those whose images are near neighbours in a learnt embedding."""
    import torch

    from lookalike.use.pairs import Choices, find

    torch.set_num_threads(threads)
    drawn = None if examples == "all" else examples
    choices = Choices(temperature, dimensions, steps, neighbours, drawn, test, seed)
    with progress("steps") as report:
        reading = (settings or DataSettings()).reading()
        found = find(data, choices, out=out, reading=reading, report=report, warn=warn, note=note)
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
    say("alike: of a hundred near neighbours of each class, so many are of the other class; there and back are added")
    if drawn is not None:
        say(f"with {drawn} examples per class the ranking depends on the seed; --examples all takes every test image")
    if out is not None:
        say(f"all pairs and the picture: {show(out)}")


def table(
    name: Annotated[
        str,
        Parameter(
            help="PAPER/TABLE: vtgan-2021/1, mcgan-2021/1, mcgan-2021/2, gan-augmentation-2020/I, "
            "splitting-gan-2017/1, /2 or /3, kplus1-2020/gaussians, /cifar-10 or /celeba, r3gan-2024/small, and "
            "our own photographs/1."
        ),
    ],
    /,
    *,
    rows: Annotated[
        tuple[str, ...],
        Parameter(
            help="A row: KNOWN/UNKNOWN, or a data set. Repeat the flag for more.", negative=(), show_default="all"
        ),
    ] = (),
    methods: Annotated[
        tuple[str, ...],
        Parameter(help="A method. Repeat the flag for more.", negative=(), show_default="those of the paper, and ours"),
    ] = (),
    out: Annotated[Path, Parameter(name=OUT, help="The folder of the tables.")] = Path("runs/tables"),
    weights: Annotated[
        Path | None,
        Parameter(
            help="The weights of Inception-v3, as measure takes them: for images of splitting-gan-2017, kplus1-2020.",
            group=DATA,
        ),
    ] = None,
    mnist: Annotated[
        str, Parameter(help="MNIST: a folder with its four IDX files, or mnist-5k.", group=DATA)
    ] = "mnist-5k",
    photographs: Annotated[
        Path | None,
        Parameter(
            help="For photographs/1: a folder with the folders tiles, pcb, steel and cifar-10-batches-bin, or some of "
            "them. Masks lie beside them, in tiles-masks and pcb-masks.",
            group=DATA,
        ),
    ] = None,
    preset: PresetOfAll = "small",
    seeds: Seeds = 3,
    runs: Trainings = TRAININGS,
    workers: Workers = None,
    cluster: Cluster = "",
    minutes: Annotated[
        float | None,
        Parameter(
            help="The command takes no longer: a training that is not done is saved, and the same command goes on.",
            group=RUN,
            validator=Number(gt=0),
            show_default="as long as it takes",
        ),
    ] = None,
    device: Device = "cpu",
    json_: Json = False,
) -> None:
    """Runs the protocol of a table cell by cell, and writes the printed figures and ours as .csv and .md.

    The same command again resumes. It takes hours on a laptop: begin with one row and one seed.
    """
    from lookalike.studies.tables import TABLES
    from lookalike.studies.tables.detectors import DATA, DetectorTable
    from lookalike.studies.tables.photographs import Photographs
    from lookalike.studies.tables.quality import Quality
    from lookalike.studies.tables.table import run

    if name not in TABLES:
        raise UsageError(f"there is no table {show(name)};{did_you_mean(name, TABLES)} take one of {', '.join(TABLES)}")
    table = TABLES[name]
    if weights is not None and not isinstance(table, Quality):
        raise UsageError(f"table {name} takes no --weights, as it measures no features; leave the flag out")
    if photographs is not None and not isinstance(table, Photographs):
        raise UsageError(f"table {name} takes no --photographs, as it has data sets of its own; leave the flag out")
    if isinstance(table, DetectorTable):
        table = replace(table, data=DATA | {"mnist": mnist})
    if isinstance(table, Quality):
        table = replace(table, weights=weights)
    if isinstance(table, Photographs):
        table = replace(table, folder=photographs)
    options = [f"--preset {preset} --seeds {seeds}", *(f"--rows {shlex.quote(row)}" for row in rows)]
    options += [f"--methods {method}" for method in methods]
    options += [f"--weights {shlex.quote(str(weights))}"] if weights else []
    options += [f"--device {device}"] if device != "cpu" else []
    options += [f"--mnist {shlex.quote(mnist)}"] if mnist != "mnist-5k" else []
    options += [f"--photographs {shlex.quote(str(photographs))}"] if photographs else []
    command = " ".join([f"lookalike table {name}", *options])
    with _study(runs, preset, seeds, methods, workers, cluster, command, minutes, device, slices=True) as study:
        lines = run(table, study, out, rows)
    if json_:
        print_json(lines)
        return
    if not lines:
        return  # the warnings say how far it is
    found = {key: {line[key] for line in lines} for key in CELL}
    keys = [key for key in CELL if found[key] != {""} and (key != "dataset" or len(found[key]) > 1)]
    show_table(
        [*(CELL[key] for key in keys), "printed", "ours", "seeds", "seconds"],
        [[*(line[key] for key in keys), *_printed_and_ours(line)] for line in lines],
    )
    say(f"table: {show(out / table.stem(study, rows))}.md")


def _printed_and_ours(line: dict[str, Any]) -> list[str]:
    from lookalike.studies.tables.lines import printed

    return [
        printed(line),
        "not measured" if line["mean"] is None else written(line["metric"], line["mean"], line["sd"], "+-"),
        str(line["seeds"]),
        "" if line["seconds"] is None else f"{line['seconds']:.0f}",
    ]


def bench_detect(
    data: Data,
    /,
    *,
    known: Annotated[
        tuple[str, ...],
        Parameter(
            help="The known classes, as train takes them; every other class is in turn the unknown one.",
            consume_multiple=False,
            negative=(),
            show_default="all but the unknown one, which is each class in turn",
        ),
    ] = (),
    methods: Annotated[
        tuple[str, ...],
        Parameter(help="A method, or all. Repeat the flag for more.", negative=(), show_default=", ".join(USUAL)),
    ] = (),
    test_data: Annotated[
        str,
        Parameter(
            help="A folder of class folders with the test images; all images of DATA then train.",
            group=DATA,
            show_default="a share of DATA",
        ),
    ] = "",
    shots: Annotated[
        tuple[str, ...],
        Parameter(
            help="Numbers of images, such as 1,2,4,8,16: each method learns from so many of each known class.",
            consume_multiple=False,
            negative=(),
            show_default="all images",
        ),
    ] = (),
    out: Annotated[Path, Parameter(name=OUT, help="The folder of the table, the JSON and the page.")] = BENCH,
    preset: PresetOfAll = "small",
    seeds: Seeds = 3,
    training: Annotated[DetectorSettings | None, Flat] = None,
    runs: Trainings = TRAININGS,
    workers: Workers = None,
    cluster: Cluster = "",
    minutes: Minutes = None,
    device: Device = "cpu",
    bad: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Measures which detector is best on DATA. The same command again resumes.

    Each class in turn is the unknown one, or each that --known does not name, and all methods have the same images.
    Writes a table, JSON and an HTML page.
    """
    from lookalike.data.sources import refuse_inside
    from lookalike.studies.detect import bench
    from lookalike.studies.detect import shots as few

    refuse_inside(out, data)
    refuse_inside(out, test_data or None)
    given = (bad or DataSettings()).model_dump(exclude_unset=True)
    given |= (training or DetectorSettings()).model_dump(exclude_none=True)
    levels = few.numbers(shots) if shots else ()
    command = shlex.join(["lookalike", *sys.argv[1:]])
    with _study(runs, preset, seeds, methods, workers, cluster, command, minutes, device) as study:
        how: Any = {"known": known, "test_data": test_data}
        found: Any = few.run(data, study, levels, given, **how) if levels else bench.run(data, study, given, **how)
    (_tell_shots if levels else _tell_bench)(found, out, json_=json_)


def _tell_bench(found: Any, out: Path, *, json_: bool) -> None:
    """Writes and prints what was measured."""
    from lookalike.report.bench_detect import write
    from lookalike.studies.detect.bench import record

    page = write(found, out)
    if json_:
        print_json(record(found))
        return
    best = found.lines[0].method if found.lines else "best"
    rows = [[line.method, _mean_auc(line), *_gap(line.against_best), f"{line.seconds:.1f}", ""] for line in found.lines]
    rows += [
        [one.method, "not ranked", "", "", "", f"{one.missing}: {'; '.join(one.errors)}"] for one in found.unranked
    ]
    show_table(["method", "mean AUC", f"{best} is above by", "p", "seconds", "why not" if found.unranked else ""], rows)
    say(found.advice)
    say(f"report: {show(page)}")


def _tell_shots(found: Any, out: Path, *, json_: bool) -> None:
    """Writes and prints the figures of few images."""
    from lookalike.report.bench_shots import write
    from lookalike.studies.detect.shots import record

    page = write(found, out)
    if json_:
        print_json(record(found))
        return
    show_table(
        ["images of each class", *map(str, found.shots)],
        [
            [name, *("-" if one.auc is None else written("AUC", one.auc, one.sd, "+-") for one in mine)]
            for name, mine in found.levels.items()
        ],
    )
    for name, images, why in found.missing:
        say(f"no figure for {name} with {images}: {why}")
    say(found.advice)
    say(f"report: {show(page)}")


def bench_augment(
    data: Data,
    /,
    *,
    methods: Annotated[
        tuple[str, ...],
        Parameter(
            help="A way to fill up: none, oversample, affine, mixup, a conditional GAN, ali-reconstructed (images that "
            "pass through ali's encoder and G), all. Repeat the flag for more.",
            negative=(),
            show_default=", ".join(USUAL_WAYS),
        ),
    ] = (),
    to: Annotated[
        str,
        Parameter(
            help="How far classes are filled up, as augment takes it. It counts training images, not all images."
        ),
    ] = "balance",
    rare: Annotated[
        tuple[str, ...],
        Parameter(
            help="CLASS=NUMBER: of this class only so many images are learnt from. All its test images stay. Repeat "
            "the flag for more.",
            consume_multiple=False,
            negative=(),
            show_default="all images",
        ),
    ] = (),
    classifier: Annotated[
        ClassifierName,
        Parameter(
            help="What learns from the images: a small network from random weights, or a linear probe on features of "
            "EfficientNet-Lite0."
        ),
    ] = "cnn",
    out: Annotated[Path, Parameter(name=OUT, help="The folder of the table, the JSON and the page.")] = BENCH,
    preset: PresetOfAll = "small",
    seeds: Seeds = 3,
    gan: Annotated[MakerSettings | None, Flat] = None,
    runs: Trainings = TRAININGS,
    workers: Workers = None,
    cluster: Cluster = "",
    minutes: Minutes = None,
    device: Device = "cpu",
    bad: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Measures whether it helps a classifier to fill up classes that have few images. The same command again resumes.

    Nothing, oversampling, affine transformations, MixUp and generated images are compared on the same splits. Writes a
    table, JSON and an HTML page with the conclusion.
    """
    from lookalike.data.sources import refuse_inside
    from lookalike.report.bench_augment import gain, percent, write
    from lookalike.studies.augment import bench

    refuse_inside(out, data)
    given = (bad or DataSettings()).model_dump(exclude_unset=True)
    given |= (gan or MakerSettings()).model_dump(exclude_none=True)
    command = shlex.join(["lookalike", *sys.argv[1:]])
    with _study(runs, preset, seeds, methods, workers, cluster, command, minutes, device) as study:
        found = bench.run(data, study, given, to=to, rare=rare, classifier=classifier)
    page = write(found, out)
    if json_:
        print_json(bench.record(found))
        return
    show_table(
        ["way", "balanced accuracy", "gain, points", "recall of rare classes", "its gain", "accuracy", "seconds"],
        [
            [
                line.way,
                percent(line, "balanced_accuracy"),
                gain(line.gain),
                percent(line, "rare_recall"),
                gain(line.gains.get("rare_recall")),
                percent(line, "accuracy"),
                f"{line.seconds:.0f}",
            ]
            for line in found.lines
        ],
    )
    say(found.verdict)
    for line in found.reach:
        say(line)
    say(f"report: {show(page)}")


def _mean_auc(line: Any) -> str:
    return f"{line.auc:.3f}" + ("" if line.low is None else f" [{line.low:.3f}, {line.high:.3f}]")


def _gap(verdict: Any) -> list[str]:
    if verdict is None:
        return ["", ""]
    return [verdict.gap.text(), f"{verdict.gap.p:.3f}" if verdict.gap.p == verdict.gap.p else ""]


@contextmanager
def _study(
    runs: Path,
    preset: Preset,
    seeds: int,
    methods: tuple[str, ...],
    workers: int | None,
    cluster: str,
    command: str,
    minutes: float | None,
    device: str,
    *,
    slices: bool = False,
) -> Iterator[Any]:
    """The study of these flags, whose progress is on the terminal while it runs."""
    from lookalike.base.cluster import check
    from lookalike.detect.model import check_device
    from lookalike.studies.study import Study

    if cluster:
        check(cluster, device)
    else:
        check_device(device)
    side_by_side = workers or (MOST if cluster else _cores() if device == "cpu" else 1)
    with progress("trials") as report:
        yield Study(
            runs, preset=preset, seeds=seeds, methods=methods, workers=side_by_side, cluster=cluster, minutes=minutes,
            slices=slices, device=device, command=command, report=report, warn=warn, note=note,
        )  # fmt: skip


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
