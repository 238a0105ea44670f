"""A table from trainings to its two files: figures by hand, failures, stops, and the command line."""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
from dataclasses import replace

import numpy as np
import pytest
from clean_failure import assert_clean_failure
from official import CLASSES, TEST, official
from sklearn.metrics import roc_auc_score
from tiny import call

from lookalike.base.errors import DataError, OutputError, UsageError
from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.studies import claims
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.study import Study
from lookalike.studies.tables import DETECTORS, TABLES, mcgan
from lookalike.studies.tables import lines as table_lines
from lookalike.studies.tables.detectors import DetectorTable, measured_on
from lookalike.studies.tables.table import Found, run

COLUMNS = [
    *("paper", "table", "dataset", "known", "unknown", "method", "metric"),
    *("printed", "mean", "sd", "seeds", "seconds", "command"),
]
VTGAN, TWO_STEPS = TABLES["vtgan-2021/1"], TABLES["mcgan-2021/2"]


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """The folder of a data set with an official test part."""
    return str(official(tmp_path_factory.mktemp("data") / "four"))


def made(table, four, folder, **changes):
    """The lines of a table over the small data set, with its files in `folder`/out."""
    how = {"seeds": 2, "methods": ["pca"], "command": "the command", "runs": folder / "runs"} | changes
    rows, data = how.pop("rows", ["3/8"]), {"mnist": four, "fashion-mnist": "nowhere"}
    return run(replace(table, data=data), Study(**how), folder / "out", rows)


