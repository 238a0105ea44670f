"""Heat maps of the command line: over the photograph, as numbers, in the report, and measured by masks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.tiny import call

from lookalike.base import files
from lookalike.base.errors import UsageError
from lookalike.data import read
from lookalike.detect import members
from lookalike.detect.baselines import BASELINES
from lookalike.detect.detector import Threshold
from lookalike.detect.heat import DIFFERENCE, SPREADS, overlaid, smoothed
from lookalike.detect.model import Model
from lookalike.use.masks import masks_of


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Patches keep few places."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Grey plates of two sizes, 40 good ones and 8 with a bright spot of 8 x 8 pixels at the left; and their masks."""
    root, draw = tmp_path_factory.mktemp("plates"), np.random.default_rng(0)
    for kind, count in (("good", 40), ("bad", 8)):
        for folder in (root / "data" / kind, root / "masks" / kind):
            folder.mkdir(parents=True)
        for i in range(count):
            high, wide = (72, 96) if i % 2 else (80, 110)
            picture = draw.normal(120, 12, (high, wide))
            mask = np.zeros((high, wide), np.uint8)
            if kind == "bad":
                picture[10:18, 6:14], mask[10:18, 6:14] = 250, 255
                Image.fromarray(mask).save(root / "masks" / kind / f"{i}_mask.png")
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(root / "data" / kind / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def run(plates):
    """A run of patches on the good ones."""
    out = plates / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "POOL", 600)
        patch.setattr(members, "BANK", 100)
        from lookalike.faces.cli import main

        argv = ["train", str(plates / "data"), "--known", "good", "--method", "patches", "--threads", "1"]
        assert main([*argv, "-o", str(out)]) == 0
    return out


def pixels(path):
    """The picture in a file."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_maps_have_the_size_of_the_file_and_show_the_spot(plates, run, tmp_path, capsys):
    """Each image gets a colour PNG and an .npy file of its own size, brightest at the spot."""
    maps, scores = tmp_path / "maps", tmp_path / "scores.csv"
    code, _, err = call(capsys, "score", run, plates / "data" / "bad", "-o", scores, "--heat-maps", maps)
    assert code == 0, err
    assert sorted(path.name for path in maps.iterdir()) == sorted(
        f"{i:06d}.{kind}" for i in range(8) for kind in ("npy", "png")
    )
    for i in range(8):
        original, over = pixels(plates / "data" / "bad" / f"{i}.png"), pixels(maps / f"{i:06d}.png")
        values = np.load(maps / f"{i:06d}.npy")
        assert values.dtype == np.float16 and values.shape == original.shape == over.shape[:2]
        row, column = np.unravel_index(values.argmax(), values.shape)
        assert 4 <= row <= 24 and column <= 22
        assert over.shape[2] == 3 and over[row, column, 0] > over[row, column, 2]


def test_maps_of_verdicts_are_those_of_the_detector(plates, run):
    """`Model.score(maps=True)` gives the same scores as without, and a map for each image; without there is none."""
    model = Model.load(run)
    images = read(plates / "data", size=model.size, channels=model.channels, classes=("bad",))
    said, plain = model.score(images, maps=True), model.score(images)
    assert np.array_equal(said.score, plain.score) and plain.maps is None
    assert said.maps.shape == (8, *model.size)
    assert np.array_equal(said.maps, model.detector.locate(images.pixels)[1])


def test_masks_measure_the_maps(plates, run, capsys):
    """Pixel AUROC and AUPRO are printed and stored, and the report shows the maps of the worst mistakes."""
    argv = ("evaluate", run, plates / "data", "--unknown", "bad", "--masks", plates / "masks")
    code, out, err = call(capsys, *argv)
    assert code == 0, err
    stored = files.read_json(run / "evaluations" / "bad.json")["pixels"]
    assert stored["auroc"] > 0.95 and stored["images"] == stored["regions"] == 8
    assert f"heat maps     AUROC of pixels {stored['auroc']:.3f}, AUPRO {stored['aupro']:.3f}" in out
    assert call(capsys, "report", run)[0] == 0
    page = (run / "report.html").read_text()
    assert f"AUROC of pixels {stored['auroc']:.3f}" in page and "8 marked regions in 8 images" in page
    if files.read_json(run / "evaluations" / "bad.json")["false_alarms"]["count"]:
        assert "heat map over the image" in page


def test_a_missing_mask_is_named(plates, run, tmp_path, capsys):
    """One line says which image has none, and nothing is stored."""
    few = tmp_path / "few"
    few.mkdir()
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(few / "3_mask.png")
    code, _, err = call(capsys, "evaluate", run, plates / "data", "--unknown", "bad", "--masks", few)
    assert code == 3 and "lacks the masks of 7 of 8 unknown images, first bad/0.png" in err


def test_a_method_without_maps_is_refused(plates, tmp_path, capsys):
    """One line names methods that have maps; no file is left."""
    argv = ("train", plates / "data", "--known", "good", "--method", "lof", "-o", tmp_path / "run")
    assert call(capsys, *argv)[0] == 0
    code, _, err = call(
        capsys,
        "score",
        tmp_path / "run",
        plates / "data" / "bad",
        "-o",
        tmp_path / "s.csv",
        "--heat-maps",
        tmp_path / "m",
    )
    assert code == 2 and "lof does not say where an image is unlike the known ones; take auto, patches, knn" in err
    assert not (tmp_path / "s.csv").exists() and not (tmp_path / "m").exists()


def test_a_nearest_image_gives_a_map_too(plates, tmp_path, capsys):
    """knn's map is the smoothed difference from the nearest known image; smoothing keeps the mean of the squares."""
    argv = ("train", plates / "data", "--known", "good", "--method", "knn", "--size", "24,32", "-o", tmp_path / "run")
    assert call(capsys, *argv)[0] == 0
    model = Model.load(tmp_path / "run")
    images = read(plates / "data", size=model.size, channels=1, classes=("bad",))
    said = model.score(images, maps=True)
    difference = np.abs(images.pixels.astype(float) - said.nearest).mean(1) / 255
    assert (said.maps**2).mean() == pytest.approx((difference**2).mean(), rel=0.05)
    assert said.maps.max() < difference.max()


