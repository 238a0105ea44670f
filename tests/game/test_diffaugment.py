"""Differentiable augmentation: what each change does to known pixels, and whom the gradient reaches."""

from __future__ import annotations

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.gan import GAN
from lookalike.game.train import draw, step
from lookalike.methods import METHODS

NONE = DiffAugment(0.0, 0.0, 0.0)


def random(turn=0):
    """A generator, the same for the same turn."""
    return generator(0, "test", turn)


def test_nothing_asked_changes_nothing():
    """With every strength 0 the images come back bit for bit."""
    x = torch.rand(5, 3, 8, 6, generator=random())
    assert torch.equal(NONE(x, random()), x)


def test_moved():
    """An image is moved by whole pixels, at most the share of each side, in every direction; zeros come in."""
    x = torch.arange(1.0, 8 * 16 + 1).reshape(1, 1, 8, 16)
    seen = set()
    for turn in range(400):
        found = DiffAugment(0.0, 0.25, 0.0)(x, random(turn))[0, 0]
        row, column = divmod(int(found[4, 8]) - 1, 16)  # where the middle came from
        down, right = 4 - row, 8 - column
        wanted = torch.zeros(8, 16)
        source = x[0, 0, max(0, -down) : 8 - max(0, down), max(0, -right) : 16 - max(0, right)]
        wanted[max(0, down) : 8 + min(0, down), max(0, right) : 16 + min(0, right)] = source
        assert torch.equal(found, wanted)
        seen.add((down, right))
    assert seen == {(down, right) for down in range(-2, 3) for right in range(-4, 5)}


def test_cut():
    """A rectangle of half of each side becomes 0, clipped at the border; the rest stays; each pixel is cut once."""
    ones, hidden = torch.ones(1, 1, 8, 6), torch.zeros(8, 6)
    for turn in range(300):
        found = DiffAugment(0.0, 0.0, 0.5)(ones, random(turn))[0, 0]
        assert set(found.unique().tolist()) == {0.0, 1.0}
        rows, columns = (found == 0).any(1), (found == 0).any(0)
        assert torch.equal(found == 0, rows[:, None] & columns[None])
        for where, most in ((rows, 4), (columns, 3)):
            places = where.nonzero().flatten().tolist()
            assert places == list(range(places[0], places[-1] + 1)) and len(places) <= most
            assert len(places) == most or places[0] == 0 or places[-1] == len(where) - 1
        hidden += found == 0
    assert (hidden > 0).all()


def test_brightness_in_colour_alone():
    """Each image of three channels is shifted by one number within the strength; grey ones are left alone."""
    x = torch.rand(200, 3, 4, 4, generator=random())
    shift = (DiffAugment(0.3, 0.0, 0.0)(x, random(1)) - x).flatten(1)
    assert (shift.amax(1) - shift.amin(1) < 1e-6).all()
    assert -0.3 <= shift.min() < -0.27 and 0.27 < shift.max() <= 0.3
    assert torch.equal(DiffAugment(0.3, 0.0, 0.0)(x[:, :1], random(1)), x[:, :1])


def test_same_randomness_same_change():
    """The same generator gives the same bits; images of one group are changed in different ways."""
    x = torch.ones(6, 1, 8, 8)
    first, again = DiffAugment()(x, random()), DiffAugment()(x, random())
    assert torch.equal(first, again)
    assert len({image.numpy().tobytes() for image in first}) > 3


def test_the_gradient_passes_where_the_image_stays():
    """The gradient of the sum is 1 at each pixel that is still seen, and 0 where one was cut or moved out."""
    x = torch.rand(4, 1, 8, 8, generator=random()).add(1).requires_grad_()
    found = DiffAugment()(x, random(2))
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert set(gradient.unique().tolist()) == {0.0, 1.0}
    assert gradient.sum() == (found != 0).sum()


def test_d_sees_changed_images_and_gs_gradient_passes(small, make_source):
    """Every group, real or generated, is changed before D sees it; G still learns; what G makes is not changed."""
    source = make_source((1, 8, 8), classes=3)
    plain = GAN(small(METHODS["acgan"]), (1, 8, 8), classes=3)
    changed = GAN(small(METHODS["acgan"]).but(diff_augment=DiffAugment()), (1, 8, 8), classes=3)
    with torch.no_grad():
        before, after = (draw(gan, gan.method.d_sees, source.at("D", index=0), 8) for gan in (plain, changed))
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.y, other.y) and not torch.equal(one.x, other.x)
        assert (other.x == 0).flatten(1).any(1).all()
    z, y = torch.zeros(2, 8), torch.tensor([0, 1])
    assert torch.equal(plain.generate(z, y), changed.generate(z, y))
    was = [weight.clone() for weight in changed.G.parameters()]
    step(changed, source, 0, 8)
    assert all(not torch.equal(one, other) for one, other in zip(was, changed.G.parameters(), strict=True))


def test_vectors_are_refused():
    """Features of vectors have no places to move to: one line with the flag."""
    with pytest.raises(
        UsageError, match=r"^--diff-augment moves and cuts images; vectors of 7 entries have no places$"
    ):
        GAN(METHODS["cgan"].but(diff_augment=DiffAugment()), (7,), classes=2)