def stored(folder, name="vtgan-2021-1-small-part"):
    """The lines of the CSV file as texts."""
    with (folder / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(folder, name="vtgan-2021-1-small-part"):
    """The Markdown file."""
    return (folder / "out" / f"{name}.md").read_text("utf-8")


def without_clock(lines):
    """All but what the clock says."""
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def by_scikit_learn(four, folder, known, unknown, method, seed):
    """AUC of the stored model on the official test images."""
    one = DetectorTrial(four, method, seed, known=(known,))
    images, model = read(four, size=(32, 32)), Model.load(one.folder(folder / "runs"))
    scores = [model.score(images.select(images.test).of(name)).score for name in (known, unknown)]
    return roc_auc_score([0] * TEST + [1] * TEST, np.concatenate(scores))


# --- figures


def test_each_cell_is_the_mean_and_deviation_over_seeds(four, tmp_path):
    """Means and deviations are scikit-learn's AUCs of the stored models; printed figures stand beside, as floats."""
    lines = made(VTGAN, four, tmp_path, rows=["3/8", "8/3"], methods=["oc-svm", "pca"], seeds=3)
    assert [(line["known"], line["unknown"], line["method"]) for line in lines] == [
        ("3", "8", "oc-svm"), ("3", "8", "pca"), ("8", "3", "oc-svm"), ("8", "3", "pca"),
    ]  # fmt: skip
    for line in lines:
        ours = {"oc-svm": "ocsvm-pca", "pca": "pca"}[line["method"]]
        found = [by_scikit_learn(four, tmp_path, line["known"], line["unknown"], ours, seed) for seed in range(3)]
        assert line["mean"] == pytest.approx(statistics.mean(found))
        assert line["sd"] == pytest.approx(statistics.stdev(found)) and line["sd"] > 0
        assert (line["seeds"], line["command"], line["metric"]) == (3, "the command", "auc")
        assert line["seconds"] > 0
    assert [line["printed"] for line in lines] == [0.63, None, 0.59, None]


def test_two_trainings_make_a_cell_of_table_2(four, tmp_path, monkeypatch):
    """The sum of both detectors' scores tells the unknown class; seconds are those of both trainings."""
    monkeypatch.setattr(mcgan, "METHODS", {"dcgan": "pca"})  # a quick one in place of the paper's
    lines = made(TWO_STEPS, four, tmp_path, rows=["3,8/9"], seeds=1)
    *lines, all_known = lines
    figures = {line["metric"]: line["mean"] for line in lines}
    assert list(figures) == list(TWO_STEPS.figures)
    assert (all_known["method"], all_known["metric"]) == ("everything is known", "unknown_vs_known")
    assert all_known["mean"] == pytest.approx(2 / 3) and all_known["seconds"] is None and all_known["seeds"] == 1
    assert "| everything is known | unknown_vs_known |  | 0.667 |" in page(tmp_path, "mcgan-2021-2-small-part")
    images = read(four, size=(32, 32))
    tests = images.select(images.test)
    both = [DetectorTrial(four, "pca", 0, known=(name,), scored=("3", "8", "9")) for name in ("3", "8")]
    score = sum(Model.load(one.folder(tmp_path / "runs")).score(tests).score for one in both)
    assert figures["unknown_vs_known_auc"] == pytest.approx(roc_auc_score(tests.labels == 2, score))
    called = score > np.sort(score)[2 * TEST - 1]
    assert figures["unknown_vs_known"] == pytest.approx((called == (tests.labels == 2)).mean())
    assert {line["seconds"] for line in lines} == {sum(one.cost(tmp_path / "runs") for one in both)}
    assert {line["sd"] for line in lines} == {None}


def test_the_csv_has_these_columns_and_these_digits(four, tmp_path):
    """Thirteen columns; figures have four digits, seconds one, printed its own; what is missing is empty."""
    lines = made(VTGAN, four, tmp_path, methods=["oc-svm", "pca"])
    text = (tmp_path / "out" / "vtgan-2021-1-small-part.csv").read_text("utf-8")
    assert text.splitlines()[0].split(",") == COLUMNS == list(table_lines.COLUMNS)
    first, second = stored(tmp_path)
    fixed = {"paper": "vtgan-2021", "table": "1", "dataset": "mnist", "known": "3", "unknown": "8", "metric": "auc"}
    for line, there in zip(lines, (first, second), strict=True):
        assert there == {
            **fixed, "method": line["method"], "printed": {"oc-svm": "0.63"}.get(line["method"], ""),
            "mean": f"{line['mean']:.4f}", "sd": f"{line['sd']:.4f}", "seeds": "2",
            "seconds": f"{line['seconds']:.1f}", "command": "the command",
        }  # fmt: skip


def test_some_rows_or_methods_never_overwrite_the_whole_table(four, tmp_path, monkeypatch):
    """All rows with all methods have the table's name; of a choice, even the same one, -part is written beside it."""
    for name, what in {"_refuse_other_data": None, "page": "", "lines": []}.items():
        monkeypatch.setattr(DetectorTable, name, lambda *_, what=what: what)
    monkeypatch.setattr(Study, "perform", lambda *_: {})
    monkeypatch.setattr(DetectorTrial, "is_done", lambda *_: True)
    made(VTGAN, four, tmp_path, rows=[], methods=[])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"vtgan-2021-1-small.{s}" for s in ("csv", "md")}
    whole = (tmp_path / "out" / "vtgan-2021-1-small.csv").read_bytes()
    made(VTGAN, four, tmp_path, rows=["3/8"], methods=[])
    made(VTGAN, four, tmp_path, rows=[], methods=["pca"])
    assert (tmp_path / "out" / "vtgan-2021-1-small.csv").read_bytes() == whole
    assert (tmp_path / "out" / "vtgan-2021-1-small-part.md").exists()


def test_a_figure_that_is_not_defined_does_not_count(four, tmp_path):
    """A cell whose figure is nan with one seed has the other seed's figure alone; with both it has none."""
    seen = []

    def measure(row, scores):
        seen.append(scores)
        return {"auc": 0.25 if len(seen) == 1 else math.nan}

    lines = made(replace(VTGAN, measure=measure), four, tmp_path)
    assert [(line["mean"], line["sd"], line["seeds"]) for line in lines] == [(0.25, None, 1)]
    (line,) = made(replace(VTGAN, measure=lambda *_: {"auc": math.nan}), four, tmp_path)
    assert (line["mean"], line["sd"], line["seeds"], line["seconds"]) == (None, None, 0, None)
    assert "not measured" in page(tmp_path)


