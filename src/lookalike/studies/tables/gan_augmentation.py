"""Table I of gan-augmentation-2020: accuracy of a classifier whose short classes are filled up in each way.

Its data sets, a tenth of Fashion-MNIST, where filling up could help, and a case that no paper has: MNIST digits, three
classes of which have twenty images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lookalike.data.sources import open_source
from lookalike.methods import METHODS
from lookalike.studies.augment.transforms import Affine
from lookalike.studies.augment.trial import (
    ALI,
    CNN,
    LARGER,
    MANY,
    NONE,
    OVERSAMPLE,
    RECONSTRUCTED,
    TOP,
    TOP_OF_MANY,
    TRANSFORMS,
    WAYS,
    ClassifierTrial,
    cost,
)
from lookalike.studies.study import Study
from lookalike.studies.tables.figures import SECONDS, FiguresTable, gaps
from lookalike.studies.tables.lines import Line, grid, not_compared, ours, printed, scales, seconds
from lookalike.studies.tables.table import Found, Groups, of_data
from lookalike.studies.trial import Cell

NAME = "gan-augmentation-2020/I"
SUMMARY = (
    "A classifier is trained on the images as they are (none), and with short classes filled up in each way; split, "
    "scaling, classifier, validation images and stopping rule are the same for all, and nothing is weighted. Mean ± "
    "standard deviation over seeds, each with a split, a GAN and a classifier of its own; seconds are the training of "
    "GAN and classifier on one thread. Gains are paired by seed, with Student's 95 % interval."
)
PAPERS = (NONE, "affine", "cgan", "acgan", "acgan-v1", "acgan-v2", "acgan-v3", "acgan-ali-v1", "acgan-ali-v2")
FEW = (NONE, "affine", "acgan", "acgan-v3")  # what the whole of Fashion-MNIST takes hours for
EXTRAS = (RECONSTRUCTED, OVERSAMPLE, *(way for way in TRANSFORMS if way not in PAPERS))
CLOTHES, THINGS = Affine(black=True), Affine(90, 0.1, 0, 0, flip=True)
TISSUE = Affine(90, 0.1, 0, 0, flip=True, flip_down=True)
SHORT = (("Trouser", 0.5), ("Dress", 0.65), ("Sneaker", 0.8))  # what is kept of classes 1, 3, 7
EPOCHS = 300
OF_ALI = 1e-4  # G's step size in the authors' ALI and AC-GAN after it; theirs on CIFAR-100 has 1e-5 after ALI
CIFAR = {0.65: (83, 69, 35, 34, 2), 0.7: (90, 37, 49, 23, 26), 0.75: (41, 62, 33, 12, 84), 0.8: (50, 57, 74, 93, 40)}


@dataclass(frozen=True)
class Task:
    """One data set of the table.

    Parameters
    ----------
    name : str
        The name that `--rows` takes; where the paper has it, its name there.
    data : str
        The data that are read.
    share : float
        The share of the training images that are used at all.
    keep : callable
        The data's classes -> of some classes so many images only.
    affine : Affine
        The transformations of the authors' code for these images.
    classifier : str
        That of the authors' code for these images.
    ways : tuple of str
        The ways that are measured unless some are chosen.
    epoch : int or None
        The training images of the published data, which every GAN is shown `EPOCHS` times in preset paper; None: as
        many images as the preset says.
    lr : float or None
        G's step size in the authors' code for these images, in preset paper; None: the preset's.
    """

    name: str
    data: str
    share: float = 1.0
    keep: Callable[[tuple[str, ...]], tuple[tuple[str, float | int], ...]] = lambda _classes: ()
    affine: Affine = CLOTHES
    classifier: str = CNN
    ways: tuple[str, ...] = (*PAPERS, *EXTRAS)
    epoch: int | None = None
    lr: float | None = None

    def cells(self, study: Study) -> list[Cell[ClassifierTrial]]:
        """Every way with every seed; `none` always takes part."""
        classes = open_source(self.data).classes
        base = ClassifierTrial(
            self.data, NONE, 0, preset=study.preset, classes=classes, share=self.share, keep=self.keep(classes),
            affine=self.affine, classifier=self.classifier,
        )  # fmt: skip
        ways = tuple(dict.fromkeys((NONE, *study.methods))) if study.methods else self.ways
        return [
            Cell(self.name, way, seed, (base.but(method=way, seed=seed, settings=self.settings(way, study.preset)),))
            for seed in range(study.seeds)
            for way in ways
        ]

    def settings(self, way: str, preset: str) -> tuple[tuple[str, float], ...]:
        """Length and step size of a GAN, where the authors' code has them and the preset is paper."""
        named = METHODS.get(ALI if way == RECONSTRUCTED else way)
        if preset != "paper" or named is None or self.epoch is None:
            return ()
        twice = 1 if named.start is None else 2  # ALI first, and AC-GAN after it for as long
        lr = OF_ALI if named.start or named.encoder else self.lr
        return ("images", twice * EPOCHS * self.epoch), *((("lr", lr),) if lr else ())


