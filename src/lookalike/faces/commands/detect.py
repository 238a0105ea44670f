"""Commands that detect: each reads its arguments, calls the library, and prints for a person or, with --json, as JSON.

Results go to standard output, progress and notes to standard error. Each command imports torch itself, so that --help
is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lookalike.base.errors import UsageError, listed, show
from lookalike.base.words import percent
from lookalike.faces.commands.flags import OUT, Data, Device, Flat, Json, Out, PartOf, Run, ThreadsOfRun
from lookalike.faces.console import interval, note, print_json, progress, say, share, show_table, warn
from lookalike.runs.groups import DATA, MOST_USED, RUN
from lookalike.runs.presets import Preset
from lookalike.runs.settings import (
    BadImageSettings,
    BadSettings,
    DataSettings,
    MethodName,
    Size,
    TrainSettings,
    pair,
)
from lookalike.runs.trackers import TrackerName

if TYPE_CHECKING:  # it imports torch
    from lookalike.detect.model import Model

LISTED = 10  # unreadable images that check prints


def check(
    data: Data,
    /,
    *,
    size: Annotated[Size | None, Parameter(help="H,W in pixels that you will train at.")] = None,
    settings: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Decodes each image of DATA once and counts classes, sizes, modes, unreadable files and duplicates.

    The exit code is 3 where images cannot be read, unless --on-bad skip allows them.
    """
    from lookalike.base.errors import DataError
    from lookalike.data.check import check as look
    from lookalike.runs.reading import said, size_by_family

    settings, sides = settings or DataSettings(), pair(size)
    found = look(
        data,
        size=(int(sides[0]), int(sides[1])) if sides else None,
        value_range=settings.low_high,
        allow_empty_class=settings.allow_empty_class,
        group=settings.group,
        aspect=settings.aspect,
    )
    counts = {} if size else found.counts()  # with a size, all methods read at it
    reads = size_by_family(counts) if counts else {}
    if json_:
        print_json(found.json() | {"read_at": reads})
    else:
        show_table(["class", "images"], [[show(name, 60), str(n)] for name, n in found.classes.items()])
        for line in found.about():
            say(line)
        if found.groups:
            say("groups: " + ", ".join(f"{show(name, 60)} ({n})" for name, n in found.groups.items()))
        for name in ("modes", "formats"):
            say(f"{name}: " + ", ".join(f"{show(key)} ({n})" for key, n in getattr(found, name).items()))
        for line in found.notes():
            say(line)
        for bad in found.unreadable[:LISTED]:
            say(f"unreadable: {show(bad.name)}: {show(bad.reason)}")
        if found.unreadable[LISTED:]:
            say(f"unreadable: {len(found.unreadable) - LISTED:,} more; --json lists all")
        for line in said(counts, settings.aspect) if counts else ():
            say(line)
    too_many = len(found.unreadable) > settings.max_bad * (found.images + len(found.unreadable))
    if found.unreadable and (settings.on_bad == "fail" or too_many):
        first = found.unreadable[0]
        raise DataError(
            f"images that cannot be read: {len(found.unreadable)}, first {show(first.name)}: {show(first.reason)}"
            f"; mend or remove them, or leave out at most {percent(settings.max_bad)} (--on-bad skip, --max-bad)"
        )


def train(
    data: Data,
    /,
    *,
    out: Annotated[
        Path,
        Parameter(name=OUT, help="The run folder: a new one, or one that the same command began.", group=MOST_USED),
    ],
    settings: Annotated[TrainSettings | None, Flat] = None,
    log: Annotated[
        tuple[TrackerName, ...],
        Parameter(
            help="A tool that gets the metrics and grids as well. Repeat the flag for several. Each is an extra of its "
            "name.",
            group=RUN,
            negative=(),
            show_default="no tool",
        ),
    ] = (),
    json_: Json = False,
) -> None:
    """Trains a detector of what is not of a known class. The same command again resumes, or finds the run finished."""
    from lookalike.base.ranks import joined
    from lookalike.runs.follow import follow
    from lookalike.runs.run import run

    settings = settings or TrainSettings()
    with joined(settings.device) as ranks:
        if not ranks.leads:
            follow(data, settings, out, ranks)
            return
        command = ("lookalike", *sys.argv[1:])
        with progress() as report:
            model = run(
                data, settings, out, command=command, trackers=log, report=report, warn=warn, note=note, ranks=ranks
            )
    _show_trained(model, settings, out, json_)


