"""`--aspect` in a run: what trains, what the record says, and what reads images like the training."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clean_failure import assert_clean_failure
from PIL import Image
from tiny import call

import lookalike
from lookalike.base import files
from lookalike.base.errors import DataError, ModelError, UsageError
from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.runs.plan import make
from lookalike.runs.settings import train_settings
from lookalike.runs.used import run_split

FLAGS = ("--known", "good", "--method", "knn", "--size", "32,32", "--false-alarms", "0.2", "--threads", "1")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Good images of 40 x 80 grey pixels, bad ones with a bright square in the middle, and their masks."""
    root, draw = tmp_path_factory.mktemp("wide"), np.random.default_rng(0)
    for name, n in (("good", 40), ("bad", 6)):
        for place in ("images", "masks"):
            (root / place / name).mkdir(parents=True)
        for i in range(n):
            pixels = draw.integers(90, 110, (40, 80), dtype=np.uint8)
            if name == "bad":
                pixels[16:24, 36:44] = 255
                Image.fromarray((pixels == 255).astype(np.uint8) * 255).save(root / "masks" / name / f"{i:02}.png")
            Image.fromarray(pixels).save(root / "images" / name / f"{i:02}.png")
    return root


@pytest.fixture(scope="module", params=["squash", "crop", "pad"])
def run(request, wide, tmp_path_factory):
    """(aspect, folder) of a run."""
    from lookalike.faces.cli import main

    out = tmp_path_factory.mktemp("runs") / request.param
    assert main(["train", str(wide / "images"), *FLAGS, "--aspect", request.param, "-o", str(out)]) == 0
    return request.param, out


def test_the_record_holds_the_aspect(run, wide):
    """The model, the run's record and its choices say how images were brought to their size."""
    aspect, out = run
    model, config = Model.load(out), files.read_json(out / "config.json")
    assert model.aspect == config["settings"]["aspect"] == aspect
    assert config["open_choices"]["resize filter"].endswith(
        {"squash": "antialiased", "crop": "cropped to its aspect", "pad": "padded to its aspect"}[aspect]
    )
    reading = {} if aspect == "squash" else {"key_size": (32, 32), "aspect": aspect}
    assert run_split(out).reading == reading
    images = read(wide / "images", size=model.size, key_size=model.key_size, aspect=model.aspect)
    assert lookalike.evaluate(out, images)["auc"]["value"] == 1


def test_score_and_evaluate_read_like_the_training(run, wide, tmp_path, capsys):
    """All aspects hold out the same images; heat maps and masks find the square where it is, at the files' size."""
    aspect, out = run
    code, said, err = call(capsys, "evaluate", out, wide / "images", "--masks", wide / "masks", "--json")
    figures = json.loads(said)
    assert code == 0 and (figures["n_known"], figures["n_unknown"]) == (8, 6)
    assert figures["auc"]["value"] == 1 and figures["pixels"]["auroc"] > 0.9
    done = {"squash": "", "crop": ", cropped to its aspect", "pad": ", padded to its aspect"}[aspect]
    assert err == f"images of 40 x 80 pixels are read at 32 x 32{done}\n"
    maps = tmp_path / "maps"
    assert call(capsys, "score", out, wide / "images" / "bad", "-o", tmp_path / "s.csv", "--heat-maps", maps)[0] == 0
    heat = np.load(maps / "000000.npy").astype(np.float32)
    assert heat.shape == (40, 80)
    top, left = np.unravel_index(heat.argmax(), heat.shape)
    assert 16 <= top < 24 and 36 <= left < 44


def test_a_damaged_aspect_is_refused(run, tmp_path):
    """A model file that names another way is no model."""
    _, out = run
    model = Model.load(out)
    model.training["aspect"] = "stretch"
    model.save(tmp_path)
    with pytest.raises(ModelError, match=r"training\.aspect"):
        Model.load(tmp_path)


def test_images_in_memory_need_the_runs_aspect(wide, run):
    """Read in another way they would be other images."""
    aspect, out = run
    other = "pad" if aspect == "crop" else "crop"
    images = read(wide / "images", size=(32, 32), aspect=other, key_size=(32, 32))
    if aspect == "squash":
        with pytest.raises(DataError, match="content keys"):
            lookalike.evaluate(out, images)
        return
    with pytest.raises(DataError, match=f"read with aspect {other}, and those of the run with {aspect}"):
        lookalike.evaluate(out, images)


def test_images_that_are_read_already_keep_their_aspect(wide):
    """--aspect cannot change them, and one that fits stays in the plan."""
    images = read(wide / "images", size=(32, 32), aspect="pad")
    given = {"known": ("good",), "method": "knn", "false_alarms": 0.2}
    assert make(images, train_settings(aspect="pad", **given)).images.aspect == "pad"
    with pytest.raises(UsageError, match="--aspect crop: the images were read with pad"):
        make(images, train_settings(aspect="crop", **given))


def test_a_mask_that_was_cut_off_is_named(wide, tmp_path, capsys):
    """Where a crop leaves nothing of what a mask marks, one line says so."""
    masks = tmp_path / "masks" / "bad"
    masks.mkdir(parents=True)
    for i in range(6):
        mask = np.zeros((40, 80), np.uint8)
        mask[:, :4] = 255
        Image.fromarray(mask).save(masks / f"{i:02}.png")
    out = tmp_path / "run"
    assert call(capsys, "train", wide / "images", *FLAGS, "--aspect", "crop", "-o", out)[0] == 0
    code, _, err = call(capsys, "evaluate", out, wide / "images", "--masks", tmp_path / "masks")
    assert code == 3 and "error: the mask of bad/00.png marks nothing that --aspect crop has left;" in err


def test_another_aspect_is_another_run(wide, tmp_path, capsys):
    """A run folder of one aspect is refused for another."""
    out = tmp_path / "run"
    assert call(capsys, "train", wide / "images", *FLAGS, "-o", out)[0] == 0
    argv = ["train", str(wide / "images"), *FLAGS, "--aspect", "pad", "-o", str(out)]
    assert_clean_failure(capsys, argv, 2, "aspect squash -> pad", kept=tmp_path)
