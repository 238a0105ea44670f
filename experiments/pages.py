"""Writes the figures of the papers' pages from the committed files: no figure of these tables is copied by hand.

    python experiments/pages.py

It reads experiments/results alone, and replaces lines of tables in docs by those of the files. A line of a page is
found by its table's first line and its own first cells; lines of other things, such as real images, stay. Which tables
are these says `TABLES`; a test compares all of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from lookalike.studies.claims import difference
from lookalike.studies.tables.table import printed
from lookalike.use.pairs import OF_FASHION, OF_MNIST

ROOT = Path(__file__).parents[1]
RESULTS, DOCS = ROOT / "experiments" / "results", ROOT / "docs"
Cells = list[str]
SETS = ("mnist-5k", "fashion-mnist")
FILLED, K1 = "gan-augmentation-2020-I-small-", "kplus1-2020-cifar-10-small-part"


@dataclass(frozen=True)
class Shown:
    """A table of a page: how its first line begins, how many cells name a line, the lines as cells in their order.

    Where several tables begin alike, it is the first below the line that begins with `after`.
    """

    page: str
    begins: str
    named: int
    lines: Callable[[], Iterator[Cells]]
    after: str = ""


def main() -> None:
    """Writes all pages."""
    for name in {shown.page for shown in TABLES}:
        path = DOCS / f"{name}.md"
        path.write_text(rewritten(name, path.read_text(encoding="utf-8")), encoding="utf-8")


def rewritten(page: str, text: str) -> str:
    """The page's text with the tables' lines as the files have them; ValueError for a line that it lacks."""
    lines = text.split("\n")
    for shown in (one for one in TABLES if one.page == page):
        start = next(i for i, line in enumerate(lines) if line.startswith(shown.after))
        row = next(i for i in range(start, len(lines)) if lines[i].startswith(shown.begins)) + 1
        last = next(i for i in range(row, len(lines)) if not lines[i].startswith("|"))
        for cells in shown.lines():
            name = joined(cells[: shown.named])
            there = next((i for i in range(row + 1, last) if lines[i].startswith(name)), None)
            if there is None:
                raise ValueError(f"docs/{page}.md has no line {name} below {lines[row]} in the table {shown.begins}")
            row = there
            lines[row] = joined(cells)
    return "\n".join(lines)


def joined(cells: Cells) -> str:
    """The cells as a line of a table."""
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def read(name: str) -> list[dict[str, str]]:
    """The lines of a file of results."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cells(name: str) -> dict[tuple[str, str, str], tuple[float, float]]:
    """(data set, method, figure) -> mean and standard deviation, of a table without rows."""
    found = [line for line in read(name) if line["mean"]]
    return {
        (one["dataset"], one["method"], one["metric"]): (float(one["mean"]), float(one["sd"] or "nan")) for one in found
    }


def seeds(name: str, data: str, figure: str) -> Mapping[str, list[float]]:
    """Method -> the figure of each seed."""
    found: dict[str, list[float]] = {}
    for line in read(name):
        if (line["dataset"], line["metric"]) == (data, figure):
            found.setdefault(line["method"], []).append(float(line["value"]))
    return found


def fid(of: tuple[float, float]) -> str:
    """A distance to three digits, with its deviation."""
    digits = 1 if of[0] >= 10 else 2
    return f"{of[0]:.{digits}f} ± {of[1]:.{digits}f}"


def share(of: tuple[float, float], digits: int = 0) -> str:
    """A share in percent, with its deviation."""
    return f"{100 * of[0]:.{digits}f} ± {100 * of[1]:.{digits}f} %"


def alone(of: tuple[float, float] | None, digits: int = 0) -> str:
    """A share in percent; nothing where there is none."""
    return "" if of is None else f"{100 * of[0]:.{digits}f} %"


def games() -> Iterator[Cells]:
    """Quality on images of kplus1-2020."""
    found = cells(K1)
    for method in dict.fromkeys(method for _, method, _ in found):
        line = [f"`{method}`"]
        for data in SETS:
            own = {figure: found.get((data, method, figure)) for figure in ("fid", "kid", "recall")}
            score = found[data, method, "inception_score_own"]
            line += [fid(own["fid"] or (0, 0)), f"{(own['kid'] or (0, 0))[0]:.2f}", share(own["recall"] or (0, 0))]
            line += [f"{score[0]:.1f}", alone(found.get((data, method, "class_taken_for_it")))]
        yield line