def _show_trained(model: Model, settings: TrainSettings, out: Path, json_: bool) -> None:
    """Prints what a training has learnt."""
    from lookalike.data.groups import said
    from lookalike.runs.folder import training_seconds

    facts = {
        "run": str(out),
        "method": model.method["name"],
        "known": list(model.classes["known"]),
        "threshold": model.threshold.value if model.threshold else None,
        "false_alarms": model.threshold.allowed if model.threshold else None,
        "seconds": training_seconds(out),
        "counts": model.training["counts"],
        **{name: value for name, value in model.training.items() if name == "groups"},
    }
    of_detector = model.detector.facts()
    apart = dict(zip(facts["known"], of_detector.get("apart", ()), strict=False))
    if json_:
        print_json(facts | ({"apart": apart} if apart else {}))
        return
    counts, known = model.training["counts"], listed(facts["known"])
    took = f"{facts['seconds'] or 0:.0f} s"
    say(f"{show(out)}: {facts['method']} has learnt {known} from {counts['train']} images in {took}")
    if "groups" in model.training:
        say(said(model.training["groups"]))
    if model.threshold is None:
        say("no threshold, as no images were held out: the GAN makes images, and scores none")
        say(f"next: lookalike generate {show(out)} -o made")
        return
    n, expected = len(model.threshold.calibration), f"{percent(facts['false_alarms'])} false alarms are expected"
    if settings.crosses:
        by, expected = f"{n} training images, each scored by what the others teach", f"about {expected}"
    else:
        by, expected = f"{n} calibration images", f"at most {expected}"
    say(f"threshold {facts['threshold']:.6g}, set by {by}: {expected}")
    if apart:
        if "order" in of_detector:
            first = facts["known"][of_detector["order"][0]]
            say(f"the detector of {show(first)} decides the class: AUC {apart[first]:.3f} against the other known ones")
        worst = min(apart, key=lambda name: apart[name])
        say(f"the hardest class is {show(worst)}: AUC {apart[worst]:.3f} against the other known ones")
    say(f"next: lookalike score {show(out)} IMAGES -o scores.csv")


def score(
    run: Run,
    images: Annotated[
        str,
        Parameter(
            help="A folder of images, one image, an .npz or IDX file, or the name of a data set. With --cluster, the "
            "address of images, .tar shards or Parquet files."
        ),
    ],
    /,
    *,
    out: Annotated[
        Path, Parameter(name=OUT, help="The .csv or .jsonl file that is written; with --cluster a .parquet file.")
    ],
    nearest: Annotated[
        Path | None, Parameter(help="A folder that gets the closest generated image of each image, as PNG.")
    ] = None,
    heat_maps: Annotated[
        Path | None,
        Parameter(
            help="A folder that gets a heat map of each image: a PNG with the map over the image, and the map as .npy. "
            "Red and yellow places are unlike the known images."
        ),
    ] = None,
    bad: Annotated[BadImageSettings | None, Flat] = None,
    part: PartOf = None,
    cluster: Annotated[
        str,
        Parameter(
            help="The images are scored by a Ray cluster: HOST:PORT of its head, or auto for the one of this machine. "
            "Each of its machines opens the address of the images.",
            group=RUN,
            show_default="this machine",
        ),
    ] = "",
    device: Device = "cpu",
    threads: ThreadsOfRun = None,
    json_: Json = False,
) -> None:
    """Writes the score, the p-value, the flag and the parts of the score of each image."""
    import torch

    from lookalike.data.part import WHOLE, Part
    from lookalike.detect.model import Model
    from lookalike.use import shards
    from lookalike.use.scorefile import write

    given = [name for name, value in {"--nearest": nearest, "--heat-maps": heat_maps, "--part": part}.items() if value]
    if cluster and given:
        raise UsageError(f"with --cluster score takes no {given[0]}; leave one of the two out")
    own = WHOLE if part is None else Part.parse(part)
    model, bad = Model.load(run, device="cpu" if cluster else device), bad or BadImageSettings()
    torch.set_num_threads(threads or model.training["threads"])
    with progress() as report:
        if cluster:
            where: dict[str, Any] = {"address": cluster, "device": device, "threads": torch.get_num_threads()}
            counts = shards.write(model, images, out, report=report, **where | bad.model_dump())
        else:
            how = {"nearest": nearest, "heat_maps": heat_maps, "part": own, **bad.model_dump()}
            counts = write(model, images, out, report=report, warn=warn, note=note, **how)
    if json_:
        print_json({"out": str(out), **counts})
    else:
        skipped = f", {counts['skipped']} unreadable ones left out" if counts["skipped"] else ""
        scored = "1 image" if counts["images"] == 1 else f"{counts['images']} images"
        say(f"{show(out)}: {scored}, {counts['flagged']} flagged{skipped}")