# --- the page


def test_the_page_over_rows_claims_and_cells(four, tmp_path):
    """Means over rows, rows above the printed vtgan, the paper's claims and every cell are those of the lines."""
    lines = made(VTGAN, four, tmp_path, rows=["3/8", "8/3"], methods=["oc-svm", "pca", "knn"])
    text, means = page(tmp_path), {}
    for line in lines:
        means.setdefault(line["method"], []).append(line["mean"])
        printed = "" if line["printed"] is None else f"{line['printed']:.2f}"
        assert (
            f"| mnist | {line['known']} | {line['unknown']} | {line['method']} | auc | {printed} | "
            f"{line['mean']:.3f} ± {line['sd']:.3f} | 2 | {line['seconds']:.0f} |"
        ) in text
    theirs = {"oc-svm": "0.610", "pca": "", "knn": ""}
    for method, (three, eight) in means.items():
        above = (three > 0.90) + (eight > 0.92)  # what the paper printed for vtgan
        start = f"| {method} | auc | {theirs[method]} | {(three + eight) / 2:.3f} | {above} of 2 |"
        assert start in text
    assert "| rows above the printed vtgan |" in text
    assert "The paper's claims" not in text  # of vtgan above others, which did not run


def test_the_claims_of_the_paper_are_judged_on_the_page(four, tmp_path, monkeypatch):
    """A claim whose methods ran stands there with its verdict over rows and seeds; others are left out."""
    table = replace(VTGAN, methods={"vtgan": "knn", "anogan": "pca", "noisegan": "lof"})
    made(table, four, tmp_path, rows=["3/8", "8/3"], methods=["vtgan", "anogan"])
    pairs = [
        by_scikit_learn(four, tmp_path, known, unknown, "knn", seed)
        - by_scikit_learn(four, tmp_path, known, unknown, "pca", seed)
        for known, unknown in (("3", "8"), ("8", "3"))
        for seed in (0, 1)
    ]
    (said,) = re.findall(r"^- (.*)$", page(tmp_path), re.MULTILINE)
    assert said.startswith("vtgan above anogan (auc): holds in ")
    assert f"in {sum(pair > 0 for pair in pairs)} of 4 pairs" in said
    assert f"mean difference {statistics.mean(pairs):+.3f} [" in said


def test_the_page_says_where_a_data_set_is_a_part_of_the_papers(four, tmp_path):
    """mnist-5k is said to be a part; a folder of the user's is named, escaped, and not judged."""
    made(VTGAN, four, tmp_path)
    assert "mnist is measured on four." in page(tmp_path)
    assert "not on all" not in page(tmp_path)
    assert measured_on("mnist", "mnist-5k") == "mnist is measured on mnist-5k, not on all of the paper's images."
    assert measured_on("mnist", "a\x1b[31m/b\x1b[31m") == "mnist is measured on b\\x1b[31m."


# --- which trainings


@pytest.mark.parametrize("name", [table.name for table in DETECTORS])
def test_by_default_all_rows_all_methods_and_ours(name, tmp_path):
    """Every row with every method of the paper and the table's extras, for each seed; nothing measured is empty."""
    table, study = TABLES[name], Study(tmp_path / "r", preset="paper", seeds=2, command="c")
    groups = table.groups(study, table.row_names, required=False)
    wanted = [one for cell in groups[""] for one in cell.trials]
    found = Found(study, groups, {"": {}})
    lines = table.lines(found)
    names = [*table.methods, *table.extras]
    # table 2: the paper's methods train on each known class, ours once on both
    trainings = sum(len(table.rows[0].known) if method in table.methods else 1 for method in names)
    assert len(wanted) == len(table.rows) * 2 * trainings
    assert {(one.seed, one.preset) for one in wanted} == {(0, "paper"), (1, "paper")}
    assert {one.data for one in wanted} == {"mnist-5k", "fashion-mnist"}
    assert len(lines) == len(table.rows) * len(names) * len(table.figures)
    assert [line["method"] for line in lines[:: len(table.figures)]][: len(names)] == names
    assert {(line["mean"], line["sd"], line["seeds"], line["seconds"]) for line in lines} == {(None, None, 0, None)}
    text = table.page(found, lines)
    assert text.count("not measured") == len(lines)
    assert "mnist is measured on mnist-5k, not on all of the paper's images." in text
    assert f"| {names[0]} | {table.figures[0]} |" in text and f"| 0 of {len(table.rows)} rows |" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": ["3/8", "3/9"]}, r"table vtgan-2021/1 has no row 3/9; there are 3/8, 8/3, 7/9, "),
        ({"methods": ["dcgan"]}, r"table vtgan-2021/1 has no method dcgan; there are oc-svm, isolation-forest, anogan"),
    ],
)
def test_rows_and_methods_that_are_not_there(changes, words, four, tmp_path):
    """They are refused with what there is, before anything is trained or written."""
    with pytest.raises(UsageError, match=words):
        made(VTGAN, four, tmp_path, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [False, True])