def circle() -> Iterator[Cells]:
    """The ten Gaussians of kplus1-2020."""
    name = "kplus1-2020-gaussians-small"
    for method, said, near, far in (
        ("sn-binary", "`sn-binary` (no classes)", "average", ("mode", "real")),
        ("k-plus-one", "`k-plus-one`", "average", ("mode", "real")),
        ("mode", "`mode`", "mode", ("real", "mode")),
    ):
        other, own = (seeds(f"{name}-seeds", "gaussians", f"kl_to_{one}")[method] for one in far)
        ahead = sum(a > b for a, b in zip(other, own, strict=True))
        both = [cells(name)["gaussians", method, f"kl_to_{one}"] for one in ("real", "mode")]
        figures = [f"{mean:.3f} ± {sd:.3f}" for mean, sd in both]
        yield [said, *figures, f"{near}, in {ahead} of {len(own)} seeds", difference(other, own).text(4)]


def split() -> Iterator[Cells]:
    """Tables 1 and 2 of splitting-gan-2017; a method's second line of a data set has no name of it."""
    ways = {"wgan-gp-resnet-a": ("`wgan-gp`", "`wgan-gp-classes`"), "splitting-gan-resnet-a": ("`splitting`",) * 2}
    names = {"mnist-5k": "mnist-5k", "fashion-mnist": "Fashion-MNIST"}
    for data in SETS:
        for number, labels in enumerate(("without", "with")):
            found = cells(f"splitting-gan-2017-{number + 1}-small-part")
            for way, said in ways.items():
                own = {key[2]: value for key, value in found.items() if key[:2] == (data, way)}
                first = f"{names[data]}, {labels}" if way == "wgan-gp-resnet-a" else ""
                score, distance = (f"{mean:.2f} ± {sd:.2f}" for mean, sd in (own["inception_score_own"], own["fid"]))
                taken = own.get("class_taken_for_it")
                yield [
                    first, said[number], score, distance, f"{own['kid'][0]:.2f}", alone(own["precision"]),
                    alone(own["recall"]), share(taken) if taken else "", alone(own.get("accuracy_score")),
                ]  # fmt: skip


def filled(data: str) -> Iterator[Cells]:
    """A part of table I of gan-augmentation-2020, with printed figures where the paper has the data."""
    found, file = cells(f"{FILLED}{data}"), f"{FILLED}{data}-seeds"
    for way in dict.fromkeys(method for _, method, _ in found):
        own = {key[2]: value for key, value in found.items() if key[1] == way}
        gains = {}
        for figure in ("accuracy", "rare_recall"):
            values = seeds(file, data, figure)
            gains[figure] = "" if way == "none" else difference(values[way], values["none"]).text(2, 100)
        made = own.get("generated_only_accuracy")
        theirs = printed().get(("gan-augmentation-2020", "I", data, "", "", way, "accuracy"))
        line = [way, *([] if theirs is None else [f"{100 * theirs:.2f} %"]), share(own["accuracy"], 1)]
        line += [gains["accuracy"], share(own["rare_recall"], 1), *([] if theirs else [gains["rare_recall"]])]
        yield [*line, share(made, 1) if made else ""]


def over_rows(
    name: str, table: str, methods: Mapping[str, str], figure: str, best: str
) -> dict[str, tuple[str, float, str]]:
    """Method -> the printed mean, our mean, and in how many rows ours is above the printed figure of `best`."""
    found = {}
    for method in methods:
        mine = [line for line in read(name) if (line["method"], line["metric"]) == (method, figure) and line["mean"]]
        theirs = [float(line["printed"]) for line in mine if line["printed"]]
        keys = [(*table.split("/"), line["dataset"], line["known"], line["unknown"], best, figure) for line in mine]
        beaten = sum(float(line["mean"]) > printed()[key] for line, key in zip(mine, keys, strict=True))
        mean = fmean(float(line["mean"]) for line in mine)
        found[method] = f"{fmean(theirs):.3f}" if theirs else "", mean, f"{beaten} of {len(mine)}"
    return found


def one_class() -> Iterator[Cells]:
    """Table 1 of mcgan-2021; the methods that learn one class only have a file of their own."""
    for method, said in MC.items():
        name = f"all-mnist{'-gans' if method in ('dcgan', 'mcgan') else ''}/mcgan-2021-1-small-part"
        theirs, ours, beaten = over_rows(name, "mcgan-2021/1", {method: ""}, "auc", "mcgan")[method]
        yield [said, theirs, f"{ours:.3f}", beaten]


