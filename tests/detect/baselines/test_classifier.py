"""The CNN classifier baselines: three readings of one network, each against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clean_failure import assert_clean_failure
from sklearn.neighbors import NearestNeighbors
from tiny import call, train
from torch.nn.functional import normalize

from lookalike.base.errors import ModelError, UsageError
from lookalike.data import scaled
from lookalike.detect.baselines import CLASSIFIERS, classifier
from lookalike.detect.model import Model


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Twenty steps suffice."""
    monkeypatch.setattr(classifier, "STEPS", 20)


def pictures(n=30, seed=0, shape=(1, 8, 8)):
    """(3 n, C, H, W) uint8 of three kinds, dark, light and striped under noise, and their labels."""
    random = np.random.default_rng(seed)
    means = [np.full(shape, 60), np.full(shape, 190), np.broadcast_to([[60, 190] * (shape[2] // 2)], shape)]
    found = np.stack([mean + random.normal(0, 30, (n, *shape)) for mean in means]).reshape(-1, *shape)
    return found.clip(0, 255).astype(np.uint8), np.repeat(np.arange(3), n)


@pytest.fixture(params=CLASSIFIERS)
def fitted(request, short):
    """A trained classifier of each reading."""
    return CLASSIFIERS[request.param].fit(*pictures(), seed=5)


def judged(detector, pixels):
    """(features, logits) of the network itself, float64."""
    x = torch.from_numpy(scaled(pixels))
    with torch.no_grad():
        features = detector.net.features(x)
        return features.numpy().astype(np.float64), detector.net.classes(features).numpy().astype(np.float64)


def test_the_readings_by_hand(fitted):
    """Minus the log of the greatest softmax; minus the log-sum-exp; the fifth neighbour of features of length one."""
    asked, _ = pictures(7, 9)
    features, logits = judged(fitted, asked)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    known, _ = judged(fitted, pictures()[0])
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, features)]
    distance, _ = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(unit[0]).kneighbors(unit[1])
    wanted = {
        "cnn": -np.log(shares.max(1)),
        "cnn-energy": -np.log(np.exp(logits).sum(1)),
        "cnn-knn": distance[:, 4],
    }
    said = fitted.score(asked)
    assert said.score == pytest.approx(wanted[fitted.kind], rel=1e-4, abs=1e-4)
    assert said.classes == pytest.approx(shares, abs=1e-5)
    assert said.score.dtype == said.classes.dtype == np.float64
    assert (said.nearest, dict(said.parts)) == (None, {})


def test_the_readings_differ_and_share_their_network():
    """One seed gives the three the same weights and probabilities, and three different orders of images."""
    said = [CLASSIFIERS[name].fit(*pictures(), seed=5).score(pictures(20, 9)[0]) for name in CLASSIFIERS]
    assert np.array_equal(said[0].classes, said[1].classes) and np.array_equal(said[0].classes, said[2].classes)
    assert len({tuple(np.argsort(s.score).tolist()) for s in said}) == 3


def test_it_learns_its_classes():
    """The three kinds are told apart on images that it has not seen."""
    asked, labels = pictures(30, 7)
    said = CLASSIFIERS["cnn"].fit(*pictures(), seed=0).score(asked)
    assert np.mean(said.classes.argmax(1) == labels) > 0.95


def test_labels_go_with_their_images():
    """Classes renamed by a permutation give probabilities that are permuted: no image trains under another's label."""
    x, labels = pictures()
    asked, true = pictures(30, 7)
    turned = CLASSIFIERS["cnn"].fit(x, (labels + 1) % 3, seed=0).score(asked)
    assert np.mean(turned.classes.argmax(1) == (true + 1) % 3) > 0.95


def test_a_seed_repeats_to_the_bit(fitted):
    """The same seed gives the same tensors whatever was drawn before; another gives others."""
    torch.manual_seed(123)
    again, other = (CLASSIFIERS[fitted.kind].fit(*pictures(), seed=seed).tensors() for seed in (5, 6))
    assert all(torch.equal(tensor, again[name]) for name, tensor in fitted.tensors().items())
    assert not torch.equal(other["classes.weight"], again["classes.weight"])


def test_falling_step_sizes_halve_the_second_of_two_steps():
    """Adam's first step is whole, its second half as long as with one step size."""
    x, labels = pictures()
    first, second, falling = (
        classifier.CNN.fit(x, labels, 5, steps=steps, decay=decay).net.classes.weight
        for steps, decay in ((1, True), (2, False), (2, True))
    )
    assert torch.allclose(falling - first, (second - first) / 2, atol=1e-7) and (second - first).abs().mean() > 1e-5
    assert torch.equal(first, classifier.CNN.fit(x, labels, 5, steps=1).net.classes.weight)


@pytest.mark.parametrize("n", [1, 3, 33, 300])
def test_scores_do_not_depend_on_the_company(n, fitted):
    """The first images score the same bits alone as among 300, beyond a block's border."""
    asked, _ = pictures(100, 3)
    whole, some = fitted.score(asked), fitted.score(asked[:n])
    assert np.array_equal(some.score, whole.score[:n]) and np.array_equal(some.classes, whole.classes[:n])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 10), (1, 1, 2)], ids=str)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_restored_scores_are_bit_equal(name, shape):
    """Grey, colour and tiny images: what `tensors` and `facts` give makes a detector of the same bits."""
    baseline, (x, labels) = CLASSIFIERS[name], pictures(10, 0, shape)
    fitted = baseline.fit(x, labels, seed=1)
    again = baseline.restore(fitted.tensors(), fitted.facts(), shape)
    assert again.facts() == fitted.facts() == {"classes": 3}
    said, wanted = again.score(x[::3]), fitted.score(x[::3])
    assert np.array_equal(said.score, wanted.score) and np.array_equal(said.classes, wanted.classes)


