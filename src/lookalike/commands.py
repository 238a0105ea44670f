"""The commands: each reads its arguments, calls the library, and prints for a person or, with --json, for a program.

Results go to standard output, progress and notes to standard error. torch is imported inside, so that --help is quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lookalike.errors import UsageError, show
from lookalike.settings import BadImageSettings, BadSettings, DataSettings, MethodName, Size, TrainSettings, pair

Data = Annotated[
    str,
    Parameter(help="A folder with one sub-folder per class, an .npz or IDX file, or digits, mnist-5k, fashion-mnist."),
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
    from lookalike.data.check import check as look
    from lookalike.errors import DataError

    settings, sides = settings or DataSettings(), pair(size)
    found = look(
        data,
        size=(int(sides[0]), int(sides[1])) if sides else None,
        value_range=settings.low_high,
        allow_empty_class=settings.allow_empty_class,
    )
    if json_:
        _print_json(found.json())
    else:
        _table(["class", "images"], [[show(name, 60), str(n)] for name, n in found.classes.items()])
        for name in ("sizes", "modes", "formats"):
            _say(f"{name}: " + ", ".join(f"{show(key)} ({n})" for key, n in getattr(found, name).items()))
        for note in found.notes():
            _say(note)
    too_many = len(found.unreadable) > settings.max_bad * (found.images + len(found.unreadable))
    if found.unreadable and (settings.on_bad == "fail" or too_many):
        first = found.unreadable[0]
        raise DataError(
            f"images that cannot be read: {len(found.unreadable)}, first {show(first.name)}: {show(first.reason)}; "
            f"mend or remove them, or leave them out (--on-bad skip, of at most {settings.max_bad:.1%}: --max-bad)"
        )


def train(data: Data, /, *, out: Out, settings: Annotated[TrainSettings, Flat], json_: Json = False) -> None:
    """Trains a detector of what is not a known class. The same command again resumes, or finds the run finished."""
    from lookalike.runs import run, seconds

    with _progress() as report:
        model = run(data, settings, out, command=("lookalike", *sys.argv[1:]), report=report, warn=_warn)
    facts = {
        "run": str(out),
        "method": model.method["name"],
        "known": list(model.classes["known"]),
        "threshold": model.threshold.value,
        "false_alarms": model.threshold.allowed,
        "seconds": seconds(out),
        "counts": model.training["counts"],
    }
    if json_:
        _print_json(facts)
        return
    counts = model.training["counts"]
    known = show(", ".join(facts["known"]))
    _say(f"{show(out)}: {facts['method']} knows {known} ({counts['train']} images, {facts['seconds'] or 0:.0f} s)")
    allowed = f"{facts['false_alarms']:g} false alarms expected at most, set on {counts['calibration']} held-out images"
    _say(f"threshold {facts['threshold']:.6g}: {allowed}")
    _say(f"next: lookalike score {show(out)} IMAGES -o scores.csv")


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
    from lookalike.model import Model
    from lookalike.use.scorefile import write

    model, bad = Model.load(run, device=device), bad or BadImageSettings()
    torch.set_num_threads(threads or model.training["threads"])
    with _progress() as report:
        counts = write(model, images, out, nearest=nearest, report=report, **bad.model_dump())
    for line in losses(counts["odd"]):
        _warn(line)
    if json_:
        _print_json({"out": str(out), **counts})
    else:
        skipped = f", {counts['skipped']} unreadable ones left out" if counts["skipped"] else ""
        scored = "1 image" if counts["images"] == 1 else f"{counts['images']} images"
        _say(f"{show(out)}: {scored}, {counts['flagged']} flagged{skipped}")


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
    with _progress() as report:
        figures = measure(run, data, unknown=unknown, report=report, warn=_warn, **how)
    if json_:
        _print_json(figures)
        return
    area = figures["auc"]
    known, others = (show(", ".join(figures[role])) for role in ("known", "unknown"))
    _say(f"{known} known, {others} unknown, by {figures['method']}")
    _say(
        f"AUC           {_interval(area['value'], area)}  ({figures['n_known']} known, {figures['n_unknown']} unknown)"
    )
    for name in ("false_alarms", "misses"):
        rate = figures[name]
        allowed = f", {figures['allowed']:g} allowed" if name == "false_alarms" else ""
        _say(
            f"{name.replace('_', ' '):13s} {_interval(rate['rate'], rate)}  ({rate['count']} of {rate['of']}{allowed})"
        )
    _say(f"next: lookalike report {show(run)}")


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
    _print_json({"report": str(page)}) if json_ else _say(show(page))


def demo(*, out: Out = Path("runs/demo"), json_: Json = False) -> None:
    """Trains all methods on scikit-learn's digits, 3 against 8 and 9 against 7, and compares them; about 3 minutes."""
    from lookalike.demo import run

    with _progress() as told:
        rows, page = run(out, told)
    if json_:
        _print_json({"rows": rows, "report": str(page)})
        return
    _table(
        ["known", "unknown", "method", "AUC", "false alarms", "misses", "train s", "score s"],
        [
            [
                row["known"],
                row["unknown"],
                row["method"],
                _interval(row["auc"]["value"], row["auc"]),
                f"{row['false_alarms']['rate']:.3f}",
                f"{row['misses']['rate']:.3f}",
                f"{row['seconds']['train']:.1f}",
                f"{row['seconds']['score']:.1f}",
            ]
            for row in rows
        ],
    )
    _say("mcgan has learned from training images of the unknown class; the others have never seen it.")
    _say(f"report: {page}")


