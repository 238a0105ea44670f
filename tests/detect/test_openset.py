"""Joined detectors: the softmax regression is scikit-learn's, the score the most likely class's, no bit moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lookalike.detect.baselines.knn import KNN
from lookalike.detect.detector import Scores
from lookalike.detect.openset import OpenSet
from lookalike.detect.scale import Scale


@dataclass(frozen=True)
class Told:
    """A detector whose score is one entry of the vector, and whose nearest image is a constant."""

    entry: int
    offers: bool = True
    kind = "told"

    def score(self, pixels: Any) -> Scores:
        """The entry."""
        nearest = np.full((len(pixels), 1, 2, 2), self.entry, np.uint8) if self.offers else None
        return Scores(pixels[:, self.entry].astype(np.float64), {}, nearest)

    def tensors(self) -> dict[str, torch.Tensor]:
        """One that tells which detector it is."""
        return {"entry": torch.tensor(self.entry)}

    def facts(self) -> dict[str, Any]:
        """The same as a setting."""
        return {"entry": self.entry}


def held(k, each=40, seed=0):
    """Scores (N, k) of held-out images, lowest for the own class but overlapping, each detector in its own unit."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), each)
    scores = random.normal(0, 1, (k * each, k)) + 2 * (labels[:, None] != np.arange(k))
    return (scores * 10.0 ** (np.arange(k) % 5) + 5).astype(np.float32), labels


def joined(k, **changes):
    """(open set of k detectors, the held-out scores, their labels)."""
    scores, labels = held(k, **changes)
    return OpenSet.fit({f"class {i}": Told(i) for i in range(k)}, scores, labels), scores, labels


def scaled(scores, labels):
    """(N, k) held-out scores on the scale of each detector's own class, by numpy's quantiles."""
    columns = []
    for i, column in enumerate(scores.astype(np.float64).T):
        middle, high = np.quantile(column[labels == i], (0.5, 0.84))
        away = (column - middle) / (high - middle)
        columns.append(np.sign(away) * np.log(1 + np.abs(away)))
    return np.stack(columns, 1)


@pytest.mark.parametrize("k", [2, 3])
def test_probabilities_are_scikit_learns(k):
    """Of two and of three classes they equal LogisticRegression's on the scaled scores; they sum to one."""
    model, scores, labels = joined(k)
    x = scaled(scores, labels)
    wanted = LogisticRegression(max_iter=1000).fit(x, labels).predict_proba(x)
    said = model.score(scores)
    assert said.classes == pytest.approx(wanted, abs=1e-9)
    assert said.classes.sum(1) == pytest.approx(np.ones(len(labels)), abs=1e-12)
    assert model.join.weights.shape == (k, k) and model.join.biases.shape == (k,)
    assert np.mean(said.classes.argmax(1) == labels) > 0.8


@pytest.mark.parametrize("k", [2, 3])
def test_the_score_is_that_of_the_most_likely_class(k):
    """Score and nearest image are the most likely class's own; the parts are all classes' scaled scores by name."""
    model, scores, labels = joined(k)
    said, x = model.score(scores), scaled(scores, labels)
    likely = said.classes.argmax(1)
    assert set(likely.tolist()) == set(range(k))
    assert said.score == pytest.approx(x[np.arange(len(x)), likely], abs=1e-9)
    assert list(said.parts) == [f"as class {i}" for i in range(k)]
    for i, part in enumerate(said.parts.values()):
        assert part == pytest.approx(x[:, i], abs=1e-9)
    assert said.nearest[:, 0, 0, 0].tolist() == likely.tolist()


@dataclass(frozen=True)
class Locating(Told):
    """Its map is its number everywhere."""

    locates = True

    def locate(self, pixels: Any) -> tuple[Scores, Any]:
        """The scores and maps."""
        return self.score(pixels), np.full((len(pixels), *pixels.shape[2:]), self.entry, np.float32)

    def score(self, pixels: Any) -> Scores:
        """The mean of one channel."""
        return Scores(pixels[:, self.entry].mean((1, 2)).astype(np.float64))