def ranks() -> Iterator[Cells]:
    """The ranks of the papers' pairs among 45 and how alike they are, of each seed, by all test images and by ten."""
    found: dict[tuple[frozenset[str], str], list[str]] = {}
    for line in read("pairs"):
        place = frozenset((line["first"], line["second"])), line["examples"]
        found.setdefault(place, []).append(f"{line['rank']} ({float(line['alike']):.1f})")
    for pair in (*OF_MNIST, *OF_FASHION):
        yield [", ".join(pair), *(", ".join(found[frozenset(pair), examples]) for examples in ("all", "10"))]


def steps() -> Iterator[Cells]:
    """Both steps of table 2 of mcgan-2021 in percent, the second one by two thresholds."""
    said = {"dcgan": "dcgan (`anogan`)", "mcgan": "`mcgan`", "knn": "`knn`", "everything is known": ""}
    lines = [line for line in read("all-mnist-gans/mcgan-2021-2-small-part") if line["mean"]]
    for method, name in said.items():
        found = [
            [line for line in lines if (line["method"], line["metric"]) == (method, step)]
            for step in ("unknown_vs_known", "known_vs_known", "known_vs_known_held_out")
        ]
        ours = [f"{100 * fmean(float(line['mean']) for line in step):.1f} %" if step else "" for step in found]
        theirs = [
            f"{100 * fmean(float(line['printed']) for line in step):.1f} %" if step and step[0]["printed"] else ""
            for step in found
        ]
        yield [name or method, theirs[0], ours[0], theirs[1], ours[1], ours[2]]


def twins() -> Iterator[Cells]:
    """Table 1 of vtgan-2021 with the seconds of a row; Deep SVDD has a file of its own."""
    for method, said in VT.items():
        name = "vtgan-2021-1-small-part" if method == "deep-svdd" else "vtgan-2021-1-small"
        theirs, ours, beaten = over_rows(name, "vtgan-2021/1", {method: ""}, "auc", "vtgan")[method]
        seconds = fmean(float(line["seconds"]) for line in read(name) if line["method"] == method)
        yield [said, theirs, f"{ours:.3f}", beaten, f"{seconds:.0f}"]


def all_digits() -> Iterator[Cells]:
    """The GANs of table 1 of vtgan-2021 with all of MNIST, beside its four rows on mnist-5k."""
    methods, every = dict.fromkeys(("anogan", "noisegan", "vtgan"), ""), "all-mnist-gans/vtgan-2021-1-small-part"
    for method, (theirs, ours, beaten) in over_rows(every, "vtgan-2021/1", methods, "auc", "vtgan").items():
        digits = [
            fmean(
                float(line["mean"])
                for line in read(name)
                if (line["method"], line["dataset"]) == (method, "mnist") and line["mean"]
            )
            for name in ("vtgan-2021-1-small", every)
        ]
        yield [f"`{method}`", theirs, f"{ours:.3f}", beaten, *(f"{one:.3f}" for one in digits)]


MC = {"dcgan": "dcgan (`anogan`)", "mcgan": "`mcgan`"}
MC |= {name: f"`{name}`, trained on one class only" for name in ("knn", "pca", "auto")}
VT = {"oc-svm": "oc-svm (`ocsvm-pca`)", "isolation-forest": "isolation-forest (`iforest-pca`)"}
VT |= {name: f"`{name}`" for name in ("anogan", "noisegan")}
VT |= {"deep-svdd": "deep-svdd (`deepsvdd`)", **{name: f"`{name}`" for name in ("vtgan", "knn", "pca", "lof")}}
VT |= {"rotation": "`rotation`", "auto": "`auto` of that version"}
TABLES = (
    Shown("kplus1-2020", "| method | mnist-5k: FID |", 1, games),
    Shown("kplus1-2020", "| method | divergence from the average |", 1, circle),
    Shown("splitting-gan-2017", "| data and labels | method |", 2, split),
    *(
        Shown("gan-augmentation-2020", "| way |", 1, partial(filled, data), after)
        for data, after in (
            ("fashion-mnist-tenth", "**A tenth of Fashion-MNIST.**"),
            ("mnist-5k-twenty", "**MNIST digits, 1, 3 and 7 cut"),
            ("fashion-mnist", "**All of Fashion-MNIST**"),
        )
    ),
    Shown("mcgan-2021", "| method | printed | ours, three seeds | rows above the printed mcgan |", 1, one_class),
    Shown("mcgan-2021", "| method | unknown or known: printed |", 1, steps),
    Shown("mcgan-2021", "| pair | rank by all test images |", 1, ranks),
    Shown("vtgan-2021", "| method | printed, mean AUC of ten rows |", 1, twins),
    Shown("vtgan-2021", "| method | printed | ours | rows above the printed vtgan | four rows", 1, all_digits),
)  # fmt: skip


if __name__ == "__main__":
    main()