def test_data_without_a_class_of_the_table_are_refused(command, four, tmp_path, monkeypatch, capsys):
    """Before anything is trained or written: the message names the data, the class and what to give."""
    words = ("has no class 7, so it is not mnist; give the folder of mnist's four IDX files, or mnist-5k",)
    if command:
        monkeypatch.chdir(tmp_path)
        argv = ["table", "vtgan-2021/1", "--rows", "7/9", "--mnist", four]
        assert_clean_failure(capsys, argv, 3, four, *words, kept=tmp_path)
    else:
        with pytest.raises(DataError, match=words[0]):
            made(VTGAN, four, tmp_path, rows=["3/8", "7/9"])
    assert not list(tmp_path.iterdir())


def test_data_that_are_not_there_are_refused(tmp_path, monkeypatch, capsys):
    """--mnist with a name that is nothing ends with exit 3 and one line, as in `train`; nothing is written."""
    monkeypatch.chdir(tmp_path)
    argv = ["table", "vtgan-2021/1", "--rows", "3/8", "--mnist", "nonsense"]
    assert_clean_failure(capsys, argv, 3, "cannot open 'nonsense'", "mnist-5k", kept=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_is_refused_before_the_hours(four, tmp_path):
    """Where `out` is a file, nothing is trained."""
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="a file is in the way"):
        made(VTGAN, four, tmp_path)
    assert not (tmp_path / "runs").exists()


# --- failures and stops


def test_a_failing_training_leaves_its_cell_empty_and_the_others_whole(four, tmp_path):
    """It is warned of in one line; the cell has the seeds that remain, or none, and all other lines are the same."""
    rows, said = ["3/8", "8/3"], []
    whole = made(VTGAN, four, tmp_path / "whole", rows=rows)
    broken = tmp_path / "broken" / "runs"
    for one in (
        DetectorTrial(four, "pca", 0, known=("3",)),
        DetectorTrial(four, "pca", 1, known=("3",)),
        DetectorTrial(four, "pca", 1, known=("8",)),
    ):
        one.folder(broken).mkdir(parents=True)
        (one.folder(broken) / "mine.txt").write_text("mine")
    first, second = made(VTGAN, four, tmp_path / "broken", rows=rows, warn=said.append)
    assert said.pop() == "pca is compared with nothing: 3 of 4 cells are missing; the same command tries them again"
    assert {line.split(":")[0] for line in said} == {f"pca on {c}" for c in ("3, seed 0", "3, seed 1", "8, seed 1")}
    assert len(said) == 3
    assert all("holds other files (mine.txt)" in line and "\n" not in line for line in said)
    assert (first["mean"], first["sd"], first["seeds"], first["seconds"]) == (None, None, 0, None)
    one = by_scikit_learn(four, tmp_path / "broken", "8", "3", "pca", 0)
    assert (second["mean"], second["sd"], second["seeds"]) == (pytest.approx(one), None, 1)
    assert one == by_scikit_learn(four, tmp_path / "whole", "8", "3", "pca", 0) != whole[1]["mean"]
    assert [line["mean"] for line in stored(tmp_path / "broken")] == ["", f"{one:.4f}"]
    assert "| mnist | 3 | 8 | pca | auc |  | not measured | 0 |  |" in page(tmp_path / "broken")
    assert "| pca | auc |  | 1 of 2 rows |" in page(tmp_path / "broken")