def evaluate(
    run: Run,
    data: Data,
    /,
    *,
    unknown: Annotated[
        tuple[str, ...],
        Parameter(
            help="An unknown class; repeat the flag for more.",
            negative=(),
            show_default="all classes but the known ones",
        ),
    ] = (),
    bad: Annotated[BadSettings | None, Flat] = None,
    group: Annotated[
        str | None,
        Parameter(
            help="As train takes it, for a run that was split by group: no image of a group that it used is measured.",
            group=DATA,
            show_default="as the training had",
        ),
    ] = None,
    device: Device = "cpu",
    threads: ThreadsOfRun = None,
    masks: Annotated[
        str | None,
        Parameter(
            help="A folder with a mask of each unknown image, of the same name, white where it is unlike the known: "
            "also measure the heat maps, by pixel AUROC and AUPRO."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Measures a run on the test images of DATA: AUC, and false alarms and misses at its threshold, with intervals."""
    from lookalike.use.evaluate import evaluate as measure

    how = (bad or BadSettings()).model_dump() | {"device": device, "threads": threads}
    with progress() as report:
        figures = measure(
            run, data, unknown=unknown, masks=masks, group=group, report=report, warn=warn, note=note, **how
        )
    if json_:
        print_json(figures)
        return
    area = figures["auc"]
    known, others = (listed(figures[role]) for role in ("known", "unknown"))
    say(f"{known} known, {others or 'no class'} unknown, by {figures['method']}")
    say(f"AUC           {interval(area['value'], area)}  ({figures['n_known']} known, {figures['n_unknown']} unknown)")
    for name in ("false_alarms", "misses"):
        rate = figures[name]
        about = "about" if figures["crossed"] else "at most"
        allowed = f"; {about} {percent(figures['allowed'])} expected" if name == "false_alarms" else ""
        say(f"{name.replace('_', ' '):13s} {share(rate)}  ({rate['count']} of {rate['of']}{allowed})")
    if "classes" in figures:
        for name, of in (("accuracy", "of all known images"), ("accuracy_passed", "of those that were not flagged")):
            rate = figures["classes"][name]
            say(f"right class   {share(rate)}  ({rate['count']} of {rate['of']}, {of})")
    if "pixels" in figures:
        found = figures["pixels"]
        say(
            f"heat maps     AUROC of pixels {found['auroc']:.3f}, AUPRO {found['aupro']:.3f}  "
            f"({found['regions']} marked regions in {found['images']} images)"
        )
    say(f"next: lookalike report {show(run)}")


def report(
    *runs: Run,
    out: Annotated[
        Path | None, Parameter(name=OUT, help="The page that is written.", show_default="report.html in the first run")
    ] = None,
    json_: Json = False,
) -> None:
    """Writes one HTML page, which needs no other file, about one or several runs."""
    from lookalike.report import write

    if not runs:
        raise UsageError("no run was given; name a run folder, such as: lookalike report runs/coat")
    page = write(runs, out or runs[0] / "report.html")
    print_json({"report": str(page)}) if json_ else say(show(page))


def demo(*, out: Out = Path("runs/demo"), json_: Json = False) -> None:
    """Compares methods on scikit-learn's digits, and on its photographs with drawn defects, in about 3 minutes."""
    from lookalike.faces.demo import HEAT_MAPS, run

    with progress() as report:
        rows, page = run(out, report)
    if json_:
        print_json({"rows": rows, "report": str(page)})
        return
    show_table(
        ["known", "unknown", "method", "AUC", "false alarms", "misses", "map AUROC", "training, s", "scoring, s"],
        [
            [
                row["known"],
                row["unknown"],
                row["method"],
                interval(row["auc"]["value"], row["auc"]),
                percent(row["false_alarms"]["rate"]),
                percent(row["misses"]["rate"]),
                f"{row['pixels']['auroc']:.3f}" if "pixels" in row else "",
                f"{row['seconds']['train']:.1f}",
                f"{row['seconds']['score']:.1f}",
            ]
            for row in rows
        ],
    )
    say("mcgan has learnt training images of the unknown class as fake; no other method had images of that class.")
    say(f"heat maps: {show(out / HEAT_MAPS)}")
    say(f"report: {page}")


def methods(*, json_: Json = False) -> None:
    """Lists the methods and the papers that they come from."""
    rows = _methods()
    if json_:
        print_json(rows)
    else:
        show_table(
            ["method", "paper", "what it does"],
            [[row["name"], row["paper"], row["summary"].partition(". ")[0].rstrip(".")] for row in rows],
        )


def describe(
    method: Annotated[MethodName, Parameter(help="Its name. 'lookalike methods' lists all.")],
    /,
    *,
    preset: Annotated[Preset, Parameter(help="Whose values are shown: small is train's default.")] = "small",
    json_: Json = False,
) -> None:
    """Says what a method does, which images D learns from, and the values of its own settings."""
    (row,) = [row for row in _methods(preset) if row["name"] == method]
    if json_:
        print_json(row)
        return
    say(f"{row['name']}  ({row['paper']})\n\n{row['summary']}\n")
    for name, value in row["axes"].items():
        say(f"{name:21s} " + value.replace("\n", f"\n{'':22s}"))


def cite(
    method: Annotated[MethodName, Parameter(help="Its name. 'lookalike methods' lists all.")], /, *, json_: Json = False
) -> None:
    """Prints the BibTeX of a method's paper."""
    from lookalike.methods.papers import BIBTEX

    (row,) = [row for row in _methods() if row["name"] == method]
    bibtex = BIBTEX[row["paper"]]
    print_json({"paper": row["paper"], "bibtex": bibtex}) if json_ else print(bibtex)


def _methods(preset: Preset = "small") -> list[dict[str, Any]]:
    from lookalike.detect.baselines import BASELINES, CLASSIFIERS
    from lookalike.methods import METHODS

    rows = [
        {"name": m.name, "paper": m.paper, "summary": m.summary, "axes": _axes(m.name, preset)}
        for m in METHODS.values()
    ]
    others = (BASELINES | CLASSIFIERS).items()
    return rows + [{"name": n, "paper": b.paper, "summary": b.summary, "axes": {}} for n, b in others]


def _axes(name: str, preset: Preset) -> dict[str, str]:
    """What `train --preset PRESET` makes of a method on two known classes."""
    from lookalike.runs.axes import axes
    from lookalike.runs.choices import filled, method_of
    from lookalike.runs.own_flags import own_flags
    from lookalike.runs.presets import PRESETS
    from lookalike.runs.settings import train_settings

    side = PRESETS[preset]["side"]
    settings = filled(train_settings(known=("a", "b"), method=name, preset=preset), (1, side, side), 2)
    method = method_of(settings)
    return {
        "values": f"preset {preset}, two classes of {side} x {side} images, {settings.images:,} shown to each GAN, "
        f"{settings.batch} in a step",
        **axes(method),
        "family": method.family,
        "its own settings": ", ".join(own_flags(settings, method).values()) or "none",
    }
