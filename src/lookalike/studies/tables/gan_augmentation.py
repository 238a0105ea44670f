"""Table I of gan-augmentation-2020: accuracy of a classifier whose short classes are filled up in each way.

Its data sets, a tenth of Fashion-MNIST, where filling up could help, and a case that no paper shows: MNIST digits of
which three classes have twenty images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import UsageError
from lookalike.data.sources import open_source
from lookalike.studies import jobs
from lookalike.studies.augment.transforms import Affine
from lookalike.studies.augment.trial import (
    MANY,
    NONE,
    OVERSAMPLE,
    RESULT,
    TOP,
    TOP_OF_MANY,
    TRANSFORMS,
    WAYS,
    Trial,
    perform,
    remarks,
)
from lookalike.studies.paired import difference
from lookalike.studies.tables.lines import as_csv, chosen, every_seed, file_name, grid, of_seeds, ours
from lookalike.studies.tables.table import printed
from lookalike.studies.tables.trials import lacking, of_data, train_missing

NAME = "gan-augmentation-2020/I"
SUMMARY = (
    "A classifier is trained on the images as they are (none), and with short classes filled up in each way; split, "
    "scaling, classifier, validation images and stopping rule are the same for all, and nothing is weighted. Mean ± "
    "standard deviation over seeds, each with a split, a GAN and a classifier of its own; seconds are the training of "
    "GAN and classifier on one thread. Gains are paired by seed, with Student's 95 % interval."
)
PAPERS = (NONE, "affine", "cgan", "acgan", "acgan-v1", "acgan-v2", "acgan-v3", "acgan-ali-v1", "acgan-ali-v2")
FEW = (NONE, "affine", "acgan", "acgan-v3")  # what the whole of Fashion-MNIST takes hours for
EXTRAS = tuple(way for way in (OVERSAMPLE, *TRANSFORMS) if way not in PAPERS)
TISSUE = Affine(90, 0, 0, 0, flip=True, flip_down=True)
SHORT = (("Trouser", 0.5), ("Dress", 0.65), ("Sneaker", 0.8))  # classes 1, 3, 7
CIFAR = {0.65: (83, 69, 35, 34, 2), 0.7: (90, 37, 49, 23, 26), 0.75: (41, 62, 33, 12, 84), 0.8: (50, 57, 74, 93, 40)}


@dataclass(frozen=True)
class Task:
    """One data set of the table.

    Parameters
    ----------
    name : str
        As `--rows` takes it; where the paper has it, its name there.
    data : str
        What is read.
    share : float
        Of the training images that are used at all.
    keep : callable
        The data's classes -> of some classes so many images only.
    affine : Affine
        As the authors' code has it for these images.
    ways : tuple of str
        What is measured unless some are chosen.
    """

    name: str
    data: str
    share: float = 1.0
    keep: Callable[[tuple[str, ...]], tuple[tuple[str, float | int], ...]] = lambda _classes: ()
    affine: Affine = Affine()
    ways: tuple[str, ...] = (*PAPERS, *EXTRAS)

    def trials(self, ways: Sequence[str], seeds: int, preset: str) -> list[Trial]:
        """Every way with every seed."""
        classes = open_source(self.data).classes
        base = Trial(self.data, classes, NONE, 0, share=self.share, keep=self.keep(classes), preset=preset)
        base = base.but(affine=self.affine)
        return [base.but(way=way, seed=seed) for seed in range(seeds) for way in ways or self.ways]


def _of_cifar(classes: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Twenty classes in groups of five, by the numbers of the authors' code."""
    return tuple((classes[number], share) for share, numbers in CIFAR.items() for number in numbers)


TASKS = (
    Task("fashion-mnist-tenth", "fashion-mnist", 0.1, lambda _: SHORT),
    Task("mnist-5k-twenty", "mnist-5k", keep=lambda _: (("1", 20), ("3", 20), ("7", 20))),
    Task("fashion-mnist", "fashion-mnist", keep=lambda _: SHORT, ways=FEW),
    Task("cifar-100", "cifar-100", keep=_of_cifar, affine=Affine(90, 0.1, 0, 0, flip=True)),
    # the paper splits by patch, which lets a patient be on both sides
    Task("breast-histopathology", "histopathology-patches", affine=TISSUE),
    Task("histopathology-by-patient", "histopathology", affine=TISSUE),
)