def test_a_method_that_lacks_a_seed_is_compared_with_nothing(four, tmp_path, monkeypatch):
    """Over the rows it has no mean, and no claim about it is judged: the seeds that remain may be the easy ones."""
    claimed = replace(VTGAN, claims=(claims.Claim("pca", "knn", "auc"),))
    one = DetectorTrial(four, "pca", 1, known=("3",))
    one.folder(tmp_path / "runs").mkdir(parents=True)
    (one.folder(tmp_path / "runs") / "mine.txt").write_text("mine")
    made(claimed, four, tmp_path, methods=["pca", "knn"])
    shown = page(tmp_path, "vtgan-2021-1-small-part")
    assert "- pca: not compared, 1 of 2 cells is missing" in shown and "pca above knn" not in shown
    assert "| pca | auc |  | 1 of 2 cells is missing |  |" in shown
    (one.folder(tmp_path / "runs") / "mine.txt").unlink()
    made(claimed, four, tmp_path, methods=["pca", "knn"])
    assert "- pca above knn (auc): holds in" in page(tmp_path, "vtgan-2021-1-small-part")


def test_where_every_training_failed_there_is_no_table(four, tmp_path):
    """Each is warned of, then an error ends it and no file is written; a cell that was measured before is enough."""
    said, runs = [], tmp_path / "runs"
    for seed in (0, 1):
        folder = DetectorTrial(four, "pca", seed, known=("3",)).folder(runs)
        folder.mkdir(parents=True)
        (folder / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="no cell of the table could be measured; the warnings above say why"):
        made(VTGAN, four, tmp_path, warn=said.append)
    assert sorted(line.split(":")[0] for line in said) == ["pca on 3, seed 0", "pca on 3, seed 1"]
    assert not list((tmp_path / "out").iterdir())
    DetectorTrial(four, "pca", 2, known=("3",), scored=("3", "8")).perform(runs)
    (line,) = made(VTGAN, four, tmp_path, seeds=3)
    assert line["seeds"] == 1 and stored(tmp_path)


def test_stopped_and_resumed_it_is_the_same_table(four, tmp_path, monkeypatch):
    """Stopped in its third training it leaves no table; the same call trains only the rest and ends in one table."""
    rows, begun = ["3/8", "8/3"], []
    whole = made(VTGAN, four, tmp_path / "whole", rows=rows)

    honest = DetectorTrial.perform

    def counted(one, runs, command):
        begun.append((one.known, one.seed))
        if len(begun) == 3:
            raise KeyboardInterrupt
        honest(one, runs, command)

    monkeypatch.setattr(DetectorTrial, "perform", counted)
    with pytest.raises(KeyboardInterrupt):
        made(VTGAN, four, tmp_path / "cut", rows=rows)
    assert not list((tmp_path / "cut" / "out").iterdir())
    again = made(VTGAN, four, tmp_path / "cut", rows=rows)
    order = [(("3",), 0), (("8",), 0), (("3",), 1), (("8",), 1)]
    assert begun == [*order[:3], *order[2:]]
    assert without_clock(again) == without_clock(whole)
    assert without_clock(stored(tmp_path / "cut")) == without_clock(stored(tmp_path / "whole"))
    assert made(VTGAN, four, tmp_path / "cut", rows=rows) == again and len(begun) == 5


# --- the command