def test_what_is_more_usual_than_usual_hides_no_defect_beside_it():
    """Smoothing takes the root of the weighted mean of squares, where values below 0 count as 0."""
    peak, ring = np.zeros((1, 56, 56), np.float32), np.zeros((1, 56, 56), np.float32)
    peak[0, 28, 28] = 3
    ring[0, 24:33, 24:33] = -1
    ring[0, 28, 28] = 3
    np.testing.assert_array_equal(smoothed(ring), smoothed(peak))
    beside = 9 / (2 * np.pi) * np.exp(-0.5)  # the standard deviation is 4 / 224 of 56 pixels: one pixel
    assert smoothed(peak)[0, 28, 29] == pytest.approx(beside**0.5, rel=0.02)


def test_colours_go_from_clear_over_red_to_yellow():
    """Up to the first value the image is as it was; at the second three quarters of it are yellow."""
    picture = np.full((1, 3, 1), 100, np.uint8)
    over = overlaid(picture, np.array([[SPREADS[0], sum(SPREADS) / 2, SPREADS[1] + 9]]), SPREADS)
    assert over[0].tolist() == [[100, 100, 100], [158, 110, 63], [216, 216, 25]]
    assert DIFFERENCE[0] == 0


def test_vectors_have_no_masks():
    """One line says so."""
    known = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    classes = {"known": ("a",), "extra_fakes": ()}
    model = Model(BASELINES["knn"].fit(known, 0), Threshold(np.arange(30.0), 0.05), (4,), classes, {"name": "knn"}, {})
    with pytest.raises(UsageError, match="masks are of images"):
        masks_of(model, "masks", ["a.png"])


def test_one_folder_cannot_take_both_kinds_of_pictures(plates, run, tmp_path, capsys):
    """Before anything is scored or written."""
    both = ("--nearest", tmp_path / "m", "--heat-maps", tmp_path / "m")
    code, _, err = call(capsys, "score", run, plates / "data" / "bad", "-o", tmp_path / "s.csv", *both)
    assert code == 2 and "cannot take both kinds of pictures; give two folders" in err
    assert not list(tmp_path.iterdir())
