"""The report of real-looking runs: its values, its gaps, and the same bytes again."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from lookalike.base.errors import ModelError, OutputError, UsageError
from lookalike.base.words import percent, points
from lookalike.report import pictures, write
from lookalike.report.pictures import HEAT, residual

MakeRun = Callable[..., Path]
Read = Callable[[str], Any]


@pytest.fixture
def text_of(seen: Read, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The text of the report of some runs; its diagrams, not looked at here, are left empty."""
    monkeypatch.setattr(pictures, "_drawn", lambda *_, **__: Markup("data:image/webp;base64,"))
    return lambda *runs: seen(write(runs, runs[0] / "report.html").read_text("utf-8")).text


def figures_of(run: Path) -> dict:
    """What the run's evaluation recorded."""
    return json.loads((run / "evaluations/8.json").read_text())


def test_figures_are_those_of_the_run(run: Path, page: str, seen: Read) -> None:
    """AUC, rates, threshold, counts and times stand in the page as they stand in the JSON."""
    figures, text = figures_of(run), seen(page).text
    area, alarms, misses = figures["auc"], figures["false_alarms"], figures["misses"]
    assert f"AUC, 95 % interval {area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}]" in text
    assert f"{alarms['count']} of {alarms['of']} known images; allowed 5 %" in text
    assert f"{percent(misses['rate'])} [{points(misses['low'])}, {points(misses['high'])}]" in text
    assert f"Threshold {figures['threshold']:.4g}, set by calibration images" in text
    assert f"{alarms['of']} known, {misses['of']} unknown" in text
    assert "train 41 s, score 2.3 s" in text
    assert "AUC of each part alone R: 0.910, L_D: 0.660, realness: 0.500" in text


def test_headline_is_one_sentence(run: Path, page: str) -> None:
    """The first heading says which classes, how well, and what it costs."""
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading is not None
    area = figures_of(run)["auc"]
    assert heading[1].replace("\N{NO-BREAK SPACE}", " ") == (
        f"3 known, 8 unknown: AUC {area['value']:.2f} [{area['low']:.2f}, {area['high']:.2f}];"
        f" at the threshold {percent(figures_of(run)['false_alarms']['rate'])} false alarms"
        f" and {percent(figures_of(run)['misses']['rate'])} misses"
    )


def test_settings_versions_and_command_are_shown(page: str, seen: Read) -> None:
    """Every open choice, setting, version and the command stand in the page."""
    text = seen(page).text
    for words in (
        "residual sum",
        "lam 0.2",
        "twin_latent 400",
        "search.steps 200",
        "z_dim 100",
        "torch 2.13.0",
        "threads 2",
    ):
        assert words in text
    assert "lookalike train digits --known 3 --method vtgan -o PATH-TO/coat --config=PATH-TO/coat.toml" in text
    assert "120 images of 3 from digits, each 1 × 8 × 8; 30 more set the threshold. Left out because they" in text
    assert "could not be read: 2." in text


def test_gallery_shows_query_nearest_and_their_difference(run: Path, page: str, seen: Read) -> None:
    """Each case holds the query's pixels, the nearest image's, and |q - nearest| in the colours of one scale."""
    shown = seen(page)
    with np.load(run / "evaluations/8.npz") as arrays:
        kinds = [(arrays[f"{kind}_query"], arrays[f"{kind}_nearest"]) for kind in ("misses", "alarms")]
    queries, nearest = (np.concatenate([kind[view] for kind in kinds])[:, 0] for view in (0, 1))
    assert np.array_equal(shown.decoded("image"), queries)
    assert np.array_equal(shown.decoded("nearest image"), nearest)
    maps = [
        HEAT(difference / difference.max(), bytes=True)[..., :3]
        for query, near in kinds
        for difference in [np.abs(query[:, 0].astype(float) - near[:, 0])]
    ]
    assert np.array_equal(shown.decoded("difference"), np.concatenate(maps))


