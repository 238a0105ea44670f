"""The faster convolutions of grey images compute what `Conv2d` computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lookalike.game.nets.grey import FromGrey, ToGrey, convolution

CASES = {"from grey": (1, 6), "to grey": (6, 1)}


def plain(layer):
    """`Conv2d` with a layer's weights."""
    conv = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding)
    conv.load_state_dict(layer.state_dict())
    return conv


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("case", CASES)
def test_inference_is_the_convolution(case, size):
    """In inference mode values and the gradient of the input are those of the plain convolution."""
    layer = convolution(*CASES[case], size).eval()
    x = torch.randn(3, CASES[case][0], 8, 10).requires_grad_()
    ours, wanted = layer(x), plain(layer)(x)
    assert ours.shape == (3, CASES[case][1], 8, 10)
    assert torch.allclose(ours, wanted, atol=1e-5)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (ours, wanted)]
    assert torch.allclose(*gradients, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_training_is_the_convolution(case):
    """In training mode it is the plain convolution, bit for bit, with the gradients of its weights."""
    layer = convolution(*CASES[case], 5)
    conv, x = plain(layer), torch.randn(3, CASES[case][0], 8, 8)
    for one in (layer, conv):
        one(x).square().sum().backward()
    assert torch.equal(layer(x), conv(x))
    assert torch.equal(layer.weight.grad, conv.weight.grad)
    assert torch.equal(layer.bias.grad, conv.bias.grad)


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind"),
    [(1, 4, FromGrey), (4, 1, ToGrey), (1, 1, nn.Conv2d), (3, 4, nn.Conv2d), (4, 3, nn.Conv2d)],
)
def test_where_it_is_used(inputs, outputs, kind):
    """Only a convolution with one channel on exactly one side is replaced; weights keep the plain one's names."""
    layer = convolution(inputs, outputs, 3)
    assert type(layer) is kind
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        "weight": (outputs, inputs, 3, 3),
        "bias": (outputs,),
    }
