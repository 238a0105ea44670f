"""Inception-v3 as FID has it: the published network's sizes, a forward written out by hand, and its file's reading."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, interpolate, max_pool2d, relu

from lookalike.base.errors import ModelError
from lookalike.features import inception
from lookalike.features.nets.inception import Inception

FILE = 95_628_359  # bytes of the published one


@pytest.fixture(scope="module")
def net():
    """With first weights, and statistics that are not 0 and 1."""
    torch.manual_seed(0)
    net = Inception().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return net


def test_it_has_the_published_sizes(net):
    """566 tensors; their numbers fill the published file, less than a hundredth of which names them."""
    state = net.state_dict()
    assert len(state) == 566
    numbers = sum(one.numel() * one.element_size() for one in state.values())
    assert numbers < FILE < 1.001 * numbers


def by_hand(w: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The published network written out, block by block, from the tensors' names."""

    def c(name, y, stride=1, padding=0):
        y = conv2d(y, w[f"{name}.conv.weight"], stride=stride, padding=padding)
        mean, variance = w[f"{name}.bn.running_mean"], w[f"{name}.bn.running_var"]
        return relu(batch_norm(y, mean, variance, w[f"{name}.bn.weight"], w[f"{name}.bn.bias"], eps=0.001))

    def mean(y):
        return avg_pool2d(y, 3, 1, 1, count_include_pad=False)

    row, column = (0, 3), (3, 0)
    x = c("Conv2d_2a_3x3", c("Conv2d_1a_3x3", x, 2))
    x = max_pool2d(c("Conv2d_2b_3x3", x, padding=1), 3, 2)
    x = max_pool2d(c("Conv2d_4a_3x3", c("Conv2d_3b_1x1", x)), 3, 2)
    for b in ("Mixed_5b.branch", "Mixed_5c.branch", "Mixed_5d.branch"):
        five = c(b + "5x5_2", c(b + "5x5_1", x), padding=2)
        three = c(b + "3x3dbl_3", c(b + "3x3dbl_2", c(b + "3x3dbl_1", x), padding=1), padding=1)
        x = torch.cat([c(b + "1x1", x), five, three, c(b + "_pool", mean(x))], 1)
    b = "Mixed_6a.branch"
    three = c(b + "3x3dbl_3", c(b + "3x3dbl_2", c(b + "3x3dbl_1", x), padding=1), 2)
    x = torch.cat([c(b + "3x3", x, 2), three, max_pool2d(x, 3, 2)], 1)
    for b in ("Mixed_6b.branch", "Mixed_6c.branch", "Mixed_6d.branch", "Mixed_6e.branch"):
        seven = c(b + "7x7_3", c(b + "7x7_2", c(b + "7x7_1", x), padding=row), padding=column)
        twice = c(b + "7x7dbl_3", c(b + "7x7dbl_2", c(b + "7x7dbl_1", x), padding=column), padding=row)
        twice = c(b + "7x7dbl_5", c(b + "7x7dbl_4", twice, padding=column), padding=row)
        x = torch.cat([c(b + "1x1", x), seven, twice, c(b + "_pool", mean(x))], 1)
    b = "Mixed_7a.branch"
    seven = c(b + "7x7x3_3", c(b + "7x7x3_2", c(b + "7x7x3_1", x), padding=row), padding=column)
    x = torch.cat([c(b + "3x3_2", c(b + "3x3_1", x), 2), c(b + "7x7x3_4", seven, 2), max_pool2d(x, 3, 2)], 1)
    for b, pooled in (("Mixed_7b.branch", mean), ("Mixed_7c.branch", lambda y: max_pool2d(y, 3, 1, 1))):
        three = c(b + "3x3_1", x)
        double = c(b + "3x3dbl_2", c(b + "3x3dbl_1", x), padding=1)
        side = [c(b + "3x3_2a", three, padding=(0, 1)), c(b + "3x3_2b", three, padding=(1, 0))]
        side += [c(b + "3x3dbl_3a", double, padding=(0, 1)), c(b + "3x3dbl_3b", double, padding=(1, 0))]
        x = torch.cat([c(b + "1x1", x), *side, c(b + "_pool", pooled(x))], 1)
    return x.mean((2, 3))


@torch.no_grad()
def test_its_features_are_those_of_the_forward_written_out(net):
    """As FID publishes it, block by block: it pools without padding, and with the largest value in the last block."""
    x = torch.rand(2, 3, 139, 139) * 2 - 1
    assert torch.allclose(net(x), by_hand(net.state_dict(), x), atol=1e-5)


@pytest.mark.parametrize("zipped", [True, False])
def test_its_file(net, tmp_path, monkeypatch, zipped):
    """From a file of these weights: images resized to 299 pixels, and classes of their features without the bias."""
    path = tmp_path / "weights.pth"
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr(inception, "ROWS", 2)
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    grey = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), np.uint8)
    found = inception.published(path, (1, 28, 28))
    x = torch.from_numpy(grey.repeat(3, 1)).float() / 255
    with torch.no_grad():
        wanted = net(interpolate(x, (299, 299), mode="bilinear", align_corners=False) * 2 - 1)
        classes = (wanted @ net.fc.weight.T).softmax(1)
    features = found.features(grey)
    assert np.allclose(features, wanted, atol=1e-4)
    assert np.allclose(found.probabilities(features), classes, atol=1e-5)
    assert "28 x 28 pixels resized to 299 x 299 (bilinear), grey in three channels" in found.name


def test_other_weights_are_refused(tmp_path):
    """Any file but the published one is refused by its digest."""
    (tmp_path / "other.pth").write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"other.pth is not the published file \(its SHA-256 is not 6726825d"):
        inception.published(tmp_path / "other.pth", (3, 32, 32))
