"""Images of the known classes of which nobody says which: D learns their realness, and where the classes lie."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import call, settings, train

from lookalike.base.errors import DataError, UsageError
from lookalike.data import Images, read
from lookalike.game.batch import Batch, Judged, Judgement
from lookalike.game.gan import GAN
from lookalike.game.heads_by_class import KPlusOne
from lookalike.game.losses import AuxiliaryClass, Minimax
from lookalike.game.streams import Generated, Real, Unlabelled
from lookalike.game.train import draw
from lookalike.runs import plan as plans
from lookalike.runs.record import open_choices
from lookalike.runs.settings import train_settings


@pytest.fixture(scope="module")
def half():
    """Digits whose every second image of 3 and 8 has no label."""
    digits = read("digits")
    chosen = np.isin(digits.labels, [3, 8]) & (np.arange(len(digits)) % 2 == 1)
    labels = np.where(chosen, 10, digits.labels)
    return Images(digits.pixels, labels, (*digits.classes, "nobody"), digits.names)


def test_salimans_loss_by_hand():
    """D minimises -log p(y|x) of labelled, -log(1 - p(fake)) of unlabelled and -log p(fake) of generated images."""
    layers = KPlusOne().build(4, (1, 8, 8), 3, 8)
    random = torch.Generator().manual_seed(1)
    features = [torch.randn(5, 4, generator=random) for _ in range(3)]
    y = torch.tensor([0, 1, 2, 1, 0])
    x = torch.zeros(5, 1, 8, 8)
    batches = [Batch(x, y, None, True), Batch(x, None, None, True), Batch(x, None, None, False)]
    judged = [Judged(b, KPlusOne().answer(layers, f, b)) for b, f in zip(batches, features, strict=True)]
    assert all(isinstance(j.says, Judgement) for j in judged)
    p = [layers["logits"](f).softmax(1) for f in features]  # fake first
    expected = -p[0][torch.arange(5), y + 1].log().mean() - (1 - p[1][:, 0]).log().mean() - p[2][:, 0].log().mean()
    losses = Minimax().d(judged) + AuxiliaryClass(on_fake=False, g_weight=0.0).d(judged)
    assert torch.allclose(losses, expected, atol=1e-5)


def test_their_images_are_drawn_without_a_label(half):
    """D is shown labelled, generated and unlabelled images; the last carry no label and are never tests."""
    plan = plans.make(
        half, train_settings(**settings("k-plus-one", known=("3", "8"), unlabelled=("nobody",), net="anogan"))
    )
    assert plan.recipe.method.d_sees == ((Real(), 1), (Generated(), 1), (Unlabelled(), 1.0))
    assert set(half.labels[plan.rows.unlabelled]) == {10} and not set(plan.rows.unlabelled) & set(plan.rows.test)
    assert (
        len(plan.rows.unlabelled)
        == np.sum(half.labels == 10) - np.isin(plan.rows.test, np.flatnonzero(half.labels == 10)).sum()
    )
    gan = GAN(plan.recipe.method, half.shape, classes=2)
    with torch.no_grad():
        real, made, more = draw(gan, plan.recipe.method.d_sees, plan.source().at("D", index=3), 16)
    assert real.y is not None and made.y is None and more.y is None and more.real is True
    pixels = ((more.x + 1) * 127.5).round().byte()
    known = {bytes(half.pixels[i]) for i in plan.rows.unlabelled}
    assert all(bytes(image.numpy()) in known for image in pixels)
    assert set(plan.keys()["train"]) == {half.keys[i] for i in (*plan.rows.train, *plan.rows.unlabelled)}
    assert open_choices(plan)["images without a label"] == str(len(plan.rows.unlabelled))


def test_a_folder_without_labels_trains_and_is_no_unknown_class(half, tmp_path, capsys):
    """On the command line: a class folder of such images; evaluate counts it neither as known nor as unknown."""
    np.savez(tmp_path / "half.npz", images=half.pixels[:, 0], labels=half.labels, classes=np.array(half.classes))
    out = tmp_path / "run"
    flags = ("--known", "3,8", "--unlabelled", "nobody", "--net", "anogan")
    assert call(capsys, *train(out, *flags, method="k-plus-one", data=tmp_path / "half.npz"))[0] == 0
    code, text, err = call(capsys, "evaluate", out, tmp_path / "half.npz", "--json")
    assert code == 0, err
    assert json.loads(text)["unknown"] == [str(digit) for digit in (0, 1, 2, 4, 5, 6, 7, 9)]


def test_what_cannot_learn_from_them_is_refused(half):
    """A D that does not classify, a D with the class as an input, a class named twice, or a class without images."""
    for given, error, words in (
        ({"method": "sn-binary"}, UsageError, "D does not classify"),
        (
            {"method": "k-plus-one-projection"},
            UsageError,
            "D has the class as an input; take a method whose D classifies",
        ),
        ({"method": "acgan", "spread": True}, UsageError, "--spread is how much the images of a class differ"),
        ({"method": "k-plus-one", "unlabelled": ("3",)}, UsageError, "is known or an extra fake, and --unlabelled"),
        ({"method": "k-plus-one", "unlabelled": ("nowhere",)}, DataError, "no class 'nowhere'"),
    ):
        with pytest.raises(error, match=words):
            plans.make(half, train_settings(**settings(known=("3", "8"), **{"unlabelled": ("nobody",)} | given)))
    acgan = plans.make(half, train_settings(**settings("acgan", known=("3", "8"), unlabelled=("nobody",), batch=32)))
    assert acgan.recipe.method.d_sees[2] == (Unlabelled(), 1.0) and not acgan.recipe.method.head.spread
    idle = settings("k-plus-one", known=("3", "8"), unlabelled=("nobody",), net="anogan", spread=True)
    with pytest.raises(UsageError, match="k-plus-one does not use --spread; leave it out"):
        plans.make(half, train_settings(**idle))