def test_finds_come_first(make_run: MakeRun, seen: Read) -> None:
    """Flagged unknown images stand above the misses; evaluations of earlier versions have none."""
    run = make_run()
    with np.load(run / "evaluations/8.npz") as old:
        arrays = dict(old.items())
    before = seen(write([run], run / "report.html").read_text("utf-8"))
    assert "Finds" not in before.text
    finds = {name.replace("misses", "finds"): one[::-1] for name, one in arrays.items() if name.startswith("misses")}
    finds["finds_score"] = finds["finds_score"] + 1e6
    np.savez(run / "evaluations/8.npz", **arrays, **finds)
    shown = seen(write([run], run / "report.html").read_text("utf-8"))
    assert np.array_equal(shown.decoded("image"), [*finds["finds_query"][:, 0], *before.decoded("image")])
    assert shown.text.index("Finds") < shown.text.index("Worst misses")
    assert f"{finds['finds_score'][0]:.4g} flagged {finds['finds_name'][0]}" in shown.text


def test_residual_is_the_mean_over_channels() -> None:
    """|x - G(z)| of two RGB images is taken in grey levels, without wrapping, and averaged over channels."""
    query, nearest = np.zeros((3, 1, 2), np.uint8), np.zeros((3, 1, 2), np.uint8)
    query[:, 0, 0], nearest[:, 0, 0] = (10, 200, 0), (250, 100, 5)
    assert residual(query, nearest).tolist() == [[(240 + 100 + 5) / 3, 0.0]]


def test_names_and_verdicts_stand_under_the_images(run: Path, page: str, seen: Read) -> None:
    """Under each worst miss stand its score, whether it was missed, and its name."""
    threshold, text = figures_of(run)["threshold"], seen(page).text
    with np.load(run / "evaluations/8.npz") as arrays:
        for score, name in zip(arrays["misses_score"], arrays["misses_name"], strict=True):
            assert f"{score:.4g} {'flagged' if score > threshold else 'missed'} {name}" in text


def test_samples_over_time_first_and_last_with_their_twins(run: Path, page: str, seen: Read) -> None:
    """Six of eight grids are shown, the first and the last among them, each beside the weak twin's."""
    shown = seen(page)
    assert re.findall(r"after ([\d,]+) images shown: G \| weak", shown.text) == [
        "320",
        "640",
        "1,280",
        "1,600",
        "2,240",
        "2,560",
    ]
    last = np.asarray(Image.open(run / "samples/000002560.png"))
    own = shown.decoded("generated images")
    assert len(own) == len(shown.decoded("images by the twin weak")) == 6
    assert np.array_equal(own[-1], last.repeat(18, axis=0).repeat(18, axis=1))


def test_pictures_of_scores_and_training_are_there(page: str, seen: Read) -> None:
    """Histogram, ROC and three training curves are pictures with a sentence on how to read each."""
    alts = [alt for alt, _ in seen(page).pictures]
    for alt in ("Histogram of the scores by group", "ROC curve with its band", "Curves: losses"):
        assert alts.count(alt) == 1
    assert {"Curves: gradient norms", "Curves: accuracy of D"} <= set(alts)
    assert seen(page).text.count("How to read it:") == 5


def test_E19_E20_the_last_grid_and_the_curves_of_variety(make_run: MakeRun, seen: Read) -> None:
    """What the last figures say is a remark; variety, recognised classes and encoding are pictures of their own."""
    run = make_run()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines[4::5]:
        line |= {"variety/a": 0.9, "variety/b.accuracy": 0.2, "recognised/a": 1.0, "recognised/b.accuracy": 0.5}
        line |= {"encoding/own": 0.2, "encoding/other": 0.3, "encoding/deviation": 0.8}
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = seen(write([run], run / "report.html").read_text("utf-8"))
    assert (
        "Mode collapse: the variety of G's images is less than 30 % of that of real ones in b.accuracy (20 %). "
        in page.text
    )
    assert "Dropped" not in page.text and "D wins" not in page.text
    alts = [alt for alt, _ in page.pictures]
    kinds = ("variety", "recognised", "encoding", "accuracy of D")
    assert [alts.count(f"Curves: {kind}") for kind in kinds] == [1] * 4
    assert "how far apart two generated images are on average" in page.text
    assert "how often a class is recognised" in page.text


