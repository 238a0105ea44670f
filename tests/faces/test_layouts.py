"""Parts that a folder names reach every command: training, evaluation, masks, bench, measure and scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.faces.cli import main

KNN = ("--method", "knn", "--threads", "1")


def stripes(kind: int, number: int) -> np.ndarray:
    """uint8 (16, 16): stripes whose width is that of the kind, with noise that is that of the number."""
    noise = np.random.default_rng(1000 * kind + number).normal(0, 8, (16, 16))
    return (40 + 120 * (np.mgrid[:16, :16][1] // (kind + 2) % 2) + noise).clip(0, 255).astype(np.uint8)


def write(path: str, pixels: np.ndarray) -> None:
    """One PNG, with its folders."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mvtec(here):
    """One category as MVTec has it, below a wrapping folder: 40 good images, and 8 of each kind to test."""
    for i in range(40):
        write(f"mv/bottle/train/good/{i:03d}.png", stripes(0, i))
    for kind, name in enumerate(("good", "crack", "hole")):
        for i in range(8):
            pixels, mask = stripes(0, 100 * (kind + 1) + i), np.zeros((16, 16), np.uint8)
            if kind:
                mask[2:8, 4 * kind : 4 * kind + 4] = 255
                pixels[mask > 0] = 255 if kind == 1 else 0
                write(f"mv/bottle/ground_truth/{name}/{i:03d}_mask.png", mask)
            write(f"mv/bottle/test/{name}/{i:03d}.png", pixels)


@pytest.fixture
def parts(here):
    """train, val and test of three classes: 20, 4 and 6 images of each."""
    for part, n in (("train", 20), ("val", 4), ("test", 6)):
        for kind, name in enumerate(("cat", "dog", "emu")):
            for i in range(n):
                write(f"sp/{part}/{name}/{i}.png", stripes(kind, {"train": 0, "val": 100, "test": 200}[part] + i))


def told(capsys, *argv: str) -> tuple[dict, str]:
    """The JSON of a command, and what it said."""
    assert main([*argv, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_MVTec_from_training_to_heat_maps(mvtec, capsys):
    """All of train/good trains, all of test is measured with its kinds as unknown classes, and the masks are found."""
    facts, err = told(capsys, "train", "mv", "--known", "good", *KNN, "-o", "run")
    assert facts["counts"]["train"] == 40
    assert "images are read from mv/bottle, the only folder in mv" in err
    assert "train trains, test is the official test part" in err
    assert "'lookalike evaluate --masks mv/bottle/ground_truth'" in err
    found, _ = told(capsys, "evaluate", "run", "mv", "--masks", "mv/bottle/ground_truth")
    assert (found["known"], found["unknown"]) == (["good"], ["crack", "hole"])
    assert (found["n_known"], found["n_unknown"]) == (8, 16)
    assert found["auc"]["value"] > 0.9
    assert found["pixels"]["images"] == 16
    assert found["pixels"]["auroc"] > 0.9
    told(capsys, "score", "run", "mv", "-o", "s.csv")
    lines = Path("s.csv").read_text().splitlines()[1:]
    assert len(lines) == 64  # no mask is scored
    assert sum('"crack"' in line for line in lines) == 8


def test_the_parts_reach_every_command(parts, capsys):
    """The official test part is that of the folder in train, evaluate, bench and measure; val trains."""
    facts, err = told(capsys, "train", "sp", "--known", "cat", *KNN, "-o", "run")
    assert facts["counts"]["train"] == 24
    assert "train and val train, test is the official test part" in err
    found, _ = told(capsys, "evaluate", "run", "sp")
    assert (found["n_known"], found["n_unknown"]) == (6, 12)
    bench = ["bench", "detect", "sp", "--methods", "knn", "--seeds", "1", "--workers", "1", "--runs", "t", "-o", "b"]
    found, err = told(capsys, *bench)
    assert set(found["rows"]) == {"cat", "dog", "emu"}
    assert "test is the official test part" in err
    scores = list(Path("t").rglob("unseen/*.npz"))
    assert {len(np.load(path)["score"]) for path in scores} == {6}


def test_measure_takes_the_official_test_part(here, capsys):
    """The real images that are measured against are those of the folder test."""
    for part, n in (("train", 60), ("test", 40)):
        for i in range(n):
            write(f"real/{part}/a/{i}.png", np.stack([stripes(0, i + 500 * (part == "test"))] * 3, -1))
    for i in range(40):
        write(f"made/a/{i}.png", np.stack([stripes(0, 1000 + i)] * 3, -1))
    found, _ = told(capsys, "measure", "made", "--real", "real", "--threads", "1")
    assert found["real"] == 40


def test_labels_of_a_table_reach_training(here, capsys):
    """A flat folder with Hugging Face's metadata.csv trains on its labels, and its column `split` tests."""
    lines = ["file_name,label,split"]
    for kind, name in enumerate(("cat", "dog")):
        for i in range(30):
            write(f"flat/{name}{i}.png", stripes(kind, i))
            lines.append(f"{name}{i}.png,{name},{'train' if i < 24 else 'test'}")
    Path("flat/metadata.csv").write_text("\n".join(lines))
    facts, err = told(capsys, "train", "flat", "--known", "cat", *KNN, "-o", "run")
    assert facts["counts"]["train"] == 24
    assert "classes are read from metadata.csv" in err
    found, _ = told(capsys, "evaluate", "run", "flat", "--unknown", "dog")
    assert (found["n_known"], found["n_unknown"]) == (6, 6)


def test_a_group_may_follow_the_parts(parts, capsys):
    """Groups in the names of a folder with parts stay on one side, as official test images are."""
    found, _ = told(capsys, "check", "sp", "--group", r"/(\d)")
    assert found["official_test"] == 18
    assert found["groups"]["cat"] == 10