def methods(*, json_: Json = False) -> None:
    """Lists the methods and the papers that they come from."""
    rows = _methods()
    if json_:
        _print_json(rows)
    else:
        _table(
            ["method", "paper", "what it does"],
            [[row["name"], row["paper"], row["summary"].split(". ")[0]] for row in rows],
        )


def describe(
    method: Annotated[MethodName, Parameter(help="Its name; see `lookalike methods`.")], /, *, json_: Json = False
) -> None:
    """Says what a method does, what its discriminator sees, and which settings matter."""
    (row,) = [row for row in _methods() if row["name"] == method]
    if json_:
        _print_json(row)
        return
    _say(f"{row['name']}  ({row['paper']})\n\n{row['summary']}\n")
    for name, value in row["axes"].items():
        _say(f"{name:17s} " + (f"\n{'':18s}".join(value) if isinstance(value, list) else value))


def cite(
    method: Annotated[MethodName, Parameter(help="Its name; see `lookalike methods`.")], /, *, json_: Json = False
) -> None:
    """Prints the BibTeX of a method's paper."""
    from lookalike.papers import BIBTEX

    (row,) = [row for row in _methods() if row["name"] == method]
    bibtex = BIBTEX[row["paper"]]
    _print_json({"paper": row["paper"], "bibtex": bibtex}) if json_ else print(bibtex)


def _methods() -> list[dict[str, Any]]:
    from lookalike.baselines import BASELINES
    from lookalike.methods import METHODS
    from lookalike.nets.anogan import Anogan
    from lookalike.settings import PRESETS

    small = Anogan(width=PRESETS["small"]["width"])
    rows = [
        {"name": m.name, "paper": m.paper, "summary": m.summary, "axes": _axes(m.but(net=small))}
        for m in METHODS.values()
    ]
    return rows + [{"name": n, "paper": b.paper, "summary": b.summary, "axes": {}} for n, b in BASELINES.items()]


def _axes(method: Any) -> dict[str, Any]:
    from lookalike.plan import flag, own_settings

    return {
        "D sees": [
            f"{stream}, as {'real' if stream.real else 'fake'}, share {share:g}" for stream, share in method.d_sees
        ],
        "loss": ", ".join(map(str, method.losses)),
        "head": str(method.head),
        "latent": str(method.latent),
        "network": f"{method.net} (preset small)",
        "optimiser": str(method.optimiser),
        "trains beside": "; ".join(f"{t.name} twin: {t.method(method).net}" for t in method.twins) or "nothing",
        "its own settings": ", ".join(map(flag, own_settings(method))) or "none",
    }


def _interval(value: float | None, of: dict[str, Any]) -> str:
    return f"{value:.3f} [{of['low']:.3f}, {of['high']:.3f}]" if value is not None else f"undefined: {of.get('reason')}"


def _say(text: str) -> None:
    print(text)


def _print_json(value: Any) -> None:
    print(json.dumps(value, allow_nan=False, indent=2))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*[_plain(cell) for cell in row])
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(table)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _line_per_stage() -> Callable[[str, int, int], None]:
    said: set[str] = set()

    def told(stage: str, _done: int, of: int) -> None:
        if stage not in said:
            said.add(stage)
            print(f"{stage}: {of} images" if of > 1 else stage, file=sys.stderr)

    return told


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error; where that is no terminal, a line per stage."""
    if not sys.stderr.isatty():
        yield _line_per_stage()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1)

        def told(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=max(of, done, 1))

        yield told
