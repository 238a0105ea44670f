"""The printed figures, and the trainings behind the cells of each table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lookalike.detect.baselines import BASELINES
from lookalike.methods import METHODS
from lookalike.runs.settings import train_settings
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.tables import DETECTORS, TABLES
from lookalike.studies.tables.detectors import Row, single
from lookalike.studies.tables.lines import scales
from lookalike.studies.tables.table import printed

PUBLISHED = Path(__file__).parents[4] / "shared" / "published" / "figures.csv"
CELLS = [
    (table, row, name, figure)
    for table in DETECTORS
    for row in table.rows
    for name in table.methods
    for figure in table.figures
    if figure not in ("unknown_vs_known_auc", "known_vs_known_all", "known_vs_known_held_out")  # ours
]


def key(table, row, name, figure):
    """What `printed` calls the cell."""
    return *table.name.split("/"), row.dataset, ",".join(row.known), row.unknown, name, figure


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the papers' figures do not lie beside this checkout")
def test_the_printed_figures_are_the_published_ones():
    """Every figure of both papers is there, once, with its value."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["paper"] in ("mcgan-2021", "vtgan-2021")]
    names = ("paper", "table", "dataset", "known", "unknown", "method", "metric")
    published = {tuple(row[name] for name in names): float(row["value"]) for row in rows}
    assert len(published) == len(rows) == 100
    assert {there: value for there, value in printed().items() if there[0] in ("mcgan-2021", "vtgan-2021")} == published


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (("vtgan-2021", "1", "mnist", "3", "8", "oc-svm", "auc"), 0.63),
        (("vtgan-2021", "1", "fashion-mnist", "Coat", "Pullover", "vtgan", "auc"), 0.70),
        (("mcgan-2021", "1", "fashion-mnist", "Pullover", "Coat", "dcgan", "auc"), 0.32),
        (("mcgan-2021", "2", "mnist", "3,8", "9", "mcgan", "known_vs_known"), 0.64),
    ],
)
def test_printed_figures_by_hand(cell, value):
    """Figures copied from the papers' pages stand under their table, row, method and metric."""
    assert printed()[cell] == value


def test_every_cell_of_the_tables_was_printed_and_every_printed_figure_has_its_cell():
    """Rows, methods and metrics of the protocols are exactly those of the papers: none missing, none misnamed."""
    ours = [key(*cell) for cell in CELLS]
    assert len(ours) == len(set(ours)) == 100
    assert set(ours) == {
        there for there in printed() if there[:2] in {tuple(table.name.split("/")) for table in DETECTORS}
    }


def test_the_tables_have_their_names_and_our_methods():
    """A table is found by PAPER/TABLE, and each of its methods is one that this version has."""
    assert [table.name for table in DETECTORS] == ["vtgan-2021/1", "mcgan-2021/1", "mcgan-2021/2"]
    assert all(table.name == name for name, table in TABLES.items())
    for table in DETECTORS:
        assert set(table.methods.values()) <= {*METHODS, *BASELINES}
        assert {claim.figure for claim in table.claims} <= set(table.figures)
        assert set(table.extras) <= set(table.method_names)
        assert {method for claim in table.claims for method in (claim.better, claim.worse)} <= set(table.methods)


@pytest.mark.parametrize(("table", "row", "name", "_figure"), CELLS)
def test_only_mcgan_learns_from_another_class_and_never_is_a_class_both(table, row, name, _figure):
    """Each training knows one known class of its row, and all of its row's classes are scored."""
    base = DetectorTrial("there", table.methods[name], 7, preset="paper")
    for one in table.trials(row, base):
        assert (one.data, one.method, one.seed, one.preset, one.settings) == ("there", base.method, 7, "paper", ())
        assert len(one.known) == 1 and set(one.known) <= set(row.known)
        assert bool(one.extra_fakes) == (name == "mcgan")
        assert set(one.scored) == {*row.known, row.unknown}
        assert not set(one.known) & set(one.extra_fakes)


def test_one_training_by_hand():
    """The trainings of one known class against its look-alike; mcgan's learns from the look-alike."""
    row, plain = Row("mnist", ("3",), "8"), DetectorTrial("mnist-5k", "vtgan", 1)
    against = plain.but(method="mcgan")
    assert str(row) == "3/8"
    assert single(row, plain) == (plain.but(known=("3",), scored=("3", "8")),)
    assert single(row, against) == (against.but(known=("3",), extra_fakes=("8",), scored=("3", "8")),)


def test_the_papers_dcgan_and_anogan_are_one_training(tmp_path):
    """DCGAN of mcgan-2021, in both tables, and AnoGAN of vtgan-2021 have one folder where class and seed are one."""

    def folders(name, row, method):
        table = TABLES[name]
        (row,) = (there for there in table.rows if str(there) == row)
        base = DetectorTrial("mnist-5k", table.methods[method], 2)
        return [one.folder(tmp_path) for one in table.trials(row, base)]

    ours = folders("vtgan-2021/1", "3/8", "anogan")
    assert folders("mcgan-2021/1", "3/8", "dcgan") == ours
    assert folders("mcgan-2021/2", "3,8/9", "dcgan")[0] == ours[0]
    assert folders("vtgan-2021/1", "3/8", "vtgan") != ours
    assert folders("mcgan-2021/1", "3/8", "mcgan") != ours


def test_a_table_says_how_large_its_trainings_are():
    """Side, width and images shown of each GAN, of each class where one GAN learns all; baselines have none."""
    small = {name: DetectorTrial("d", name, 0, known=("a",)).train_settings() for name in ("anogan", "knn", "vtgan")}
    assert scales(small) == ["- anogan, vtgan: 32 x 32 pixels, width 8, 30,000 images shown."]
    own = train_settings(known=("a",), method="sn-projection", preset="paper", size="48,32", images=640)
    several = train_settings(known=("a", "b"), method="sn-projection")
    assert scales({"own": own, "several": several}) == [
        "- own: 48 x 32 pixels, width 128, 640 images shown.",
        "- several: 32 x 32 pixels, width 16, 15,000 images of each class shown.",
    ]
