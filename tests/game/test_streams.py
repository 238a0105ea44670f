"""What D is shown: images, verdicts, order, noise, and who learns from it."""

from __future__ import annotations

import math

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.game.gan import GAN
from lookalike.game.losses import Minimax
from lookalike.game.source import Source
from lookalike.game.streams import Generated, Real
from lookalike.game.train import draw, judge
from lookalike.methods import METHODS
from lookalike.methods.mcgan import OtherClasses
from lookalike.methods.vtgan import FromTwin, Noised

SHAPE = (1, 8, 8)


def numbered(n=10, others=7):
    """Known images filled with 0, 1, ... and labelled alike; other classes' filled with 200, 201, ..."""
    known = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()
    other = torch.arange(200, 200 + others, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
    return Source(known, torch.arange(n), other, seed=5)


def grey(n=64, side=16):
    """Images of one even grey, 128 / 127.5 - 1."""
    return Source(torch.full((n, 1, side, side), 128, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64), None, 5)


def test_real_images_with_their_labels():
    """Real images are x / 127.5 - 1 of the stored ones, each with its own label, labelled real."""
    batch = Real().draw(None, numbered().at("D", index=0), 6)
    assert batch.x.dtype == torch.float32
    assert torch.equal(batch.x, (batch.y.float() / 127.5 - 1).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2))
    assert (batch.real, batch.z) == (True, None)


def test_dequantised_images_lie_between_their_level_and_the_next():
    """2 (x + u) / 256 - 1 with u uniform in [0, 1): pixel 128 from 0 to 1 / 128, others at the next index."""
    source = grey().at("D", index=0)
    x = Real(dequantised=True).draw(None, source, 64).x
    assert 0 <= x.min() < 1e-4 and 1 / 128 - 1e-4 < x.max() < 1 / 128
    assert x.mean().item() == pytest.approx(1 / 256, rel=0.01)
    assert not torch.equal(x, Real(dequantised=True).draw(None, source.at(index=1), 64).x)
    vectors = Source(torch.tensor([[7.0, -300.0]]), torch.zeros(1, dtype=torch.int64), None, 0)
    assert Real(dequantised=True).draw(None, vectors, 1).x.flatten().tolist() == [7, -300]


def test_scale_ends():
    """0 and 255 become exactly -1 and 1; vectors are taken as they are."""
    source = Source(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), torch.zeros(1, dtype=torch.int64), None, 0)
    assert source.take_known(1)[0].flatten().tolist() == [-1, 1]
    vectors = Source(torch.tensor([[7.0, -300.0]]), torch.zeros(1, dtype=torch.int64), None, 0)
    assert vectors.take_known(1)[0].flatten().tolist() == [7, -300]


