"""The commands: each reads its arguments, calls the library, and prints for a person or, with --json, for a program.

Results go to standard output, progress and notes to standard error. torch is imported inside, so that --help is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lookalike.base.errors import UsageError, listed, show
from lookalike.faces.console import interval, print_json, progress, say, show_table, warn
from lookalike.runs.presets import Preset
from lookalike.runs.settings import (
    BadImageSettings,
    BadSettings,
    DataSettings,
    MethodName,
    Size,
    TrainSettings,
    flag,
    pair,
)

Data = Annotated[
    str,
    Parameter(help="A folder with one sub-folder per class, an .npz or IDX file, or a name: digits, fashion-mnist, …"),
]
Run = Annotated[Path, Parameter(help="A run folder that train wrote.")]
Out = Annotated[Path, Parameter(name=["--out", "-o"], help="Where to write.")]
Json = Annotated[bool, Parameter(name="--json", help="Print results as JSON.", negative=())]
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:1 or mps.")]
Threads = Annotated[int | None, Parameter(help="CPU threads; default: as many as trained, for the same bits.")]
Flat = Parameter(name="*")


def check(
    data: Data,
    /,
    *,
    size: Annotated[Size | None, Parameter(help="H,W that you mean to train at.")] = None,
    settings: Annotated[DataSettings | None, Flat] = None,
    json_: Json = False,
) -> None:
    """Looks at DATA before any training: classes, counts, sizes, modes, unreadable files, duplicates.

    Exits with 3 where images cannot be read, unless --on-bad skip allows them.
    """
    from lookalike.base.errors import DataError
    from lookalike.data.check import check as look

    settings, sides = settings or DataSettings(), pair(size)
    found = look(
        data,
        size=(int(sides[0]), int(sides[1])) if sides else None,
        value_range=settings.low_high,
        allow_empty_class=settings.allow_empty_class,
    )
    if json_:
        print_json(found.json())
    else:
        show_table(["class", "images"], [[show(name, 60), str(n)] for name, n in found.classes.items()])
        for name in ("sizes", "modes", "formats"):
            say(f"{name}: " + ", ".join(f"{show(key)} ({n})" for key, n in getattr(found, name).items()))
        for note in found.notes():
            say(note)
    too_many = len(found.unreadable) > settings.max_bad * (found.images + len(found.unreadable))
    if found.unreadable and (settings.on_bad == "fail" or too_many):
        first = found.unreadable[0]
        raise DataError(
            f"images that cannot be read: {len(found.unreadable)}, first {show(first.name)}: {show(first.reason)}; "
            f"mend or remove them, or leave them out (--on-bad skip, of at most {settings.max_bad:.1%}: --max-bad)"
        )


def train(data: Data, /, *, out: Out, settings: Annotated[TrainSettings, Flat], json_: Json = False) -> None:
    """Trains a detector of what is not a known class. The same command again resumes, or finds the run finished."""
    from lookalike.runs.run import run, seconds

    with progress() as report:
        model = run(data, settings, out, command=("lookalike", *sys.argv[1:]), report=report, warn=warn)
    facts = {
        "run": str(out),
        "method": model.method["name"],
        "known": list(model.classes["known"]),
        "threshold": model.threshold.value if model.threshold else None,
        "false_alarms": model.threshold.allowed if model.threshold else None,
        "seconds": seconds(out),
        "counts": model.training["counts"],
    }
    of_detector = model.detector.facts()
    apart = dict(zip(facts["known"], of_detector.get("apart", ()), strict=False))
    if json_:
        print_json(facts | ({"apart": apart} if apart else {}))
        return
    counts = model.training["counts"]
    known = listed(facts["known"])
    say(f"{show(out)}: {facts['method']} knows {known} ({counts['train']} images, {facts['seconds'] or 0:.0f} s)")
    if model.threshold is None:
        say("no threshold, as nothing was held out: it makes images and scores none")
        say(f"next: lookalike generate {show(out)} -o made")
        return
    held = len(model.threshold.calibration)
    allowed = f"{facts['false_alarms']:g} false alarms expected at most, set on {held} held-out images"
    say(f"threshold {facts['threshold']:.6g}: {allowed}")
    if apart:
        if "order" in of_detector:
            first = facts["known"][of_detector["order"][0]]
            say(f"{show(first)}'s detector decides which class: AUC {apart[first]:.3f} against the other known ones")
        worst = min(apart, key=lambda name: apart[name])
        say(f"least sure of its class is {show(worst)}: AUC {apart[worst]:.3f} against the other known ones, held out")
    say(f"next: lookalike score {show(out)} IMAGES -o scores.csv")


def score(
    run: Run,
    images: Annotated[str, Parameter(help="A folder of images, one image, .npz, IDX file, or a data set's name.")],
    /,
    *,
    out: Out,
    nearest: Annotated[Path | None, Parameter(help="Folder for each image's nearest generated image (PNG).")] = None,
    bad: Annotated[BadImageSettings | None, Flat] = None,
    device: Device = "cpu",
    threads: Threads = None,
    json_: Json = False,
) -> None:
    """Scores IMAGES into a .csv or .jsonl file: score, p-value, flagged or not, and the parts of the score."""
    import torch

    from lookalike.data.oddities import losses
    from lookalike.detect.model import Model
    from lookalike.use.scorefile import write

    model, bad = Model.load(run, device=device), bad or BadImageSettings()
    torch.set_num_threads(threads or model.training["threads"])
    with progress() as report:
        counts = write(model, images, out, nearest=nearest, report=report, **bad.model_dump())
    for line in losses(counts["odd"]):
        warn(line)
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
    unknown: Annotated[tuple[str, ...], Parameter(help="Unknown classes; default: all others.", negative=())] = (),
    bad: Annotated[BadSettings | None, Flat] = None,
    device: Device = "cpu",
    threads: Threads = None,
    json_: Json = False,
) -> None:
    """Measures a run on unseen images of DATA: AUC with an interval, false alarms and misses at the run's threshold."""
    from lookalike.use.evaluate import evaluate as measure

    how = (bad or BadSettings()).model_dump() | {"device": device, "threads": threads}
    with progress() as report:
        figures = measure(run, data, unknown=unknown, report=report, warn=warn, **how)
    if json_:
        print_json(figures)
        return
    area = figures["auc"]
    known, others = (listed(figures[role]) for role in ("known", "unknown"))
    say(f"{known} known, {others} unknown, by {figures['method']}")
    say(f"AUC           {interval(area['value'], area)}  ({figures['n_known']} known, {figures['n_unknown']} unknown)")
    for name in ("false_alarms", "misses"):
        rate = figures[name]
        allowed = f", {figures['allowed']:g} allowed" if name == "false_alarms" else ""
        say(f"{name.replace('_', ' '):13s} {interval(rate['rate'], rate)}  ({rate['count']} of {rate['of']}{allowed})")
    if "classes" in figures:
        for name, of in (("accuracy", "of all known images"), ("accuracy_passed", "of those that were not flagged")):
            rate = figures["classes"][name]
            say(f"which class   {interval(rate['rate'], rate)}  {of}: {rate['count']} of {rate['of']} right")
    say(f"next: lookalike report {show(run)}")