def run(
    *,
    preset: str,
    seeds: int,
    rows: Sequence[str] = (),
    methods: Sequence[str] = (),
    runs: Path,
    out: Path,
    side_by_side: int,
    command: str,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> list[dict[str, Any]]:
    """Trains what is missing below `runs`, and writes the table into `out`, as `lookalike.studies.tables.run.run` does.

    Data sets whose files are not here are left out, with a warning, unless they are asked for.

    Raises
    ------
    UsageError
        For a row or method that is not there, or where nothing could be measured.
    DataError
        For a row that is asked for and whose files are not here.
    """
    picked = chosen([task.name for task in TASKS], rows, "row", NAME)
    names = tuple(dict.fromkeys((NONE, *chosen(WAYS, methods, "method", NAME)))) if methods else ()
    tasks = {task.name: task for task in TASKS if task.name in picked}
    found = of_data(tuple(tasks), lambda name: tasks[name].trials(names, seeds, preset), warn, asked=bool(rows))
    folder = files.make_folder(out)  # hours before it is needed
    jobs.name_of.cache_clear()
    train_missing(perform, found, runs, side_by_side=side_by_side, command=command, report=report, warn=warn)
    for line in remarks([trial for trials in found.values() for trial in trials], runs):
        warn(line)
    gone = lacking(found, runs, lambda trial: trial.way, warn)
    values = {name: _values(trials, runs) for name, trials in found.items()}
    if not any(values.values()):
        raise UsageError("no cell of the table could be measured; the warnings above say why")
    lines = [line for name, trials in found.items() for line in _lines(name, trials, values[name], command)]
    stem = file_name(NAME, preset, part=bool(rows or methods))
    files.write_text(folder / f"{stem}.csv", as_csv(lines))
    files.write_text(folder / f"{stem}-seeds.csv", every_seed(values))
    files.write_text(folder / f"{stem}.md", _markdown(preset, lines, values, gone, command))
    return lines


Found = Mapping[tuple[str, int], Mapping[str, Any]]  # (way, seed) -> figures


def _values(trials: Sequence[Trial], runs: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The figures of the trials that are done."""
    found = {}
    for trial in trials:
        if trial.is_done(runs):
            one = files.read_json(trial.folder(runs) / RESULT)
            top = TOP_OF_MANY if len(trial.classes) >= MANY else TOP
            figures = {name: one[name] for name in ("accuracy", "balanced_accuracy", "rare_recall")}
            alone = {"generated_only_accuracy": one["generated_only"]["accuracy"]} if trial.generates else {}
            seconds = one["seconds"] + one.get("gan_seconds", 0.0)
            found[trial.way, trial.seed] = {
                **figures, f"top{top}_accuracy": one["top_accuracy"], **alone, "seconds": seconds
            }  # fmt: skip
    return found


def _lines(dataset: str, trials: Sequence[Trial], values: Found, command: str) -> list[dict[str, Any]]:
    """Every way's figures over its seeds."""
    lines = []
    for way in dict.fromkeys(trial.way for trial in trials):
        mine = [one for (name, _), one in values.items() if name == way]
        figures = [name for name in mine[0] if name != "seconds"] if mine else ["accuracy"]
        for figure in figures:
            numbers = [one[figure] for one in mine]
            key = (*NAME.split("/"), dataset, "", "", way, figure)
            seconds = [one["seconds"] for one in mine]
            lines.append(of_seeds(key, numbers, seconds, printed=printed().get(key), command=command))
    return lines


def _markdown(
    preset: str,
    lines: Sequence[Mapping[str, Any]],
    values: Mapping[str, Found],
    gone: Mapping[str, Mapping[str, str]],
    command: str,
) -> str:
    """The table for a reader, a part for each data set."""
    text = [
        f"# gan-augmentation-2020, table I, preset {preset}", "", f"`{command}`", "",
        SUMMARY,
    ]  # fmt: skip
    for dataset, found in values.items():
        mine = [line for line in lines if line["dataset"] == dataset]
        head = ["method", "figure", "printed", "ours", "seeds", "seconds"]
        body = [
            [
                line["method"], line["metric"], "" if line["printed"] is None else f"{line['printed']:.4f}",
                ours(line), str(line["seeds"]), "" if line["seconds"] is None else f"{line['seconds']:.0f}",
            ]
            for line in mine
        ]  # fmt: skip
        text += ["", f"## {dataset}", "", *_gains(found, gone[dataset]), "", *grid(head, body)]
    return "\n".join([*text, ""])


def _gains(found: Found, gone: Mapping[str, str]) -> list[str]:
    """A line for each way: its gain in accuracy and balanced accuracy over none, in points; not where seeds lack."""
    plain = {seed: one for (way, seed), one in found.items() if way == NONE}
    said = [f"- {way}: not compared, {missing}" for way, missing in gone.items()]
    for way in dict.fromkeys(way for way, _ in found if way not in (NONE, *gone) and NONE not in gone):
        both = {seed: one for (name, seed), one in found.items() if name == way and seed in plain}
        gaps = []
        for figure in ("accuracy", "balanced_accuracy"):
            gap = difference([one[figure] for one in both.values()], [plain[seed][figure] for seed in both])
            interval = f" [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]" if len(both) > 1 else ""
            gaps.append(f"{figure.replace('_', ' ')} {100 * gap.mean:+.2f}{interval}")
        said.append(f"- {way} over none, points: {', '.join(gaps)}")
    return said
