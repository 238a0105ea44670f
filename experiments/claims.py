"""The papers' claims beside what the committed figures say of them: writes docs/claims.md.

    python experiments/claims.py

It reads experiments/results alone, and trains nothing. A claim is a difference of two methods. Ours is the mean over
the rows of a table, each the mean over its seeds, or over the seeds of one data set; Student's 95 % interval is over
the same. A claim holds where the interval lies on its side of 0, and does not where it lies on the other; else it
cannot be told. A claim of no difference does not hold where the interval excludes 0; that it holds cannot be told so.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from lookalike.studies.claims import Estimate, difference
from lookalike.studies.tables.lines import grid
from lookalike.studies.tables.table import printed

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "experiments" / "results", ROOT / "docs" / "claims.md"
WHOLE = {"fashion-mnist"}  # data of which all of the paper's images are measured
TEN, TEN_WHOLE = "MNIST (mnist-5k) and Fashion-MNIST", "MNIST and Fashion-MNIST"
SEVERAL = {"mnist-5k": "mnist-5k", "fashion-mnist": "Fashion-MNIST", "gaussians": "the paper's Gaussians"}
Values = Mapping[str, Mapping[tuple[str, ...], float]]  # method -> row or seed -> figure


@dataclass(frozen=True)
class Claim:
    """A difference that a paper claims.

    Parameters
    ----------
    says : str
        The claim.
    file : str
        The file of our figures, without its suffix.
    better, worse : str
        The methods, as the file has them.
    metric : str
        The figure; with "a - b" the difference of two.
    dataset : str
        Of a file with a line for each seed: the data set; empty for a table with a line for each row.
    sign : int
        -1 where smaller is better.
    times : int
        100 for points.
    equal : bool
        The paper claims that there is no difference.
    theirs : float or None
        The printed difference on other data; None: that of the same rows, where they were printed.
    """

    says: str
    file: str
    better: str
    worse: str
    metric: str = "auc"
    dataset: str = ""
    sign: int = 1
    times: int = 1
    equal: bool = False
    theirs: float | None = None


VT, MC1, MC2 = "vtgan-2021-1-small", "mcgan-2021-1-small", "mcgan-2021-2-small"
GANS_OF = "all-mnist-gans/{}-small-part"  # on all of MNIST
VT_ALL = (GANS_OF.format("vtgan-2021-1"), "all-mnist/vtgan-2021-1-small-part")
MC1_ALL, MC2_ALL = GANS_OF.format("mcgan-2021-1"), GANS_OF.format("mcgan-2021-2")
ALL = (*VT_ALL, MC1_ALL, MC2_ALL)
FILLED, SPLIT = "gan-augmentation-2020-I-small-fashion-mnist", "splitting-gan-2017-{}-small-part-seeds"
K1, CIRCLE = "kplus1-2020-cifar-10-small-part-seeds", "kplus1-2020-gaussians-small-seeds"
GANS, SCORE = ("splitting-gan-resnet-a", "wgan-gp-resnet-a"), "inception_score_own"
CLAIMS: dict[str, tuple[Claim, ...]] = {
    "vtgan-2021": (
        Claim("VTGAN above AnoGAN", VT_ALL[0], "vtgan", "anogan"),
        Claim("NoiseGAN above AnoGAN", VT_ALL[0], "noisegan", "anogan"),
        Claim("VTGAN above NoiseGAN", VT_ALL[0], "vtgan", "noisegan"),
        Claim("VTGAN above one-class SVM", VT, "vtgan", "oc-svm"),
        Claim("VTGAN above Isolation Forest", VT, "vtgan", "isolation-forest"),
        Claim("VTGAN above Deep SVDD", f"{VT}-part", "vtgan", "deep-svdd"),
    ),
    "mcgan-2021": (
        Claim("MCGAN above DCGAN, table 1", MC1_ALL, "mcgan", "dcgan"),
        Claim("MCGAN finds the unknown better, step 1", MC2_ALL, "mcgan", "dcgan", "unknown_vs_known", times=100),
        Claim("MCGAN tells the known apart better, step 2", MC2_ALL, "mcgan", "dcgan", "known_vs_known", times=100),
    ),
    "gan-augmentation-2020": tuple(
        Claim(f"{way} adds accuracy, {size}", f"{FILLED}{name}-seeds", way, "none", "accuracy", data, times=100)
        for size, name, data in (
            ("all images", "", "fashion-mnist"),
            ("a tenth of the images", "-tenth", "fashion-mnist-tenth"),
        )
        for way in ("affine", "acgan", "acgan-v3")
    ),
    "splitting-gan-2017": tuple(
        Claim(f"splitting raises the inception score, {labels}", SPLIT.format(n), *GANS, SCORE, data, theirs=gain)
        for n, labels, gain in ((2, "with labels", 0.31), (1, "without labels", 0.04))
        for data in ("mnist-5k", "fashion-mnist")
    ),
    "kplus1-2020": (
        *(
            Claim(f"{name} learns the {shape}", CIRCLE, name, "", f"{far} - {near}", "gaussians")
            for name, shape, far, near in (
                ("k-plus-one", "average of the classes", "kl_to_mode", "kl_to_real"),
                ("mode", "modes of the classes", "kl_to_real", "kl_to_mode"),
            )
        ),
        *(
            Claim(f"FID of {name} is that of binary", K1, name, "sn-binary", "fid", data, -1, equal=True)
            for name in ("k-plus-one", "mode")
            for data in ("mnist-5k", "fashion-mnist")
        ),
        *(
            Claim(f"projection lowers the FID of {name}", K1, f"{name}-projection", name, "fid", data, -1)
            for name in ("k-plus-one", "mode")
            for data in ("mnist-5k", "fashion-mnist")
        ),
    ),
}
NOTES = {
    "vtgan-2021": "The printed AUCs of one-class SVM and Isolation Forest lie near those of yes-or-no verdicts, and "
    "ours are those of scores; the page says more.",
    "kplus1-2020": "On images all games share step sizes that were chosen for one of them, and binary has another "
    "loss. So a difference of games here is one of these settings too. The training on the Gaussians was made twice as "
    "long after the same seeds had been looked at; three fresh seeds alone cannot tell of Mode.",
    "splitting-gan-2017": "Inception scores are on a classifier of the data, and the printed ones on Inception-v3.",
}
HEAD = """# The papers' claims, and what our figures say of them