@pytest.mark.parametrize("n", [1, 3, 4, 10, 25])
def test_each_image_once_per_pass(n):
    """Whatever the batch size, every pass shows each image exactly once, in an order of its own."""
    source = numbered(10).at("D", index=0)
    rows = torch.cat([source.at(index=i).rows(10, n) for i in range(math.ceil(30 / n))])[:30]
    passes = [rows[i : i + 10].tolist() for i in (0, 10, 20)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_draws_depend_on_seed_purpose_and_index_only():
    """The same place in the course draws the same bits whatever was drawn before; another place draws others."""
    source = numbered(200)

    def drawn(seed=5, purpose=("D", 0), index=3):
        at = Source(source.known, source.labels, source.others, seed).at(*purpose, index=index)
        return at.take_known(40)[1], torch.randn(4, generator=at.generator())

    rows, noise = drawn()
    torch.manual_seed(123)
    source.at("G", index=9).take_known(17)
    again = drawn()
    assert torch.equal(rows, again[0])
    assert torch.equal(noise, again[1])
    for other in (drawn(seed=6), drawn(purpose=("D", 1)), drawn(purpose=("weak", "D", 0)), drawn(index=2)):
        assert not torch.equal(rows, other[0])
        assert not torch.equal(noise, other[1])


@pytest.mark.parametrize("n", [1, 4, 7, 12])
def test_classes_take_turns(n):
    """Balanced: of any 3 m images each of 3 classes has m, and a class shows all its images before one comes again."""
    labels = torch.tensor([0] * 10 + [1] * 2 + [2] * 3)
    source = (
        Source(torch.arange(15, dtype=torch.uint8).reshape(-1, 1, 1, 1), labels, None, 5).in_turn().at("D", index=0)
    )
    drawn = [source.at(index=i).take_known(n) for i in range(math.ceil(60 / n))]
    x, y = (torch.cat(parts)[:60] for parts in zip(*drawn, strict=True))
    rows = ((x.flatten() + 1) * 127.5).round().int()
    assert torch.equal(labels[rows], y)
    assert y.bincount().tolist() == [20, 20, 20]
    for label, size in enumerate((10, 2, 3)):
        mine = rows[y == label].tolist()
        passes = [sorted(mine[i : i + size]) for i in range(0, 20 - 20 % size, size)]
        assert all(one == rows[y == label].unique().tolist() for one in passes)
        assert len({tuple(mine[i : i + size]) for i in range(0, 20 - 20 % size, size)}) > 1


def test_other_classes():
    """Other classes' images come from the other classes, labelled fake, without a class number."""
    batch = OtherClasses().draw(None, numbered().at("D", index=0), 7)
    stored = ((batch.x[:, 0, 0, 0] + 1) * 127.5).round()
    assert sorted(stored.tolist()) == list(range(200, 207))
    assert (batch.real, batch.y, batch.z) == (False, None, None)


@pytest.mark.parametrize("others", [None, torch.zeros(0, 1, 2, 2, dtype=torch.uint8)])
def test_other_classes_without_any(others):
    """Without another class's images the method is refused with what to do."""
    source = Source(numbered().known, numbered().labels, others, 5)
    with pytest.raises(UsageError, match=r"another class's images and none were given; name one \(--extra-fakes\)"):
        OtherClasses().draw(None, source, 4)


def test_noise_has_the_sigma_asked_for():
    """Gaussian noise of 0.1: deviation 0.1 and mean 0 around the image, labelled fake."""
    batch = Noised(sigma=0.1).draw(None, grey().at("D", index=0), 64)
    noise = batch.x - (128 / 127.5 - 1)
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert (batch.real, batch.y, batch.z) == (False, None, None)


def test_salt_and_pepper_has_the_share_asked_for():
    """Salt and pepper of 0.2: a tenth of the entries -1, a tenth +1, all others bit-equal to the image."""
    source = grey().at("D", index=0)
    x = Noised(sigma=0, salt_pepper=0.2).draw(None, source, 64).x
    share = {value: (x == value).float().mean().item() for value in (-1, 1)}
    assert share[-1] == pytest.approx(0.1, abs=0.01)
    assert share[1] == pytest.approx(0.1, abs=0.01)
    assert torch.equal(x[x.abs() < 1].unique(), source.take_known(1)[0].unique())


def test_noised_images_are_clamped():
    """Noise of 1 leaves [-1, 1] nowhere, and puts the normal tail's 31.7 % on the bounds; vectors are not clamped."""
    x = Noised(sigma=1.0).draw(None, grey().at("D", index=0), 64).x
    assert x.abs().max() == 1
    assert (x.abs() == 1).float().mean().item() == pytest.approx(1 - math.erf(1 / math.sqrt(2)), abs=0.01)
    vectors = Source(torch.zeros(50, 40), torch.zeros(50, dtype=torch.int64), None, 5).at("D", index=0)
    assert Noised(sigma=1.0).draw(None, vectors, 50).x.std().item() == pytest.approx(1, rel=0.05)


def test_noise_is_new_at_each_index():
    """The same image gets other noise at another step, the same at the same."""
    first, again, later = (Noised().draw(None, grey().at("D", index=i), 8).x for i in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_generated(small, make_source):
    """G's images are G(z) of z from the method's prior at this place in the course; D is taught that they are fake."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    source = make_source(SHAPE).at("G", index=2)
    batch = Generated().draw(gan, source, 5)
    assert torch.equal(batch.z, torch.randn(5, 8, generator=generator(3, "G", 2)))
    assert torch.equal(batch.x, gan.G(batch.z))
    assert (batch.real, batch.y, batch.x.requires_grad) == (False, None, True)


def test_other_classes_give_g_no_gradient(small, make_source):
    """D's loss on other classes' images reaches no weight of G, even where gradients are on."""
    gan = GAN(small(METHODS["mcgan"]), SHAPE)
    _, generated, others = judge(gan, draw(gan, gan.method.d_sees, make_source(SHAPE).at("D", index=0), 6))
    weights = list(gan.G.parameters())

    def gradients(groups):
        return torch.autograd.grad(Minimax().d(groups), weights, allow_unused=True, retain_graph=True)

    assert all(gradient is None for gradient in gradients([others]))
    pairs = list(zip(gradients([generated]), gradients([generated, others]), strict=True))
    assert all(torch.equal(alone, both) for alone, both in pairs)
    assert any(alone.abs().max() > 0 for alone, _ in pairs)


def test_twins_images(small, make_source):
    """The twin's images are its own G(z) of its own longer z, and no gradient reaches the twin."""
    gan = GAN(small(METHODS["vtgan"]), SHAPE)
    source = make_source(SHAPE).at("D", index=1)
    batch = FromTwin("weak").draw(gan, source, 6)
    z = torch.randn(6, 12, generator=generator(3, "D", 1))
    assert torch.equal(batch.x, gan.twins["weak"].G(z).detach())
    assert (batch.real, batch.y, batch.z, batch.x.requires_grad) == (False, None, None, False)
    judged = judge(gan, [batch])
    Minimax().d(judged).backward()
    assert all(weight.grad is None for weight in gan.twins["weak"].G.parameters())
    assert all(weight.grad is None for weight in gan.twins["weak"].D.parameters())


def test_streams_draw_apart(small, make_source):
    """Two streams of the same kind in one method draw different images."""
    method = small(METHODS["anogan"]).but(d_sees=((Real(), 1), (Generated(), 1), (Generated(), 0.5)))
    real, first, second = draw(GAN(method, SHAPE), method.d_sees, make_source(SHAPE).at("D", index=0), 8)
    assert [len(b.x) for b in (real, first, second)] == [8, 8, 4]
    assert [b.share for b in (real, first, second)] == [1, 1, 0.5]
    assert not torch.equal(first.z[:4], second.z)


def test_noise_of_nothing_is_refused():
    """Without any noise D would be taught that real images are fake."""
    with pytest.raises(UsageError, match="--noise or --salt-pepper"):
        Noised(sigma=0, salt_pepper=0)