def test_the_class_that_ends_lowest_is_drawn_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many classes one line is bold and named; the others are thin, and a dashed line stands at the limit."""
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "_drawn", lambda figure, **_: drawn.append(figure) or Markup(""))
    pictures.by_class({"a": ([1, 2], [0.1, 0.9]), "b": ([1, 2], [0.8, 0.4]), "c": ([1, 2], [1, 1])}, "variety", 0.3)
    pictures.by_class({"": ([1, 2], [0.5, 0.7])}, "variety", 0.3)
    several, whole = [figure.axes[0].get_lines() for figure in drawn]
    assert [line.get_linewidth() == 2 for line in several] == [False, True, False, False]
    assert [list(line.get_ydata()) for line in several] == [[10, 90], [80, 40], [100, 100], [30, 30]]
    assert [line.get_label() for line in several if not line.get_label().startswith("_")] == [
        " b, the lowest",
        "too little",
    ]
    assert [line.get_label() for line in whole] == [" all images of G", "too little"]


def test_F19_same_run_same_bytes(run: Path, page: str, tmp_path: Path) -> None:
    """Another process with another hash seed writes the same bytes."""
    script = (
        "import sys; from pathlib import Path; from lookalike.report import write; "
        "write([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, run, tmp_path / "again.html"]
    subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "again.html").read_bytes() == page.encode("utf-8")


def test_J10_one_seed_is_flagged(page: str, seen: Read) -> None:
    """The report of one run says that it stands on one seed, and which."""
    assert "One seed (0): the intervals cover the choice of test images" in seen(page).text


def test_H9_no_path_of_this_machine(run: Path, page: str) -> None:
    """Neither the source's folder, the program's, nor the run's is shown."""
    assert "/home/somebody" not in page
    assert str(run.parent) not in page


def test_H10_embedded_images_are_encoded_anew(run: Path, page: str, seen: Read) -> None:
    """Text stored in a sample's PNG file does not reach the page."""
    assert b"tEXtComment\0GPS 47" in (run / "samples/000000320.png").read_bytes()
    sources = [base64.b64decode(src.partition(",")[2]) for _, src in seen(page).pictures]
    assert len(sources) > 20
    assert not any(
        chunk in png for png in sources for chunk in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"GPS 47")
    )


def test_several_runs_are_compared(make_run: MakeRun, tmp_path: Path, text_of: Callable[..., str]) -> None:
    """One table per pair of classes holds a row per run with its figures; seeds are counted per method."""
    runs = [make_run("a", seed=0), make_run("b", method="noisegan", seed=1), make_run("c", method="noisegan", seed=2)]
    figures = figures_of(runs[0])
    figures["auc"] |= {"value": 0.5, "low": 0.4, "high": 0.6}
    (runs[0] / "evaluations/8.json").write_text(json.dumps(figures))
    text = text_of(*runs)
    assert "3 runs compared" in text
    area = figures_of(runs[1])["auc"]
    row = f"{area['value']:.3f} [{area['low']:.3f}, {area['high']:.3f}] 12.2 % [7.5, 19.1] 0.6 % [0.1, 3.2] 41 s 2.3 s"
    assert f"b noisegan 1 {row} c noisegan 2 {row} a vtgan 0 0.500 [0.400, 0.600] 12.2 %" in text
    mean = figures_of(runs[1])["auc"]["value"]
    assert f"noisegan, 2 seeds: mean AUC {mean:.3f}, from {mean:.3f} to {mean:.3f}." in text
    assert "One seed only: vtgan." in text
    assert "The interval of the AUC contains 0.5" in text


def test_B30_undefined_auc_is_said_with_its_reason(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """An evaluation of known images only shows no AUC, why, and still its false alarms."""
    run = make_run()
    none = {"rate": None, "low": None, "high": None, "count": 0, "of": 0}
    area = {"value": None, "low": None, "high": None, "level": 0.95, "resamples": 2000, "reason": "no unknown images"}
    (run / "evaluations/8.json").write_text(
        json.dumps(figures_of(run) | {"n_unknown": 0, "misses": none, "auc": area, "threshold": None})
    )
    with np.load(run / "evaluations/8.npz") as old:
        arrays = {name: old[name] for name in ("known_scores", "calibration_scores")}
    np.savez(run / "evaluations/8.npz", unknown_scores=np.zeros(0), **arrays)
    text = text_of(run)
    assert "3 known, 8 unknown: AUC undefined; at the threshold 12.2 % false alarms and undefined misses" in text
    assert "AUC is undefined: no unknown images." in text
    assert "There is no threshold: the calibration part is too small" in text


def test_run_without_evaluation_says_how_to_make_one(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """Without evaluations the page renders and holds the command that makes one."""
    run = make_run("my run")
    for file in (run / "evaluations").iterdir():
        file.unlink()
    text = text_of(run)
    assert "3 known: not evaluated yet" in text
    assert "lookalike evaluate 'my run' PATH-TO/digits --unknown CLASS PATH-TO stands for a folder" in text


def test_run_that_only_makes_images_says_how_to_measure_them(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """Without held-out images there is nothing to evaluate: the page holds the command that measures what it makes."""
    run = make_run("my run")
    for file in (run / "evaluations").iterdir():
        file.unlink()
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"settings": config["settings"] | {"calibration": 0}}))
    text = text_of(run)
    assert "images of 3" in text and "lookalike evaluate" not in text
    assert "lookalike measure 'my run' --real PATH-TO/digits PATH-TO stands for a folder" in text
    ranged = config["settings"] | {"calibration": 0, "value_range": "-1,1"}
    (run / "config.json").write_text(json.dumps(config | {"settings": ranged}))
    assert "--real PATH-TO/digits --value-range=-1,1 PATH-TO stands" in text_of(run)