def test_a_map_is_that_of_the_most_likely_class():
    """Each image gets the map of its class's detector, at its own place among the others."""
    scores, labels = held(3)
    pixels = np.broadcast_to(scores[:, :, None, None], (*scores.shape, 2, 4))
    model = OpenSet.fit({f"class {i}": Locating(i) for i in range(3)}, pixels, labels)
    said, maps = model.locate(pixels)
    likely = said.classes.argmax(1)
    assert set(likely.tolist()) == {0, 1, 2}
    assert np.array_equal(maps, np.broadcast_to(likely[:, None, None], (len(scores), 2, 4)))


def test_what_only_some_detectors_offer_is_not_shown():
    """Without a nearest image of each class there is none."""
    scores, labels = held(2)
    model = OpenSet.fit({"a": Told(0), "b": Told(1, offers=False)}, scores, labels)
    assert model.score(scores).nearest is None


@pytest.mark.parametrize("decides", ["all", "best"])
@pytest.mark.parametrize("k", [2, 9, 40])
def test_scores_do_not_depend_on_the_company(k, decides):
    """An image alone, among few, among many and in another order gets the same bits, whatever the number of classes."""
    scores, labels = held(k, each=8)
    model = OpenSet.fit({f"class {i}": Told(i) for i in range(k)}, scores, labels, decides=decides)
    whole, order = model.score(scores), np.random.default_rng(1).permutation(len(scores))
    for rows in (order, order[:7], order[:1], np.arange(1, len(scores), 2)):
        said = model.score(scores[rows])
        assert np.array_equal(said.score, whole.score[rows])
        assert np.array_equal(said.classes, whole.classes[rows])


def test_far_scores_give_finite_probabilities():
    """Scores beyond all that was held out neither overflow nor divide by zero."""
    model, scores, _ = joined(3)
    said = model.score(np.array([[1e38, -1e38, 0], [1e38, 1e38, 1e38]], np.float32))
    assert np.isfinite(said.classes).all() and np.isfinite(said.score).all()
    assert said.classes[0].argmax() == 1
    assert said.score[1] > model.score(scores).score.max()


def test_each_scale_is_of_the_own_class_alone():
    """Scores that a detector gives to images of other classes do not move its scale."""
    model, scores, labels = joined(3)
    assert model.join.scales == tuple(Scale.of(scores[labels == i, i].astype(np.float64)) for i in range(3))
    changed = np.where(labels[:, None] == np.arange(3), scores, scores + 1000)
    assert OpenSet.fit(model.members, changed.astype(np.float32), labels).join.scales == model.join.scales


def test_what_is_stored_are_the_members_and_the_regression():
    """Tensors stand under the class's number; facts hold the members' in order, their kind, and the scales."""
    model, _, _ = joined(3)
    tensors = model.tensors()
    assert set(tensors) == {"weights", "biases", "0.entry", "1.entry", "2.entry"}
    assert [tensors[f"{i}.entry"].item() for i in range(3)] == [0, 1, 2]
    assert np.array_equal(tensors["weights"].numpy(), model.join.weights) and tensors["weights"].dtype == torch.float64
    assert np.array_equal(tensors["biases"].numpy(), model.join.biases)
    assert model.facts() == {
        "kind": "told",
        "members": [{"entry": i} for i in range(3)],
        "scales": [scale.json() for scale in model.join.scales],
        "apart": list(model.join.apart),
    }


def test_each_detectors_auc_is_scikit_learns():
    """Held-out images of the own class against those of the others, by each detector's raw score."""
    model, scores, labels = joined(3)
    wanted = [roc_auc_score(labels != i, scores[:, i]) for i in range(3)]
    assert model.join.apart == pytest.approx(wanted, abs=1e-12)
    assert min(wanted) > 0.8


