"""Rows of the catalogue of faults through the commands: exit code, one line, and no file changed."""

from __future__ import annotations

import io
import json
import pickle
import re

import catalogue
import numpy as np
import pytest
from clean_failure import assert_clean_failure
from PIL import Image
from tiny import call, settings, train

from lookalike.runs import run as runs
from lookalike.runs.settings import train_settings

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def encoded(kind="PNG", pixels=PIXELS, **options):
    """The bytes of an image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def flipped(data, at):
    """The bytes with one bit of the byte at `at` turned."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


IMAGES = {
    "A1": (encoded()[: len(encoded()) // 2], "damaged"),
    "A2": (encoded("JPEG")[: len(encoded("JPEG")) // 2], "damaged"),
    "A3": (encoded("JPEG")[:-2], "damaged"),
    "A4": (b"", "empty"),
    "A5": (b"this is no image", "format not allowed"),
    "A6": (b"<html><body>404 not found</body></html>", "format not allowed"),
    "A8": (b"%PDF-1.4\n1 0 obj <<>> endobj\n", "format not allowed"),
    "A9": (flipped(encoded(), len(encoded()) // 2), "damaged"),
    "A13": (encoded("TIFF", PIXELS.astype(np.float32)), "--value-range"),
    "A14": (encoded("TIFF", np.full((4, 4), np.nan, np.float32)), ""),
    "A28": (encoded("PNG", np.zeros((1, 26_000_000), np.uint8)), "pixels"),
}


@pytest.mark.parametrize("row", IMAGES)
def test_A_rows_stop_training_with_3(row, tmp_path, capsys):
    """A folder with one unusable image among sound ones exits with 3 and its name, and no run is begun."""
    content, word = IMAGES[row]
    for i in range(20):
        for name in ("a", "b"):
            path = tmp_path / "data" / name / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(pixels=np.full((8, 8), i, np.uint8)))
    (tmp_path / "data" / "a" / "bad.png").write_bytes(content)
    argv = train(tmp_path / "run", data=tmp_path / "data")
    argv[argv.index("--known") + 1] = "a"
    assert_clean_failure(capsys, argv, 3, "bad.png", word, kept=tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The model of a finished run: name -> bytes."""
    out = tmp_path_factory.mktemp("run") / "run"
    runs.run("digits", train_settings(**settings()), out)
    return {name: (out / name).read_bytes() for name in ("model.json", "model.safetensors")}


def card(change):
    """A way to damage a model: `change` of the values in its model.json."""

    def damaged(files):
        values = json.loads(files["model.json"])
        return {"model.json": json.dumps(values | change(values)).encode()}

    return damaged


def weights(change):
    """A way to damage a model: `change` of the bytes of its weights."""
    return lambda files: {"model.safetensors": change(files["model.safetensors"])}


MODELS = {
    "D2": weights(lambda _: pickle.dumps(print)),
    "D7": weights(lambda _: b""),
    "D8": weights(lambda _: b"weights\n" * 99),
    "D9": weights(lambda data: np.random.default_rng(0).bytes(len(data))),
    "D10": weights(lambda data: data[: len(data) // 2]),
    "D11": weights(lambda data: data + b"\0"),
    "D12": weights(lambda data: (2**63).to_bytes(8, "little") + data[8:]),
    "D13": lambda _: {"model.json": b"["},
    "D14": lambda files: {"model.json": files["model.json"].replace(b'"kind"', b'"kind": "gan", "kind"', 1)},
    "D19-json": lambda files: {"model.json": files["model.json"].replace(b'"lam": 0.2', b'"lam": 0.3')},
    "D19-weights": weights(lambda data: flipped(data, len(data) - 9)),
    "D24": card(lambda values: {"method": {"name": "resnet"}}),
    "D26": card(lambda values: {"schema": 99}),
    "D27": card(lambda values: {"extra": 1}),
    "D28": card(lambda values: {"threshold": "high"}),
}


@pytest.mark.parametrize("row", MODELS)
def test_D_rows_stop_scoring_with_4(row, model, tmp_path, capsys):
    """A damaged, forged or newer model exits with 4 and writes no scores."""
    (tmp_path / "run").mkdir()
    for name, data in (model | MODELS[row](model)).items():
        (tmp_path / "run" / name).write_bytes(data)
    out = tmp_path / "scores.csv"
    assert_clean_failure(capsys, ["score", tmp_path / "run", "digits", "-o", out], 4, "model", kept=tmp_path)


def test_the_undamaged_model_scores(model, tmp_path, capsys):
    """The rows above fail for their damage alone."""
    (tmp_path / "run").mkdir()
    for name, data in model.items():
        (tmp_path / "run" / name).write_bytes(data)
    assert call(capsys, "score", tmp_path / "run", "digits", "-o", tmp_path / "scores.csv")[0] == 0


# --- the page of all rows


@pytest.mark.timeout(300)
def test_the_page_of_faults_is_what_the_tests_say():
    """docs/reliability.md has 194 rows, each with tests that exist or a reason, as the command writes it."""
    rows = catalogue.rows()
    assert len({row["id"] for row in rows}) == len(rows) == 194
    assert catalogue.PAGE.read_text("utf-8") == catalogue.page(rows, catalogue.collected())


def test_each_goal_figure_is_a_command_or_a_sentence():
    """benchmarks/trust.py names G-1 to G-17: what it runs for each, or where else it is shown."""
    text = (catalogue.TESTS.parent / "benchmarks" / "trust.py").read_text("utf-8")
    named = set(re.findall(r'"(G-\d+)"', text))
    assert named == {f"G-{i}" for i in range(1, 18)}


@pytest.mark.parametrize(
    ("test", "rows"),
    [
        ("tests/a.py::test_A7_a_JPEG_named_png", {"A7"}),
        ("tests/a.py::test_B18_to_B20_names", {"B18", "B19", "B20"}),
        ("tests/a.py::test_C1_C2_values[C1]", {"C1", "C2"}),
        ("tests/a.py::test_rows[D19-json]", {"D19"}),
        ("tests/E4.py::test_F32_is_a_type[float32-C64x]", {"F32"}),
    ],
    ids=["name", "range", "both", "parameter", "others"],
)
def test_rows_are_found_in_names_and_parameters(test, rows):
    """Letters and numbers count where they stand alone, and a range has all its rows."""
    assert catalogue.ids_in(test) == rows


@pytest.mark.parametrize(
    ("row", "tests"),
    [
        ({"also": "", "why": ""}, ["a.py::test_b"]),
        ({"also": "test_gone", "why": ""}, ["a.py::test_b"]),
        ({"also": "", "why": "it cannot be"}, ["a.py::test_A1_b"]),
        ({"also": "test_b", "why": ""}, ["a.py::test_b", "a.py::test_A1_b"]),
    ],
    ids=["nothing", "a test that is gone", "a reason beside a test", "a substitute beside a test"],
)
def test_a_row_has_a_test_or_a_reason(row, tests):
    """Neither, both, and the name of a test that is not there any more are refused."""
    with pytest.raises(ValueError, match=r"^A1: "):
        catalogue.page([{"id": "A1", "case": "x", **row}], tests)
