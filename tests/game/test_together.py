"""One GAN on several processes: each draws its part of what one would draw, and all learn what one would learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import together
import torch
from safetensors.torch import load_file

from lookalike.base.errors import UsageError
from lookalike.base.ranks import Ranks
from lookalike.base.seeds import generator
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.gan import GAN
from lookalike.game.nets.sync_norm import SyncNorm2d, share_norms
from lookalike.game.streams import Real, Unlabelled
from lookalike.game.train import check_batch
from lookalike.methods import METHODS
from lookalike.methods.ali import FromPosterior
from lookalike.methods.mcgan import OtherClasses
from lookalike.methods.vtgan import Noised

HALVES = (Ranks(0, 2), Ranks(1, 2))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder with what two processes of torchrun have after their trainings."""
    folder = tmp_path_factory.mktemp("together")
    together.on_two_processes(together.__file__, str(folder))
    return folder


def of(files: Path, place: str, name: str, rank: int) -> dict[str, torch.Tensor]:
    """What a process has."""
    return load_file(files / f"{place}-{name}-{rank}.safetensors")


@pytest.mark.parametrize("name", together.NETS)
def test_two_processes_learn_what_one_learns(files, name):
    """After 50 steps the tensors of two processes are those of one process with the whole batch, within 1e-5."""
    with together.in_float64():
        alone = together.trained(name)
    both = of(files, "first", name, 0)
    assert both.keys() == alone.keys()
    for key, value in alone.items():
        assert torch.allclose(both[key], value, rtol=0, atol=1e-5), key


@pytest.mark.parametrize("name", together.NETS)
def test_both_processes_have_the_same_bits(files, same, name):
    """Weights, statistics of norms, Adam's moments, twins and leaves are the same bits in both processes."""
    assert same(of(files, "first", name, 0), of(files, "first", name, 1))


@pytest.mark.parametrize("name", together.AGAIN)
def test_again_they_have_the_same_bits(files, same, name):
    """A second training of the same processes ends in the same bits."""
    assert same(of(files, "again", name, 0), of(files, "first", name, 0))


@pytest.mark.parametrize("stream", [Real(), OtherClasses(), Unlabelled(), Noised(0.2, 0.1)])
def test_processes_draw_the_halves_of_a_draw(make_source, stream):
    """The images of two processes, one after the other, are those that one process draws; so are their classes."""
    source = make_source((1, 4, 4), classes=3).at("D", index=4)
    source = replace(source, unlabelled=source.others)
    whole = stream.draw(None, source, 6)
    parts = [stream.draw(None, replace(source, ranks=ranks), 3) for ranks in HALVES]
    assert torch.equal(torch.cat([part.x for part in parts]), whole.x)
    if whole.y is not None:
        assert torch.equal(torch.cat([part.y for part in parts]), whole.y)


def test_processes_draw_the_halves_where_classes_take_turns(make_source):
    """With classes in turn, two processes get the halves of what one gets."""
    source = make_source((1, 4, 4), known=25, classes=3).in_turn().at("D", index=2)
    whole, parts = source.take_known(8), [replace(source, ranks=ranks).take_known(4) for ranks in HALVES]
    for k in (0, 1):
        assert torch.equal(torch.cat([part[k] for part in parts]), whole[k])


def test_processes_draw_halves_of_latents_and_posteriors(make_source, small):
    """z, classes and the z that a twin's encoder draws for real images are halves of those of one process."""
    gan = GAN(small(METHODS["acgan-ali-v1"], "dcgan"), (1, 8, 8), classes=3)
    source = make_source((1, 8, 8), classes=3).at("G", index=1)
    for draw in (gan.latents, lambda source, n: (FromPosterior().draw(gan, source, n).z, None)):
        whole, parts = draw(source, 6), [draw(replace(source, ranks=ranks), 3) for ranks in HALVES]
        assert torch.allclose(torch.cat([part[0] for part in parts]), whole[0], atol=1e-6)
        if whole[1] is not None:
            assert torch.equal(torch.cat([part[1] for part in parts]), whole[1])


def test_processes_change_images_as_one_would():
    """DiffAugment changes the two halves of a group as it changes the whole group."""
    x = torch.rand(6, 3, 8, 8, generator=generator("x"))
    whole = DiffAugment()(x, generator("change"))
    parts = [DiffAugment()(x.chunk(2)[ranks.rank], generator("change"), ranks) for ranks in HALVES]
    assert torch.equal(torch.cat(parts), whole) and not torch.equal(whole, x)


def test_a_batch_that_cannot_be_shared_is_refused():
    """Shares of a batch that do not divide, or leave a process one image, are refused with a batch that fits."""
    check_batch(METHODS["acgan"], 64, 4)
    with pytest.raises(UsageError, match=r"Real 16 images, which 3 processes .* take a batch of 36"):
        check_batch(METHODS["acgan-v1"], 32, 3)
    with pytest.raises(UsageError, match="Real fewer than 2 images in each of 8 processes"):
        check_batch(METHODS["acgan-v1"], 16, 8)


def test_a_shared_norm_alone_is_batch_norm():
    """In one process a shared norm gives what batch norm gives: outputs, running statistics, and all gradients."""
    x, weights = torch.rand(6, 3, 4, 4, generator=generator("x")), torch.rand(6, 3, 4, 4, generator=generator("w"))
    found = []
    for shared in (False, True):
        net, inputs = torch.nn.Sequential(torch.nn.BatchNorm2d(3)), x.clone().requires_grad_()
        if shared:
            share_norms(net, Ranks())
            assert type(net[0]) is SyncNorm2d
        (net(inputs) * weights).sum().backward()
        gradients = [inputs.grad, *(weight.grad for weight in net.parameters())]
        found.append([*gradients, *net.buffers(), net(x), net.eval()(x)])
    for plain, shared in zip(*found, strict=True):
        assert torch.allclose(plain.float(), shared.float(), atol=1e-5)