def test_the_command_writes_prints_and_finds_it_done(four, tmp_path, monkeypatch, capsys):
    """Files, JSON and text hold the same figures, and the second call trains nothing."""
    monkeypatch.chdir(tmp_path)
    argv = ["table", "mcgan-2021/1", "--seeds", "1", "--rows", "8/3", "--methods", "pca", "--methods", "knn"]
    argv += ["--mnist", four]
    code, said, err = call(capsys, *argv, "--workers", "1", "--json")
    assert code == 0 and "warning" not in err
    lines = json.loads(said)
    line = "lookalike table mcgan-2021/1 --preset small --seeds 1 --rows 8/3 --methods pca --methods knn --mnist "
    line += four
    assert [(row["method"], row["seeds"], row["printed"], row["command"]) for row in lines] == [
        ("pca", 1, None, line), ("knn", 1, None, line),
    ]  # fmt: skip
    assert list(lines[0]) == COLUMNS
    folder = tmp_path / "runs" / "tables"
    assert {path.name for path in folder.iterdir()} == {f"mcgan-2021-1-small-part.{suffix}" for suffix in ("csv", "md")}
    before = {path: path.read_bytes() for path in folder.iterdir()}
    one = DetectorTrial(four, "knn", 0, known=("8",), scored=("8", "3"))
    scores = [one.scores(tmp_path / "runs" / "trainings", name).score for name in ("8", "3")]
    assert lines[1]["mean"] == pytest.approx(roc_auc_score([0] * TEST + [1] * TEST, np.concatenate(scores)))
    monkeypatch.setattr(DetectorTrial, "perform", lambda *_: pytest.fail("done again"))
    code, said, _ = call(capsys, *argv)
    assert code == 0 and {path: path.read_bytes() for path in folder.iterdir()} == before
    head, first, second, last = said.splitlines()
    assert head.split() == ["known", "unknown", "method", "figure", "printed", "ours", "seeds", "seconds"]
    assert first.split()[:5] == ["8", "3", "pca", "auc", f"{lines[0]['mean']:.3f}"]
    assert second.split()[:5] == ["8", "3", "knn", "auc", f"{lines[1]['mean']:.3f}"]
    assert last == "table: runs/tables/mcgan-2021-1-small-part.md"


def test_the_command_quotes_what_it_records(four, tmp_path, monkeypatch, capsys):
    """A folder and a row with a space stay one word in the command beside each figure."""
    monkeypatch.chdir(tmp_path)
    data = official(tmp_path / "my mnist")
    argv = ["table", "vtgan-2021/1", "--seeds", "1", "--rows", "3/8", "--methods", "pca", "--mnist", data.name]
    code, said, _ = call(capsys, *argv, "--json")
    (line,) = json.loads(said)
    assert code == 0 and line["seeds"] == 1
    assert line["command"].endswith("--rows 3/8 --methods pca --mnist 'my mnist'")
    config = DetectorTrial(data.name, "pca", 0, known=("3",)).folder(tmp_path / "runs" / "trainings") / "config.json"
    assert json.loads(config.read_text())["command"] == line["command"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["vtgan-2021/2"], ["there is no table vtgan-2021/2; did you mean vtgan-2021/1? take one of vtgan-2021/1, "]),
        (["a\x1b[31m"], ["there is no table a\\x1b[31m"]),
        (["vtgan-2021/1", "--rows", "8/8"], ["has no row 8/8; there are 3/8"]),
        (["mcgan-2021/2", "--methods", "dcgam"], ["has no method dcgam; there are dcgan, mcgan"]),
        (["vtgan-2021/1", "--preset", "large"], ["--preset", "large", "small", "paper"]),
        (["vtgan-2021/1", "--seeds", "0"], ["--seeds", "0"]),
        (["vtgan-2021/1", "--workers", "0"], ["--workers", "0"]),
        ([], ["NAME"]),
    ],
)
def test_what_the_command_refuses(argv, words, tmp_path, monkeypatch, capsys):
    """Exit 2, one line that names what was given and what is accepted, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert_clean_failure(capsys, ["table", *argv], 2, *words, kept=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_small_data_set_is_what_the_tests_say(four):
    """Three classes with an official test part of as many images each."""
    images = read(four)
    assert images.classes == tuple(map(str, CLASSES)) and images.shape == (1, 8, 8)
    assert np.bincount(images.labels[images.test]).tolist() == [TEST] * 3
