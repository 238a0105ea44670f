"""Run folders that are damaged or forged are refused with one line that names the file."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.base.errors import ModelError
from lookalike.runs import folder as read
from lookalike.runs.folder import read_run

MakeRun = Callable[..., Path]


def changed(path: Path, **values: Any) -> None:
    """Write these values into a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def arrays_changed(run: Path, **values: np.ndarray) -> None:
    """Write these arrays into the run's evaluation."""
    path = run / "evaluations/8.npz"
    with np.load(path) as old:
        arrays = dict(old)
    np.savez(path, **(arrays | values))


def refused(run: Path, match: str) -> None:
    """Reading `run` must end in one line that holds `match`."""
    with pytest.raises(ModelError, match=match) as error:
        read_run(run)
    assert "\n" not in str(error.value)


def test_a_run_is_read_as_it_was_written(run: Path) -> None:
    """Names, seeds, metrics, samples and scores come back with their values."""
    record = read_run(run)
    assert (record.name, record.method, record.seed) == ("three", "vtgan", 0)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert record.training.metrics.unread == 0
    assert record.training.metrics.columns["weak/D.minimax"] == (
        [line["images"] for line in lines],
        [line["weak/D.minimax"] for line in lines],
    )
    assert list(record.training.samples) == [320 * place for place in range(1, 9)]
    assert {twin: path.name for twin, path in record.training.samples[640].items()} == {
        "": "000000640.png",
        "weak": "weak-000000640.png",
    }
    scores = record.evaluations[0].scores
    assert scores is not None
    with np.load(run / "evaluations/8.npz") as arrays:
        assert np.array_equal(scores.unknown, arrays["unknown_scores"])
        assert np.array_equal(scores.galleries["misses"].score, arrays["misses_score"])


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"schema": 2}, "schema: Input should be 1"),
        ({"schema": "<b>"}, "schema: Input should be 1"),
        ({"classes": {"known": "Coat"}}, r"classes\.known"),
        ({"data": {"source": 3}}, r"data\.source: Input should be a valid string"),
        ({"settings": []}, "settings: Input should be a valid dictionary"),
    ],
    ids=["D26-newer", "D28-schema", "D28-classes", "D28-source", "D28-settings"],
)
def test_config_of_wrong_types_is_refused(make_run: MakeRun, values: dict[str, Any], match: str) -> None:
    """The message names the file and the field."""
    run = make_run()
    changed(run / "config.json", **values)
    refused(run, rf"config\.json cannot be read: {match}")


def test_figures_that_are_not_json_are_refused(make_run: MakeRun) -> None:
    """NaN, which JSON does not have, and text that is not JSON are refused."""
    run = make_run()
    path = run / "evaluations/8.json"
    path.write_text(path.read_text().replace('"n_known": 123', '"n_known": NaN'))
    refused(run, r"8\.json cannot be read: NaN is not a finite number")
    path.write_text("<html>")
    refused(run, r"8\.json cannot be read: it is not JSON")


def test_arrays_never_run_code(make_run: MakeRun, tmp_path: Path) -> None:
    """An object array, which is pickle, is refused and not loaded."""
    run = make_run()
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
            return Path.touch, (marker,)

    assert pickle.dumps(Payload())
    arrays_changed(run, known_scores=np.array([Payload()], dtype=object))
    refused(run, r"8\.npz cannot be read: Object arrays cannot be loaded")
    assert not marker.exists()


def test_arrays_that_unpack_to_more_than_the_limit_are_refused(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unpacked size is read from the archive's directory, before anything is unpacked."""
    run = make_run()
    monkeypatch.setattr(read, "ARRAYS_LIMIT", 1 << 20)
    with zipfile.ZipFile(run / "evaluations/8.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extra.npy", bytes(2 << 20))
    refused(run, r"8\.npz cannot be read: it unpacks to \d+ bytes, more than 1048576")


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"known_scores": np.array([np.nan])}, "known_scores must be one row of finite numbers"),
        ({"unknown_scores": np.zeros((2, 2))}, "unknown_scores must be one row of finite numbers"),
        ({"misses_name": np.array(["a"])}, "the arrays of misses differ in length or shape"),
        ({"alarms_nearest": np.zeros((6, 1, 4, 4), np.uint8)}, "the arrays of alarms differ in length or shape"),
    ],
    ids=["J7-nan", "shape", "names", "nearest"],
)
def test_arrays_of_wrong_shape_or_value_are_refused(
    make_run: MakeRun, arrays: dict[str, np.ndarray], match: str
) -> None:
    """Scores that are not finite and galleries that do not fit together are named."""
    run = make_run()
    arrays_changed(run, **arrays)
    refused(run, rf"8\.npz cannot be read: {match}")


@pytest.mark.parametrize("part", range(8))
def test_truncated_arrays_are_refused(make_run: MakeRun, part: int) -> None:
    """A file cut off anywhere is refused."""
    run = make_run()
    whole = (run / "evaluations/8.npz").read_bytes()
    (run / "evaluations/8.npz").write_bytes(whole[: len(whole) * part // 8])
    refused(run, r"8\.npz cannot be read")
