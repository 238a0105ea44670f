"""`lookalike export`: the file, the model card beside it, and what is refused before anything is written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnxruntime
import pytest
from clean_failure import tree
from tiny import call, two_runs

from lookalike.base.errors import OutputError
from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.detect.onnx import network
from lookalike.report import card
from lookalike.runs.folder import read_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An evaluated run of deepsvdd with its export, and a GAN of two classes that only makes images."""
    folder = tmp_path_factory.mktemp("runs")
    return two_runs(folder, ["export", folder / "svdd", "-o", folder / "out/svdd.onnx"])


def test_the_file_flags_what_the_model_flags(runs):
    """By the file and the threshold on the card, the same images are flagged as by the model."""
    model = Model.load(runs / "svdd")
    images = read("digits", **model.reading() | {"labelled": True}).pixels[:200]
    (score,) = onnxruntime.InferenceSession(str(runs / "out/svdd.onnx")).run(None, {"images": images})
    said = model.score(images)
    np.testing.assert_allclose(score, said.score, rtol=1e-5, atol=1e-5)
    assert f"above {model.threshold.value} it is flagged, which about 5 %" in (runs / "out/README.md").read_text()
    assert (score > model.threshold.value).tolist() == said.flagged.tolist()


def test_the_card_says_what_it_knows_and_how_well(runs):
    """Its head has the licence and the figures as the hub reads them; its text has classes, counts and the table."""
    text = (runs / "out/README.md").read_text()
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    figures = json.loads(next((runs / "svdd/evaluations").glob("*.json")).read_text())
    lines = [line.strip() for line in head.splitlines()]
    assert {"library_name: onnx", "license: unknown", '- "deepsvdd"', "model-index:"} <= set(lines)
    assert lines[lines.index('- type: "auc"') + 2] == f"value: {figures['auc']['value']:.4f}"
    assert "| 3 | known |" in body and "| `images` | uint8 | N x 1 x 8 x 8 |" in body
    record = read_run(runs / "svdd")
    assert f"It learnt {record.config.data.train} images of digits, each 1 x 8 x 8" in body
    assert f"| 8 | {figures['auc']['value']:.3f} [" in body


def test_the_card_of_a_generator(runs, tmp_path, capsys):
    """Without a part the generator is written; its card has z and the class, and how its images are measured."""
    code, said, _ = call(capsys, "export", runs / "gan", "-o", tmp_path / "gan.onnx", "--json")
    told = json.loads(said)
    assert (code, told["part"], told["bytes"]) == (0, "generator", (tmp_path / "gan.onnx").stat().st_size)
    text = (tmp_path / "README.md").read_text()
    assert "| `z` | float32 | N x 8 |" in text and "| `y` | int64 | N |" in text
    assert "model-index" not in text and "`lookalike measure` says" in text


def test_names_are_no_markup(runs, tmp_path):
    """Names of classes, runs and data stay names: in the table, and in the head of the card."""
    strange = tmp_path / 'a"b\n- c|<i>'
    shutil.copytree(runs / "svdd", strange)
    model, record = Model.load(strange), read_run(strange)
    card.write(record, model, network(model), tmp_path / "out.onnx")
    text = (tmp_path / "README.md").read_text()
    assert json.dumps(strange.name) in text.split("\n---\n")[0]
    assert '\n# a"b\\\\n- c\\|\\<i\\>\n' in text


def test_another_readme_is_not_replaced(runs, tmp_path, capsys):
    """A README.md without our mark stays, and nothing is written; a card of ours is replaced."""
    (tmp_path / "README.md").write_text("# mine\n")
    before = tree(tmp_path)
    code, _, err = call(capsys, "export", runs / "svdd", "-o", tmp_path / "svdd.onnx")
    assert code == OutputError.exit_code and tree(tmp_path) == before
    assert "README.md is no model card, and is not replaced; give a folder of its own" in err
    (tmp_path / "README.md").write_text(card.OURS)
    assert call(capsys, "export", runs / "svdd", "-o", tmp_path / "svdd.onnx")[0] == 0
    assert "## What it knows" in (tmp_path / "README.md").read_text()


def test_another_suffix_is_refused(runs, tmp_path, capsys):
    """A file that does not end in .onnx is refused in one line, and nothing is written."""
    code, _, err = call(capsys, "export", runs / "svdd", "-o", tmp_path / "svdd.pt")
    assert (code, err) == (2, f"error: -o {tmp_path}/svdd.pt: give a file that ends in .onnx\n")
    assert tree(tmp_path) == {}