def _of_cifar(classes: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Twenty classes in groups of five, by the numbers of the authors' code."""
    return tuple((classes[number], share) for share, numbers in CIFAR.items() for number in numbers)


TASKS = (
    Task("fashion-mnist-tenth", "fashion-mnist", 0.1, lambda _: SHORT),
    Task("mnist-5k-twenty", "mnist-5k", keep=lambda _: (("1", 20), ("3", 20), ("7", 20))),
    Task("fashion-mnist", "fashion-mnist", keep=lambda _: SHORT, ways=FEW, epoch=60_000),
    Task("cifar-100", "cifar-100", keep=_of_cifar, affine=THINGS, classifier=LARGER, epoch=50_000),
    # the paper splits by patch, which lets a patient be on both sides
    Task("breast-histopathology", "histopathology-patches", affine=TISSUE, epoch=208_143, lr=1e-4),
    Task("histopathology-by-patient", "histopathology", affine=TISSUE, epoch=208_143, lr=1e-4),
)


class Augmentation(FiguresTable[ClassifierTrial]):
    """The table."""

    name = NAME
    labels = ""
    row_names = tuple(task.name for task in TASKS)
    method_names = WAYS
    least = ("accuracy",)

    def groups(self, study: Study, rows: Sequence[str], *, required: bool) -> Groups[ClassifierTrial]:
        """The cells of each data set."""
        tasks = {task.name: task for task in TASKS if task.name in rows}
        return of_data(tuple(tasks), lambda name: tasks[name].cells(study), study.warn, required=required)

    def figures(self, trial: ClassifierTrial, stored: Mapping[str, Any]) -> dict[str, float | None]:
        """Those of the paper, and ours of each class."""
        top = TOP_OF_MANY if len(trial.classes) >= MANY else TOP
        found = {name: stored[name] for name in ("accuracy", "balanced_accuracy", "rare_recall")}
        found |= {f"top{top}_accuracy": stored["top_accuracy"]}
        found |= {"generated_only_accuracy": stored["generated_only"]["accuracy"]} if trial.generates else {}
        return found | {SECONDS: cost(stored)}

    def page(self, found: Found[ClassifierTrial], lines: Sequence[Line]) -> str:
        """The table for a reader, a part for each data set: gains over none, in points, and then each figure."""
        study = found.study
        text = [f"# gan-augmentation-2020, table I, preset {study.preset}", "", f"`{study.command}`", "", SUMMARY]
        ways = {cell.method: cell.trials[0].train_settings() for group in found.groups.values() for cell in group}
        text += ["", *scales({way: settings for way, settings in ways.items() if way in METHODS})]
        head = ["method", "figure", "printed", "ours", "seeds", "seconds"]
        for dataset, gone in found.gone.items():
            said = not_compared(gone)
            for way, gap in gaps(self.values(found, dataset), NONE, gone):
                each = [
                    f"{name.replace('_', ' ')} {gain.text(2, 100)}"
                    for name, gain in gap.items() if name in ("accuracy", "balanced_accuracy") and gain
                ]  # fmt: skip
                said.append(f"- {way} over none, points: {', '.join(each)}")
            body = [
                [
                    line["method"], line["metric"], printed(line), ours(line), str(line["seeds"]), seconds(line),
                ]
                for line in lines if line["dataset"] == dataset
            ]  # fmt: skip
            text += ["", f"## {dataset}", "", *said, "", *grid(head, body)]
        return "\n".join([*text, ""])


TABLE = Augmentation()