def test_classes_that_one_detector_confuses_are_told_apart_by_the_other():
    """A detector that is blind to its own class leaves the verdict to the one that sees: that gets the weight."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    scores = np.stack([random.normal(size=200), random.normal(size=200) + 6 * (labels == 0)], 1).astype(np.float32)
    model = OpenSet.fit({"blind": Told(0), "sees": Told(1)}, scores, labels)
    assert np.mean(model.score(scores).classes.argmax(1) == labels) > 0.98
    assert np.abs(model.join.weights[1]).tolist()[1] > 3 * np.abs(model.join.weights[1]).tolist()[0]


def test_detectors_of_the_package_are_joined():
    """Nearest neighbours of three blobs: each blob is classified, and a fourth scores above all of them."""
    random = np.random.default_rng(0)

    def blob(i, n):
        return (random.normal(size=(n, 4)) + 8 * np.eye(4)[i]).astype(np.float32)

    members = {f"{i}": KNN.fit(blob(i, 40), 0) for i in range(3)}
    labels = np.repeat([0, 1, 2], 30)
    model = OpenSet.fit(members, np.concatenate([blob(i, 30) for i in range(3)]), labels)
    known, unknown = model.score(np.concatenate([blob(i, 30) for i in range(3)])), model.score(blob(3, 30))
    assert known.classes.argmax(1).tolist() == labels.tolist()
    assert unknown.score.min() > np.quantile(known.score, 0.95)
    assert known.nearest is None


def test_the_better_of_two_detectors_decides_alone():
    """As mcgan-2021 has it: the one whose held-out AUC is higher says which class, by a regression on its score."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    poor, good = (random.normal(size=120) + gap * (labels != k) for k, gap in ((0, 1), (1, 3)))
    scores = np.stack([poor, good], 1).astype(np.float32)
    model = OpenSet.fit({"poor": Told(0), "good": Told(1)}, scores, labels, decides="best")
    assert model.join.order == (1, 0) and model.facts()["order"] == [1, 0]
    x = scaled(scores, labels)
    wanted = LogisticRegression(max_iter=1000).fit(x[:, 1:], labels).predict_proba(x[:, 1:])
    assert model.score(scores).classes == pytest.approx(wanted, abs=1e-9)
    assert np.array_equal(model.score(scores[:, [1, 1]]).classes, model.score(scores).classes)


def test_of_more_classes_the_next_best_decides_on_what_is_left():
    """Each probability is that of scikit-learn's regression on one score, times what the better detectors leave."""
    scores, labels = held(3)
    scores[:, 0] += np.random.default_rng(1).normal(0, 3, len(scores)).astype(np.float32)  # the worst
    model = OpenSet.fit({f"{i}": Told(i) for i in range(3)}, scores, labels, decides="best")
    first, second, last = model.join.order
    assert last == 0 and sorted(model.join.apart, reverse=True) == [model.join.apart[k] for k in model.join.order]
    x, left = scaled(scores, labels), labels != first
    of_first = LogisticRegression().fit(x[:, [first]], labels == first).predict_proba(x[:, [first]])[:, 1]
    of_second = LogisticRegression().fit(x[left][:, [second]], labels[left] == second)
    of_second = (1 - of_first) * of_second.predict_proba(x[:, [second]])[:, 1]
    said = model.score(scores).classes
    assert said[:, first] == pytest.approx(of_first, abs=1e-6)
    assert said[:, second] == pytest.approx(of_second, abs=1e-6)
    assert said.sum(1) == pytest.approx(np.ones(len(said)), abs=1e-12)


def test_one_scale_for_all_compares_scores_as_they_are():
    """The scale is that of all images' scores by their own class's detector, so that the scores keep their order."""
    scores, labels = held(3)
    model = OpenSet.fit({f"{i}": Told(i) for i in range(3)}, scores, labels, scaling="shared")
    own = scores[np.arange(len(labels)), labels].astype(np.float64)
    assert model.join.scales == (Scale.of(own),) * 3
    found = np.stack(list(model.score(scores).parts.values()), 1)
    assert np.array_equal(np.argsort(found, None, "stable"), np.argsort(scores, None, "stable"))