def test_fewer_training_images_than_neighbours():
    """With four training images the farthest one's distance counts."""
    x, labels = pictures(2)
    fitted = CLASSIFIERS["cnn-knn"].fit(x[:4], labels[:4], seed=0)
    _, logits = judged(fitted, x)
    assert logits.shape == (6, 2)
    unit = normalize(torch.from_numpy(judged(fitted, x)[0])).numpy()
    wanted = np.linalg.norm(unit[:, None] - unit[None, :4], axis=2).max(1)
    assert fitted.score(x).score == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("facts", "tensors", "words"),
    [
        ({"classes": 4}, {}, r"tensor 'classes\.weight' has shape \(3, 128\), expected \(4, 128\)"),
        ({"classes": 1}, {}, "has the settings {'classes': 1}, not a number of classes"),
        ({"classes": True}, {}, "not a number of classes"),
        ({"classes": 10**9}, {}, "not a number of classes"),
        ({"classes": "3"}, {}, "not a number of classes"),
        ({}, {}, "has the settings {}, not a number of classes"),
        ({"classes": 3, "more": 1}, {}, "not a number of classes"),
        (None, {"known": torch.zeros(5, 127)}, r"tensor 'known' has shape \(5, 127\), expected \(5, 128\)"),
        (None, {"known": torch.zeros(0, 128)}, r"tensor 'known' has shape \(0, 128\), expected \(1, 128\)"),
        (None, {"known": torch.zeros(())}, r"tensor 'known' has shape \(\), expected \(1, 128\)"),
        (None, {"known": torch.full((5, 128), torch.nan)}, "tensor 'known' holds NaN or infinity"),
        (None, {"more": torch.zeros(1)}, "tensor 'more' is not part of the network"),
    ],
)
def test_forged_facts_and_tensors_are_refused(facts, tensors, words, fitted):
    """Another number of classes, other shapes, NaN and strays are one line."""
    with pytest.raises(ModelError, match=words) as error:
        CLASSIFIERS[fitted.kind].restore(
            fitted.tensors() | tensors, fitted.facts() if facts is None else facts, (1, 8, 8)
        )
    assert str(error.value).isprintable()


def test_a_missing_tensor_is_named(fitted):
    """Features that are not there are named."""
    tensors = {name: tensor for name, tensor in fitted.tensors().items() if name != "known"}
    with pytest.raises(ModelError, match="tensor 'known' is missing"):
        CLASSIFIERS[fitted.kind].restore(tensors, fitted.facts(), (1, 8, 8))


def test_vectors_are_refused():
    """A convolution needs images."""
    with pytest.raises(UsageError, match=r"^cnn takes images, not vectors of 7 entries; use pca, knn or ocsvm$"):
        CLASSIFIERS["cnn"].fit(np.zeros((4, 7), np.float32), np.array([0, 0, 1, 1]), seed=0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_command_refuses_vectors_in_one_line(name, tmp_path, capsys):
    """`lookalike train` on vectors exits with 2, before a folder is made."""
    x = np.random.default_rng(0).uniform(-1, 1, (120, 5)).astype(np.float32)
    np.savez(tmp_path / "x.npz", images=x, labels=np.repeat(["a", "b"], 60))
    argv = ["train", tmp_path / "x.npz", "-o", tmp_path / "run", "--known", "a,b", "--method", name, "--threads", "1"]
    line = assert_clean_failure(capsys, argv, 2, f"{name} takes images, not vectors of 5 entries", kept=tmp_path)
    assert line.endswith("use pca, knn or ocsvm")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_command_refuses_a_single_known_class_in_one_line(name, tmp_path, capsys):
    """One class cannot be told from itself: exit code 2, nothing is made."""
    line = assert_clean_failure(capsys, train(tmp_path / "run", method=name), 2, name, kept=tmp_path)
    assert line == f"error: {name} classifies known classes; name two or more (--known), or take rotation"


def test_the_command_trains_and_the_stored_model_scores_the_same_bits(tmp_path, capsys):
    """`lookalike train --known 3,5 --method cnn` ends in a model whose copy gives its scores, classes and verdicts."""
    argv = train(tmp_path / "run", "--known=3,5", method="cnn")
    assert call(capsys, *argv)[0] == 0
    assert call(capsys, *[str(tmp_path / "again") if text == str(tmp_path / "run") else text for text in argv])[0] == 0
    one, two = (tmp_path / name / "model.safetensors" for name in ("run", "again"))
    assert one.read_bytes() == two.read_bytes()
    model = Model.load(tmp_path / "run")
    assert (model.detector.kind, model.classes["known"]) == ("cnn", ("3", "5"))
    pixels = pictures(5)[0]
    said = model.score(pixels)
    assert said.classes.shape == (15, 2)
    assert said.label.tolist() == np.where(said.flagged, -1, said.classes.argmax(1)).tolist()


def test_a_classifier_of_another_number_of_classes_is_refused(tmp_path, capsys):
    """A model whose card names three known classes but whose network tells two is refused."""
    from lookalike.base import checkpoint

    assert call(capsys, *train(tmp_path / "run", "--known=3,5", method="cnn"))[0] == 0
    tensors, facts = checkpoint.load_model(tmp_path / "run")
    checkpoint.save_model(tmp_path / "run", tensors, facts | {"classes": {"known": ["3", "5", "8"], "extra_fakes": []}})
    with pytest.raises(ModelError, match="cnn was not trained on this number of known classes"):
        Model.load(tmp_path / "run")