def report(
    *runs: Run,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="The page; default: report.html in the first run.")
    ] = None,
    json_: Json = False,
) -> None:
    """Writes one self-contained HTML page about one or several runs."""
    from lookalike.report import write

    if not runs:
        raise UsageError("name a run folder, such as: lookalike report runs/coat")
    page = write(runs, out or runs[0] / "report.html")
    print_json({"report": str(page)}) if json_ else say(show(page))


def demo(*, out: Out = Path("runs/demo"), json_: Json = False) -> None:
    """Trains all methods on scikit-learn's digits, 3 against 8 and 9 against 7, and compares them; about 3 minutes."""
    from lookalike.faces.demo import run

    with progress() as told:
        rows, page = run(out, told)
    if json_:
        print_json({"rows": rows, "report": str(page)})
        return
    show_table(
        ["known", "unknown", "method", "AUC", "false alarms", "misses", "train s", "score s"],
        [
            [
                row["known"],
                row["unknown"],
                row["method"],
                interval(row["auc"]["value"], row["auc"]),
                f"{row['false_alarms']['rate']:.3f}",
                f"{row['misses']['rate']:.3f}",
                f"{row['seconds']['train']:.1f}",
                f"{row['seconds']['score']:.1f}",
            ]
            for row in rows
        ],
    )
    say("mcgan has learned from training images of the unknown class; the others have never seen it.")
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
    method: Annotated[MethodName, Parameter(help="Its name; see `lookalike methods`.")],
    /,
    *,
    preset: Annotated[Preset, Parameter(help="Whose values to show: train's own, or the published ones.")] = "small",
    json_: Json = False,
) -> None:
    """Says what a method does, what its discriminator sees, and which settings matter."""
    (row,) = [row for row in _methods(preset) if row["name"] == method]
    if json_:
        print_json(row)
        return
    say(f"{row['name']}  ({row['paper']})\n\n{row['summary']}\n")
    for name, value in row["axes"].items():
        say(f"{name:17s} " + (f"\n{'':18s}".join(value) if isinstance(value, list) else value))


def cite(
    method: Annotated[MethodName, Parameter(help="Its name; see `lookalike methods`.")], /, *, json_: Json = False
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


def _axes(name: str, preset: Preset) -> dict[str, Any]:
    """What `train --preset PRESET` makes of a method on two known classes."""
    from lookalike.game.method import when
    from lookalike.runs.choices import filled, method_of, own_settings
    from lookalike.runs.presets import PRESETS
    from lookalike.runs.record import UPDATES, held
    from lookalike.runs.settings import train_settings

    side = PRESETS[preset]["side"]
    settings = filled(train_settings(known=("a", "b"), method=name, preset=preset), (1, side, side), 2)
    method = method_of(settings)
    verdicts = {True: "as real", False: "as fake", None: "realness not asked"}
    groups = {"D sees": method.d_sees, "G plays": method.g_plays}
    return {
        "values": f"preset {preset}, two classes of {side} x {side} images, {settings.images:,} shown to each GAN",
        **{
            name: [f"{stream}, {verdicts[stream.real]}, share {share:g}" for stream, share in shown]
            for name, shown in groups.items()
        },
        "loss": ", ".join(map(str, method.losses)),
        "head": str(method.head),
        "D's updates": f"{method.d_steps}, on {UPDATES[method.d_updates]}",
        "D's slope": held(method),
        "latent": str(method.latent),
        "encoder": str(method.encoder or "none"),
        "class": str(method.conditioning) + (f", {method.labels}" if method.conditional else ""),
        "network": str(method.net),
        "optimiser": str(method.optimiser)
        + (f"; D's {method.d_optimiser}" if method.d_optimiser not in (None, method.optimiser) else "")
        + "; step sizes fall to 0" * method.decay,
        "twins": "; ".join(f"{t.name} twin, {when(t)}: {t.method(method).net}" for t in method.twins) or "none",
        **({"sub-classes": str(method.splitting)} if method.splitting else {}),
        "its own settings": ", ".join(map(flag, own_settings(method))) or "none",
    }