`python experiments/claims.py` writes this page from the files in
`experiments/results`; a test compares them. All of it is preset `small`: 32 x 32 images, and
networks and trainings far smaller than the papers'. So a verdict is one on this preset, and not on the papers' own.

"Ours" is the difference of two methods with Student's 95 % interval over rows or over seeds, and *n* is their number.
A positive one is what the paper claims, and "printed" is theirs. A claim *holds* where the interval lies above 0, and
*does not* where it lies below. Else it *cannot be told*. A claim of no difference does not hold where the interval
excludes 0. Intervals are not corrected for their number. AUC and scores are numbers; accuracies are in points."""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page as Markdown."""
    text = [HEAD]
    for paper, claims in CLAIMS.items():
        head = ["claim", "data", "printed", "ours", "n", "verdict"]
        text += [
            "",
            f"## {paper}",
            "",
            f"[The page of the paper]({paper}.md). {NOTES.get(paper, '')}".rstrip(),
            "",
            *grid(head, [row(c) for c in claims]),
        ]
    text += ["", "## Which cells are measured on the paper's data", "", *grid(*cells())]
    text += ["", SAMPLING, "", *grid(*spreads()), ""]
    return "\n".join(text)


def row(claim: Claim) -> list[str]:
    """The line of a claim."""
    ours, theirs, n = measured(claim)
    digits = 1 if claim.times == 100 else 3
    there = "" if theirs is None else f"{claim.times * theirs:+.{max(digits, 2)}f}"
    elsewhere = claim.theirs is not None
    there += ", on CIFAR-10" * elsewhere
    ten = TEN_WHOLE if claim.file in ALL else TEN
    where = SEVERAL.get(claim.dataset, "a tenth of Fashion-MNIST") if claim.dataset else ten
    said = verdict(ours, claim.equal)
    if theirs is not None and not elsewhere and not ours.low <= theirs <= ours.high and ours.low == ours.low:
        said += "; the printed one is excluded"
    return [claim.says, where, there, ours.text(digits, claim.times), str(n), said]


def verdict(ours: Estimate, equal: bool) -> str:
    """What the interval says."""
    if ours.low > 0:
        return "does not hold" if equal else "holds"
    return "does not hold" if ours.high < 0 else "cannot be told"


def measured(claim: Claim) -> tuple[Estimate, float | None, int]:
    """Our difference, the printed one over the same rows where it was printed, and the number of rows or seeds."""
    lines = read(claim.file)
    if claim.dataset:
        values = of_seeds(lines, claim)
        both = (
            sorted(set(values[claim.better]) & set(values[claim.worse]))
            if claim.worse
            else sorted(values[claim.better])
        )
        other = [values[claim.worse][one] for one in both] if claim.worse else [0.0] * len(both)
        theirs = claim.theirs if claim.theirs is not None else of_paper(claim)
    else:
        values = {name: {place(line): float(line["mean"]) for line in of(lines, name, claim)} for name in two(claim)}
        both = sorted(set(values[claim.better]) & set(values[claim.worse]))
        other = [values[claim.worse][one] for one in both]
        pairs = [
            {place(one): one["printed"] for one in of(lines, name, claim) if one["printed"]} for name in two(claim)
        ]
        theirs = fmean(float(pairs[0][one]) - float(pairs[1][one]) for one in both) if all(pairs) else None
    mine = [values[claim.better][one] for one in both]
    first, second = (mine, other) if claim.sign > 0 else (other, mine)
    return difference(first, second), theirs, len(both)


