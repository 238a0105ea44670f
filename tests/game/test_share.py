"""Shares of the batch by epoch: the half-and-half epoch of AC-GAN v3 is every third pass over the real images."""

from __future__ import annotations

import itertools

import pytest
import torch

from lookalike.game.gan import GAN
from lookalike.game.share import EveryThird, Place, place
from lookalike.game.streams import Real
from lookalike.game.train import drawn_at, train
from lookalike.methods import METHODS

V3 = EveryThird(1.5, 1.0)


def epochs(share, batch, size, updates):
    """The epoch of each of the first updates."""
    return [place(share, update, batch, size).epoch for update in range(updates)]


def test_a_pass_has_as_many_updates_as_its_share_needs():
    """12 images, batch 4: two passes of two updates with 6 real images each, then one of three with 4, and again."""
    assert epochs(V3, 4, 12, 14) == [0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5]
    assert [place(V3, update, 4, 12) for update in (3, 4, 6, 7, 11)] == [
        Place(1, 3), Place(2, 0, third=True), Place(2, 2, third=True), Place(3, 4), Place(5, 3, third=True),
    ]  # fmt: skip


def test_an_update_that_reaches_over_the_end_of_a_pass():
    """10 images: the 4th update of 6 ends the second pass, the 3rd of 4 ends the third; 7 and 5 end the next ones."""
    assert epochs(V3, 4, 10, 14) == [0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 6, 6]


@pytest.mark.parametrize(("batch", "size"), [(8, 16), (32, 4800), (16, 3), (5, 1000), (64, 7)])
def test_two_thirds_of_the_passes_are_usual(batch, size):
    """At the end of each third epoch, each share has shown its passes: 2 c and c, less than one update over."""
    usual, third = (round(share * batch) for share in (1.5, 1.0))
    shown, cycles = {False: 0, True: 0}, []
    for update in range(5000):
        found = place(V3, update, batch, size)
        assert found.index == shown[found.third]
        if found.epoch % 3 == 0 and (not cycles or cycles[-1] < found.epoch):
            cycles.append(found.epoch)
            done = found.epoch // 3
            assert 0 <= shown[False] * usual - 2 * done * size < usual
            assert 0 <= shown[True] * third - done * size < third
        shown[found.third] += 1
    assert len(cycles) > 1


def test_a_constant_share_counts_the_real_images_too():
    """With 1.5 times 4 of 12 images, a pass has two updates, not three; the index is the update's number."""
    assert [place(1.5, update, 4, 12) for update in range(4)] == [Place(0, 0), Place(0, 1), Place(1, 2), Place(1, 3)]


def test_each_pass_shows_each_real_image_once(make_source):
    """Of 12 images, D gets each once in each pass, with either share."""
    source, method = make_source((1, 8, 8), known=12, classes=3), METHODS["acgan-v3"]
    shown = {}
    for update in range(14):
        own, epoch = drawn_at(method, source, update, 4)
        n = round(4 * V3.at(epoch))
        shown.setdefault(epoch, []).append(Real().draw(None, own.at(0, index=own.index), n).x)
    every = sorted(source.take_known(12)[0].sum((1, 2, 3)).tolist())
    found = {epoch: sorted(torch.cat(x).sum((1, 2, 3)).tolist()) for epoch, x in shown.items()}
    assert found == dict.fromkeys(range(6), every)


def test_v3_differs_from_v2_in_every_third_pass(make_source, small, monkeypatch):
    """D gets 12 real and 4 generated images; v3 in the third of each three passes 8 and 8, and v2 never."""
    seen = {"acgan-v2": [], "acgan-v3": []}
    for name, groups in seen.items():
        gan = GAN(small(METHODS[name]), (1, 8, 8), classes=3)
        answer = type(gan.D).forward

        def counted(self, batch, answer=answer, groups=groups):
            if batch.real is not None and not batch.x.requires_grad:
                groups.append(len(batch.x))
            return answer(self, batch)

        monkeypatch.setattr(type(gan.D), "forward", counted)
        list(train(gan, make_source((1, 8, 8), known=24, classes=3), images=80, batch=8))  # ten steps
        monkeypatch.setattr(type(gan.D), "forward", answer)
    assert seen["acgan-v2"] == [12, 4] * 10
    assert seen["acgan-v3"] == [12, 4] * 4 + [8, 8] * 3 + [12, 4] * 3
    assert f"{V3:g}" == "1.5 (every third epoch 1)"


def test_a_resumed_training_is_the_same(make_source, small, same):
    """v3 that stopped in a third pass, and after it, ends in the same bits as an uninterrupted one."""
    source = make_source((1, 8, 8), known=24, classes=3)
    whole, first, second = (GAN(small(METHODS["acgan-v3"]), (1, 8, 8), classes=3, seed=seed) for seed in (1, 1, 2))
    list(train(whole, source, images=80, batch=8))
    list(itertools.islice(train(first, source, images=80, batch=8), 5))
    second.load(first.state(training=True), training=True)
    list(train(second, source, images=80, batch=8, start=5))
    assert same(whole.state(training=True), second.state(training=True))
