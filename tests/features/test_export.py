"""The helper of docs/backbones.md, as it stands there, exports a network that lookalike reads."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from lookalike.features.backbone import Tap
from lookalike.features.onnx_file import opened

DOCUMENT = Path(__file__).parents[2] / "docs" / "backbones.md"


@pytest.fixture(scope="module")
def helper():
    """What the document's Python defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    defined = {}
    exec(code, defined)
    return defined


class Network(nn.Module):
    """Two stages with batch norm, and a classifier whose output is not wanted."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.classes = nn.Linear(6, 10)

    def forward(self, x):
        """Logits."""
        return self.classes(self.second(self.first(x)).mean((2, 3)))


class Tokens(nn.Module):
    """Squares of 14 x 14 pixels as tokens, after a token for the whole image; given as a map."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 14, 14)

    def forward(self, image):
        """One map."""
        tokens = self.embed(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1).relu()
        return (tokens[:, 1:].transpose(1, 2).unflatten(2, (image.shape[2] // 14, image.shape[3] // 14)),)


def exported(helper, *args, **facts):
    """Exports without the notes of torch on its own future."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        helper["export"](*args, **facts)


def test_layers_become_taps(helper, tmp_path):
    """Maps of two layers for images of several sizes and numbers, with the mean and deviation that were named."""
    torch.manual_seed(0)
    net, path = Network().eval(), tmp_path / "net.onnx"
    for layer in (net.first[1], net.second[1]):
        layer.running_mean.uniform_(-1, 1)
    facts = {"mean": "127.5,127.5,127.5", "std": "255,255,255"}
    exported(helper, helper["Taps"](net, ["first", "second"]), str(path), ["first", "second"], **facts)
    found = opened(path)
    assert found.taps == (Tap("first", 4, 4), Tap("second", 6, 8)) and found.size is None
    assert [one.name for one in tmp_path.iterdir()] == ["net.onnx"]
    for shape in ((3, 3, 32, 64), (1, 3, 72, 40)):
        x = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255
        with torch.no_grad():
            first = net.first((x - 127.5) / 255)
            wanted = first, net.second(first)
        assert all(torch.allclose(m, w, atol=1e-5) for m, w in zip(found.maps(x, found.taps), wanted, strict=True))


def test_tokens_become_a_map(helper, tmp_path):
    """A transformer's tokens are brought to their places, at one size."""
    net, path = Tokens().eval(), tmp_path / "net.onnx"
    exported(helper, net, str(path), ["block"], (42, 56))
    found = opened(path)
    assert found.taps == (Tap("block", 8, 14),) and found.size == (42, 56)
    x = torch.rand(2, 3, 42, 56, generator=torch.Generator().manual_seed(1)) * 255
    with torch.no_grad():
        wanted = net.embed((x - found.mean) / found.std).relu()
    assert torch.allclose(found.maps(x, found.taps)[0], wanted, atol=1e-5)