def of_seeds(lines: Sequence[Mapping[str, str]], claim: Claim) -> Values:
    """Method -> seed -> figure, on the claim's data set."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for factor, metric in zip((1, -1), claim.metric.split(" - "), strict=False):
        for line in lines:
            if (line["dataset"], line["metric"]) == (claim.dataset, metric):
                mine = found.setdefault(line["method"], {})
                mine[line["seed"],] = mine.get((line["seed"],), 0.0) + factor * float(line["value"])
    return found


def of_paper(claim: Claim) -> float | None:
    """The printed difference on the same data; None where the paper has none."""
    key = ("gan-augmentation-2020", "I", claim.dataset, "", "")
    pair = [printed().get((*key, name, claim.metric)) for name in two(claim)]
    return None if pair[0] is None or pair[1] is None else pair[0] - pair[1]


def two(claim: Claim) -> tuple[str, str]:
    """Both methods."""
    return claim.better, claim.worse


def of(lines: Sequence[Mapping[str, str]], method: str, claim: Claim) -> list[Mapping[str, str]]:
    """The lines of a method's figure that were measured."""
    return [line for line in lines if (line["method"], line["metric"]) == (method, claim.metric) and line["mean"]]


def place(line: Mapping[str, str]) -> tuple[str, ...]:
    """The row of a table."""
    return line["dataset"], line["known"], line["unknown"]


def read(name: str) -> list[dict[str, str]]:
    """The lines of a file of results."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


KEY = ("paper", "table", "dataset", "known", "unknown", "method", "metric")
TABLES = {
    "vtgan-2021/1": (VT, f"{VT}-part", *VT_ALL), "mcgan-2021/1": (MC1, MC1_ALL),
    "mcgan-2021/2": (MC2, MC2_ALL),
    "gan-augmentation-2020/I": (FILLED,), **{f"splitting-gan-2017/{n}": () for n in (1, 2, 3)},
}  # fmt: skip


def cells() -> tuple[list[str], list[list[str]]]:
    """Of each table: its printed cells, those measured here on all of the paper's images, and on a part of them."""
    body = []
    for table, names in TABLES.items():
        every = {key for key in printed() if "/".join(key[:2]) == table}
        found = {
            name: {tuple(line[one] for one in KEY) for line in read(name) if line["mean"]} & every for name in names
        }
        mine = set[tuple[str, ...]]().union(*found.values())
        whole = {key for name, keys in found.items() for key in keys if name in ALL or key[2] in WHOLE}
        body.append([table, str(len(every)), str(len(whole)), str(len(mine - whole))])
    return ["table", "printed cells", "on the paper's data", "on a part of it (mnist-5k)"], body


SAMPLING = """## Sampling error beside the seeds' spread

Seeds share the test images, so their spread does not hold the error that other test images would bring. That of an AUC
is Hanley and McNeil's (1982), that of an accuracy the binomial one. Means over the methods and rows of a file:"""
TESTS = {"mnist": 150, "fashion-mnist": 1000}  # test images of a class


def spreads() -> Iterator[list[str] | list[list[str]]]:
    """Of each table and data set: the mean deviation over seeds, and the mean sampling error of one seed."""
    yield ["table", "data", "test images of a class", "deviation over seeds", "sampling error"]
    body = []
    for name in (VT, MC1, MC2):
        for data, n in TESTS.items():
            mine = [line for line in read(name) if line["dataset"] == data and line["sd"]]
            mine = [line for line in mine if line["metric"] in ("auc", "unknown_vs_known", "known_vs_known")]
            error = [sampling(float(line["mean"]), n, line["metric"]) for line in mine]
            spread = fmean(float(line["sd"]) for line in mine)
            body.append([name.removesuffix("-small"), data, str(n), f"{spread:.3f}", f"{fmean(error):.3f}"])
    yield body


def sampling(value: float, n: int, metric: str) -> float:
    """The standard error of an AUC of n against n images, or of an accuracy over two or three classes of n."""
    if metric != "auc":
        return math.sqrt(value * (1 - value) / ((3 if metric == "unknown_vs_known" else 2) * n))
    first, second = value / (2 - value), 2 * value**2 / (1 + value)
    return math.sqrt((value * (1 - value) + (n - 1) * (first + second - 2 * value**2)) / n**2)


if __name__ == "__main__":
    main()
