"""Table 1 of vtgan-2021: one known class, its look-alike as the unknown, AUC of each method."""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.detect.auc import area
from lookalike.studies.claims import Claim
from lookalike.studies.tables.detectors import DetectorTable, Row, Scores, single

ROWS = tuple(
    Row(dataset, (known,), unknown)
    for dataset, known, unknown in (
        ("mnist", "3", "8"),
        ("mnist", "8", "3"),
        ("mnist", "7", "9"),
        ("mnist", "9", "7"),
        ("fashion-mnist", "Ankle boot", "Sandal"),
        ("fashion-mnist", "Sandal", "Ankle boot"),
        ("fashion-mnist", "Coat", "Shirt"),
        ("fashion-mnist", "Shirt", "Coat"),
        ("fashion-mnist", "Pullover", "Coat"),
        ("fashion-mnist", "Coat", "Pullover"),
    )
)


def one_auc(row: Row, scores: Sequence[Scores]) -> dict[str, float]:
    """AUC of the known class's test images against the unknown's."""
    (said,) = scores
    return {"auc": area(said[row.known[0]].score, said[row.unknown].score)}


TABLE_1 = DetectorTable(
    name="vtgan-2021/1",
    summary="A detector is trained on one class; the AUC is of its test images against those of the look-alike.",
    rows=ROWS,
    methods={
        "oc-svm": "ocsvm-pca",
        "isolation-forest": "iforest-pca",
        "anogan": "anogan",
        "noisegan": "noisegan",
        "deep-svdd": "deepsvdd",
        "vtgan": "vtgan",
    },
    figures=("auc",),
    trials=single,
    measure=one_auc,
    claims=(
        Claim("vtgan", "anogan", "auc"),
        Claim("noisegan", "anogan", "auc"),
        Claim("vtgan", "noisegan", "auc"),
        *(Claim("vtgan", other, "auc") for other in ("oc-svm", "isolation-forest", "deep-svdd")),
    ),
)
