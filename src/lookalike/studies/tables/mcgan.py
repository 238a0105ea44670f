"""Tables 1 and 2 of mcgan-2021: one known class against another, and two known classes with an unknown third."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.base.arrays import Floats
from lookalike.base.seeds import seed_of
from lookalike.detect.auc import area
from lookalike.methods import METHODS as GANS
from lookalike.studies.claims import Claim
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.tables.detectors import DetectorTable, Row, Scores, single
from lookalike.studies.tables.vtgan import one_auc

PAIRS = (
    ("mnist", "8", "3"),
    ("mnist", "9", "4"),
    ("fashion-mnist", "Ankle boot", "Sandal"),
    ("fashion-mnist", "Coat", "Shirt"),
    ("fashion-mnist", "Coat", "Pullover"),
)
TRIPLES = (
    ("mnist", "3", "8", "9"),
    ("mnist", "9", "4", "8"),
    ("fashion-mnist", "Sandal", "Ankle boot", "Bag"),
    ("fashion-mnist", "Coat", "Shirt", "Pullover"),
    ("fashion-mnist", "Coat", "Pullover", "Dress"),
)

METHODS = {"dcgan": "anogan", "mcgan": "mcgan"}
ALLOWED = 0.05  # share of a GAN's held-out images that are above its threshold of step 2


def each_against_the_other(row: Row, base: DetectorTrial) -> tuple[DetectorTrial, ...]:
    """One training per known class; mcgan's D learns the other known class as fake, never the unknown one.

    Methods that the paper does not have train once on both known classes, as `lookalike train` does.
    """
    first, second = row.known
    base = base.but(scored=(first, second, row.unknown))
    if base.method not in METHODS.values():
        return (base.but(known=row.known),)
    needs_others = base.method in GANS and GANS[base.method].needs_others
    return tuple(
        base.but(known=(own,), extra_fakes=(other,) if needs_others else ())
        for own, other in ((first, second), (second, first))
    )


def two_steps(row: Row, scores: Sequence[Scores]) -> dict[str, float]:
    """The paper's two steps with the choices it needs the test labels for, on as many test images of each class.

    Step 1: s(x) = V_1(x) + V_2(x); as many images are called unknown as there are. Step 2: the GAN with the higher
    Table 1 AUC decides; as many images are called its class as the other. `known_vs_known` counts the known images
    that passed step 1, `..._all` every known one; both thresholds and the choice of the GAN look at test labels. With
    `..._held_out` the threshold of step 2 does not: it is a quantile of the GAN's held-out images.
    One training on both classes has a score and a class of its own; its threshold of step 1 alone looks at test labels.
    """
    scores = cut(row, scores)
    if len(scores) == 1:
        return _joined(row, scores[0])
    first, second = row.known
    sums = {name: scores[0][name].score + scores[1][name].score for name in (first, second, row.unknown)}
    known = np.concatenate([sums[first], sums[second]])
    limit = _limit(known, sums[row.unknown])
    right = int((known <= limit).sum() + (sums[row.unknown] > limit).sum())
    own, other, found = max(
        ((first, second, scores[0]), (second, first, scores[1])),
        key=lambda one: area(one[2][one[0]].score, one[2][one[1]].score),
    )
    passed = {name: found[name].score[sums[name] <= limit] for name in (own, other)}
    accepted = {name: (found[name].p_value > ALLOWED)[sums[name] <= limit] for name in (own, other)}
    return {
        "unknown_vs_known": right / (len(known) + len(sums[row.unknown])),
        "known_vs_known": _halves(passed[own], passed[other]),
        "known_vs_known_held_out": float(np.concatenate([accepted[own], ~accepted[other]]).mean()),
        "unknown_vs_known_auc": area(known, sums[row.unknown]),
        "known_vs_known_all": _halves(found[own].score, found[other].score),
    }


def _joined(row: Row, said: Scores) -> dict[str, float]:
    """The two steps of one detector of both classes."""
    known = np.concatenate([said[name].score for name in row.known])
    named = np.concatenate([said[name].label == k for k, name in enumerate(row.known)])
    unknown = said[row.unknown].score
    passed = known <= (limit := _limit(known, unknown))
    return {
        "unknown_vs_known": float((passed.sum() + (unknown > limit).sum()) / (len(known) + len(unknown))),
        **dict.fromkeys(("known_vs_known", "known_vs_known_held_out"), float(named[passed].mean())),
        "unknown_vs_known_auc": area(known, unknown),
        "known_vs_known_all": float(named.mean()),
    }


def everything_known(row: Row, scores: Sequence[Scores]) -> dict[str, float]:
    """Step 1 of an answer that calls every image known: the share of known ones."""
    (said, *_) = cut(row, scores)
    known, unknown = (sum(len(said[name].score) for name in names) for names in (row.known, (row.unknown,)))
    return {"unknown_vs_known": known / (known + unknown)}


def cut(row: Row, scores: Sequence[Scores]) -> list[Scores]:
    """The same scores of as many images of each class as the smallest test set has, drawn at random (section 4)."""
    sizes = {name: len(scores[0][name].score) for name in (*row.known, row.unknown)}
    orders = {
        name: np.random.default_rng(seed_of("test images", str(row), name)).permutation(size)
        for name, size in sizes.items()
    }
    drawn = {name: np.sort(order[: min(sizes.values())]) for name, order in orders.items()}
    return [{name: one[name].of(rows) for name, rows in drawn.items()} for one in scores]


def _limit(known: Floats, unknown: Floats) -> float:
    """The score above which as many images lie as are unknown."""
    return float(np.sort(np.concatenate([known, unknown]))[len(known) - 1])


def _halves(own: Floats, other: Floats) -> float:
    """Accuracy where as many images are called `own` as there are; nan without images."""
    if not len(own) + len(other):
        return float("nan")
    limit = np.sort(np.concatenate([own, other]))[len(own) - 1] if len(own) else -np.inf
    return float(((own <= limit).sum() + (other > limit).sum()) / (len(own) + len(other)))


TABLE_1 = DetectorTable(
    name="mcgan-2021/1",
    summary=(
        "A GAN is trained on one class, mcgan's also against training images of the other class of the row; "
        "the AUC is of their test images."
    ),
    rows=tuple(Row(dataset, (known,), unknown) for dataset, a, b in PAIRS for known, unknown in ((a, b), (b, a))),
    methods=METHODS,
    figures=("auc",),
    trials=single,
    measure=one_auc,
    claims=(Claim("mcgan", "dcgan", "auc"),),
)
TABLE_2 = DetectorTable(
    name="mcgan-2021/2",
    summary=(
        "A detector per known class. Step 1 finds the unknown third class by the sum of both scores; step 2 says which "
        "known class by the better detector. Ours train on both classes and join them by held-out known images. The "
        "thresholds of unknown_vs_known, known_vs_known and known_vs_known_all are oracles: they fit the shares of the "
        "test images, since the paper does not say more. In known_vs_known_held_out that of step 2 is the 95 % "
        "quantile of the better detector's held-out images; the AUC of step 1 needs none. Which detector is better is "
        "read from test images, as in the paper. Test sets are cut at random to the size of the smallest, as in the "
        "paper."
    ),
    rows=tuple(Row(dataset, (a, b), unknown) for dataset, a, b, unknown in TRIPLES),
    methods=METHODS,
    figures=(
        "unknown_vs_known",
        "known_vs_known",
        "known_vs_known_held_out",
        "unknown_vs_known_auc",
        "known_vs_known_all",
    ),
    trials=each_against_the_other,
    measure=two_steps,
    extras=("knn", "cnn-knn", "auto"),
    claims=tuple(
        Claim("mcgan", "dcgan", figure) for figure in ("unknown_vs_known", "known_vs_known", "known_vs_known_held_out")
    ),
    constants={"everything is known": everything_known},
)
