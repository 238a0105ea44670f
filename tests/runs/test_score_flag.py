"""`train --score`: the model scores so, says so, and comes back so."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from tiny import call, train

import lookalike
from lookalike.base.errors import UsageError
from lookalike.data import scaled
from lookalike.detect.model import Model
from lookalike.runs import choices
from lookalike.runs.settings import train_settings


@pytest.mark.parametrize("score", ["realness", "features"])
def test_a_model_scores_as_it_was_trained_to(score, tmp_path, capsys):
    """A run with --score writes a model whose scores, after loading, are those of the run, with D's realness beside."""
    code, _, err = call(capsys, *train(tmp_path / "run", f"--score={score}"))
    assert (code, err) == (0, "")
    card = json.loads((tmp_path / "run" / "model.json").read_text())
    assert card["method"]["score"]["is"].lower() == score
    model = Model.load(tmp_path / "run")
    images = lookalike.read("digits", size=model.size)
    said = model.score(images.pixels[:40])
    assert set(said.parts) == {"realness"} and said.nearest is None
    if score == "realness":
        assert (said.score == -said.parts["realness"]).all()
    code, _, _ = call(capsys, "score", tmp_path / "run", "digits", "-o", tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert code == 0 and "realness" in rows[0]
    assert [float(row["score"]) for row in rows[:40]] == pytest.approx(said.score, rel=1e-5)
    assert np.isfinite(said.score).all()


def test_several_known_classes_are_joined_by_any_score(tmp_path, capsys):
    """acgan with the classes' score joins its classes and names them."""
    code, _, _ = call(capsys, *train(tmp_path / "run", "--known=3,8", "--score=classes", "--batch=32", method="acgan"))
    assert code == 0
    model = Model.load(tmp_path / "run")
    said = model.score(lookalike.read("digits", size=model.size).of("3").pixels[:20])
    assert said.classes.shape == (20, 2)


def test_a_score_that_cannot_be_had_is_one_line(tmp_path, capsys):
    """A GAN without an encoder cannot score by one; a baseline has a score of its own."""
    code, _, err = call(capsys, *train(tmp_path / "run", "--score=encoder"))
    assert code == 2 and "anogan" in err and "encoder" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()
    code, _, err = call(capsys, *train(tmp_path / "knn", "--score=realness", method="knn"))
    assert code == 0 and "knn does not use" in err and "--score" in err


@pytest.mark.parametrize("method", ["vtgan", "wgan-gp"])
def test_any_method_gets_an_encoder_after_its_game(method, tmp_path, capsys):
    """--encoder: the search starts at the z of a trained encoder, in the loaded model too; the game's weights stay."""
    run = tmp_path / "run"
    code, _, err = call(capsys, *train(run, "--encoder", "--net=anogan", "--search-steps=1", method=method))
    assert (code, err) == (0, "")
    model = Model.load(run)
    gan, pixels = model.detector.gan, lookalike.read("digits", size=model.size).pixels[:20]
    x = torch.from_numpy(scaled(pixels))
    said, z = model.score(pixels), gan.encode(x)
    far = (x - gan.generate(z)).abs().flatten(1).sum(1)
    assert said.parts["R"] == pytest.approx(far.numpy(), rel=1e-3)
    assert gan.method.score.name == "refined" and gan.method.twins[-1].name == "encoder"


def test_an_encoder_takes_half_of_twice_as_many_images():
    """Where the user gives no number; the search then takes ten steps, and another score or number wins."""

    def filled(method="anogan", **more):
        return choices.filled(train_settings(known=("3",), method=method, **more), (1, 32, 32), 1)

    plain, encoder = filled(), filled(encoder=True)
    assert (encoder.images, encoder.search_steps) == (2 * plain.images, 11)
    method = choices.method_of(encoder)
    assert method.ends(100) == 50 and method.score.name == "refined"
    assert filled(encoder=True, images=640, search_steps=3).images == 640
    other = filled(encoder=True, score="search")
    assert (other.search_steps, choices.method_of(other).score.name) == (plain.search_steps, "search")
    with pytest.raises(UsageError, match="--encoder: f-anogan has an encoder already; leave it out"):
        choices.method_of(filled("f-anogan", encoder=True))