def test_run_without_samples_or_metrics_says_what_makes_them(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """Missing samples, metrics or both are named beside the recorded command; the rest stays."""
    run = make_run()
    (run / "metrics.jsonl").unlink()
    commanded = "No metrics were recorded. This command trains the run and writes them: lookalike train digits"
    assert commanded in text_of(run)
    for file in (run / "samples").iterdir():
        file.unlink()
    assert "No samples and no metrics were recorded: this method has none (a baseline)" in text_of(run)
    assert "AUC, 95 % interval" in text_of(run)
    (run / "metrics.jsonl").write_text('{"step":1,"images":64,"D.minimax":1.0}\n')
    assert "No sample grids were recorded." in text_of(run)


def test_truncated_last_line_of_metrics_is_left_out_and_said(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """A line cut off by a kill does not stop the report."""
    run = make_run()
    whole = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(whole[:-40])
    assert "1 line of metrics.jsonl could not be read and is left out" in text_of(run)


def test_detector_without_nearest_shows_the_query_only(make_run: MakeRun, seen: Read) -> None:
    """A detector that does not generate has one picture per case and no difference; vectors have names only."""
    run = make_run(method="knn")
    with np.load(run / "evaluations/8.npz") as old:
        arrays = {name: old[name] for name in old.files if not name.endswith("_nearest")}
    np.savez(run / "evaluations/8.npz", **arrays)
    shown = seen(write([run], run / "report.html").read_text("utf-8"))
    assert (len(shown.decoded("image")), len(shown.decoded("difference"))) == (12, 0)
    vectors = {name: values.reshape(6, -1) if name.endswith("_query") else values for name, values in arrays.items()}
    np.savez(run / "evaluations/8.npz", **vectors)
    shown = seen(write([run], run / "report.html").read_text("utf-8"))
    assert shown.decoded("image") == []
    assert "The data are vectors, not images, so only names are given." in shown.text
    assert str(arrays["misses_name"][0]) in shown.text


def test_evaluation_without_mistakes_says_so(make_run: MakeRun, text_of: Callable[..., str]) -> None:
    """Where nothing was missed the gallery of misses says that there are none."""
    run = make_run()
    with np.load(run / "evaluations/8.npz") as old:
        arrays = {name: values[:0] if name.startswith("misses_") else values for name, values in old.items()}
    np.savez(run / "evaluations/8.npz", **arrays)
    text = text_of(run)
    assert "Worst misses There are none. Worst false alarms The known images" in text


def test_what_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    """No runs, a folder that is no run, and an output in a missing folder are named; nothing is written."""
    with pytest.raises(UsageError, match="no run was given; give one run folder or more"):
        write([], tmp_path / "r.html")
    with pytest.raises(UsageError, match=r"is not a run folder: it has no config\.json"):
        write([tmp_path], tmp_path / "r.html")
    run = make_run()
    (run / "samples/000000320.png").write_bytes(b"<html>not an image</html>")
    with pytest.raises(ModelError, match=r"000000320\.png cannot be read"):
        write([run], tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []
    (run / "samples/000000320.png").unlink()
    with pytest.raises(OutputError, match="its folder does not exist"):
        write([run], tmp_path / "missing/r.html")
