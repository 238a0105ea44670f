"""Methods that read images at their own size: which size, and that the split is that of all other methods."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from tiny import call

import lookalike
from lookalike.base import files
from lookalike.base.errors import DataError
from lookalike.data import read
from lookalike.data.images import Selection
from lookalike.data.sizes import own_size
from lookalike.data.sources import open_source
from lookalike.detect.model import Model
from lookalike.runs.plan import make
from lookalike.runs.reading import read_used
from lookalike.runs.settings import train_settings
from lookalike.runs.used import used_images


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of grey photographs of 90 x 120 pixels and of 100 x 110, one of each class unreadable."""
    root, draw = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name, n, bright in (("good", 40, 90), ("bad", 10, 160)):
        (root / name).mkdir()
        for i in range(n):
            shape = (90, 120) if i % 4 else (100, 110)
            pixels = np.clip(draw.normal(bright, 30, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")
    (root / "good" / "broken.png").write_bytes(b"no image")
    return root


def settings(method, **given):
    """Settings that leave out what cannot be read."""
    return train_settings(known=("good",), method=method, on_bad="skip", false_alarms=0.2, **given)


@pytest.mark.parametrize(
    ("side", "size"), [(640, (90, 120)), (60, (52, 69)), (1, (1, 1))], ids=["own", "smaller", "a pixel"]
)
def test_images_are_never_enlarged(photographs, side, size):
    """Read at their usual size, or shrunk to the area that the method wants, with the aspect kept."""
    assert own_size(Counter(open_source(photographs).only(["good"]).sizes()), side) == size


@pytest.mark.parametrize("method", ["auto", "knn", "acgan"])
def test_where_nothing_can_be_measured_the_file_is_named(method, tmp_path):
    """No size can be chosen, and reading says what is wrong with the files."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"x\.png"):
        read_used(tmp_path, train_settings(known=("good",), method=method))


def test_the_split_is_that_of_every_other_method(photographs):
    """The same names train, calibrate and test with features at 90 x 120 pixels as with knn at 24 x 32."""
    large, small = (make(photographs, settings(method)) for method in ("features-knn", "knn"))
    assert large.images.shape == (1, 90, 120) and small.images.shape == (1, 24, 32)
    assert large.keys() == small.keys()
    assert large.images.key_size == (24, 32) and small.images.key_size is None


def test_a_size_that_the_user_gives_holds(photographs):
    """--size reads at that size, and keys are taken there."""
    images = read_used(photographs, settings("patches", size="40,40"))
    assert images.shape == (1, 40, 40) and images.key_size is None


def test_keys_of_a_mixed_folder_are_those_at_the_small_size(photographs):
    """Among colour images a grey one has the key that reading at the small size gives."""
    Image.fromarray(np.full((90, 120, 3), (200, 30, 30), np.uint8)).save(photographs / "bad" / "red.png")
    try:
        small = read(photographs, size=(24, 32), on_bad="skip")
        large = read(photographs, size=(90, 120), key_size=(24, 32), on_bad="skip")
    finally:
        (photographs / "bad" / "red.png").unlink()
    assert large.keys == small.keys and large.shape == (3, 90, 120)
    chosen = large.select([3, 1])
    assert chosen.keys == (large.keys[3], large.keys[1])


def test_a_run_is_evaluated_on_images_that_it_has_not_used(photographs, tmp_path, capsys):
    """The model knows the size of its keys; its training images are left out; a damaged size is refused."""
    run = tmp_path / "run"
    train = ("train", str(photographs), "--known", "good", "--method", "features-gaussian", "--on-bad", "skip")
    assert call(capsys, *train, "-o", str(run), "--false-alarms", "0.2")[0] == 0
    model = Model.load(run)
    assert (model.shape, model.key_size) == ((1, 90, 120), (24, 32))
    code, said, _ = call(capsys, "evaluate", str(run), str(photographs), "--on-bad", "skip", "--json")
    figures = json.loads(said)
    assert code == 0 and figures["auc"]["value"] == 1
    assert figures["n_known"] == len(used_images(run)["test"]) == 8 and figures["n_unknown"] == 10
    card = files.read_json(run / "model.json")
    assert card["training"]["key_size"] == [24, 32]


@pytest.mark.filterwarnings("ignore:images left out since they cannot be read")
def test_images_with_other_keys_are_refused(photographs, tmp_path):
    """Read without the run's key size, images that trained would count as new ones; with it they are left out."""
    model = lookalike.fit(
        photographs, known="good", method="features-knn", on_bad="skip", false_alarms=0.2, out=tmp_path / "run"
    )
    plain = read(photographs, size=model.size, on_bad="skip")
    with pytest.raises(DataError, match=r"taken at their own size, and those of the run were taken at \(24, 32\)"):
        lookalike.evaluate(tmp_path / "run", plain)
    images = read(photographs, size=model.size, key_size=model.key_size, on_bad="skip")
    assert lookalike.evaluate(tmp_path / "run", images)["n_known"] == 8


def test_a_selection_copies_only_what_is_read():
    """Rows of rows, as slices and as numbers; its shape is that of an array."""
    pixels = np.arange(40).reshape(10, 4)
    chosen = Selection(Selection(pixels, np.array([9, 3, 5, 1])), np.array([2, 0, 1]))
    assert chosen.shape == (3, 4) and len(chosen) == 3
    assert np.array_equal(chosen[0:2], pixels[[5, 9]]) and np.array_equal(chosen[np.array([2])], pixels[[3]])
