"""A network from an ONNX file: its maps are torch's own, and what cannot be a backbone is refused in one line."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx_made import EARLY, IMAGES, LATE, convolutions, made, network, written

from lookalike.base.errors import ModelError, UsageError
from lookalike.features import onnx_file
from lookalike.features.backbone import Tap
from lookalike.features.onnx_file import opened
from lookalike.features.views import maps, seen_size

MEAN, STD = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])


def by_torch(x, mean=MEAN, std=STD, strides=(4, 4)):
    """What both convolutions say of images with values from 0 to 255."""
    first, second = convolutions(strides)
    with torch.no_grad():
        early = first((x - mean[:, None, None]) / std[:, None, None])
        return early, second(early.relu())


def images(n=2, height=48, width=80):
    """Random (n, 3, height, width) float32 from 0 to 255."""
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255


def test_maps_are_torchs_own(tmp_path):
    """Of both outputs, of images of several sizes, less ImageNet's mean and over its deviation."""
    net = opened(written(tmp_path / "net.onnx"))
    assert net.taps == (Tap("early", 4, 4), Tap("late", 6, 16)) and (net.multiple, net.size) == (16, None)
    assert net.name == str(tmp_path / "net.onnx") and net.origin.source == "net.onnx"
    for x in (images(), images(1, 16, 160)):
        for m, wanted in zip(net.maps(x, net.taps), by_torch(x), strict=True):
            assert m.dtype == torch.float32 and torch.allclose(m, wanted, atol=1e-5)
    (late,) = net.maps(images(), net.taps[1:])
    assert torch.equal(late, net.maps(images(), net.taps)[1])


def test_taps_are_in_the_order_of_their_strides(tmp_path):
    """Whatever the order in the file."""
    net = opened(written(tmp_path / "net.onnx", network(order=(LATE, EARLY))))
    assert [tap.name for tap in net.taps] == ["early", "late"]
    assert torch.allclose(net.maps(images(), net.taps)[0], by_torch(images())[0], atol=1e-5)


def test_the_file_names_mean_and_deviation(tmp_path):
    """lookalike.mean and lookalike.std are taken for ImageNet's, on the scale from 0 to 255."""
    facts = {"lookalike.mean": "127.5,127.5, 0", "lookalike.std": "127.5,255,1"}
    net = opened(written(tmp_path / "net.onnx", network(facts=facts)))
    wanted = by_torch(images(), torch.tensor([127.5, 127.5, 0]), torch.tensor([127.5, 255, 1]))
    assert torch.allclose(net.maps(images(), net.taps)[0], wanted[0], atol=1e-4)


def test_a_network_of_one_size_sees_no_other(tmp_path):
    """Images of any shape are resized to its own height and width."""
    inputs = [("image", TensorProto.FLOAT, ("N", 3, 32, 64))]
    net = opened(written(tmp_path / "net.onnx", network(inputs=inputs)))
    assert net.size == (32, 64) and seen_size(net, (3, 500, 100), 640) == (32, 64)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1, 32, 64), np.uint8)
    ((n, (found,)),) = maps(net, pixels, 640, net.taps[:1])
    wanted = by_torch(torch.from_numpy(pixels).float().expand(-1, 3, -1, -1))[0]
    assert n == 3 and torch.allclose(found[:3, :, 4, 5], wanted[:, :, 3:6, 4:7].mean((2, 3)), atol=1e-5)


def test_threads_follow_torch(tmp_path):
    """Where torch has another number of threads, the file is run anew, if it is still the same."""
    net, threads = opened(written(tmp_path / "net.onnx")), torch.get_num_threads()
    before = net.maps(images(), net.taps)
    torch.set_num_threads(threads + 1)
    try:
        assert all(map(torch.allclose, net.maps(images(), net.taps), before))
        assert net.session.threads == threads + 1
        written(tmp_path / "net.onnx", network(strides=(2, 2)))
        torch.set_num_threads(threads)
        with pytest.raises(ModelError, match="has changed since it was opened"):
            net.maps(images(), net.taps)
    finally:
        torch.set_num_threads(threads)


def test_an_open_file_is_not_read_again_until_it_changes(tmp_path):
    """The same object for the same file, another one for another content under its name."""
    path = written(tmp_path / "net.onnx")
    assert opened(path) is opened(path)
    before, first = path.stat().st_mtime_ns, opened(path)
    written(path, network(strides=(2, 4)))
    os.utime(path, ns=(before + 1, before + 1))
    assert opened(path) is not first and opened(path).taps[0].stride == 2


# --- refusals


def single(operator, *, inputs=(IMAGES,), weights=(), output=EARLY, **attributes):
    """A model of one operator on the image, and on the weights by name."""
    node = helper.make_node(operator, [inputs[0][0], *dict(weights)], [output[0]], **attributes)
    return made([node], [output], inputs=inputs, weights=weights)


def less_the_mean_of_the_block():
    """What is left of each image when the mean of all is taken away."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["image", "mean"], ["early"]),
    ]
    return made(nodes, [EARLY])


def input_of(*shape, kind=TensorProto.FLOAT):
    """An input of this shape."""
    return ("image", kind, shape)


POOLED = {"kernel_shape": [3, 3], "strides": [3, 3]}
REFUSED = {
    "two inputs": (network(inputs=(IMAGES, ("more", TensorProto.FLOAT, ("N",)))), "takes image .* more .*, not one"),
    "grey": (single("Identity", inputs=[input_of("N", 1, "H", "W")]), r"not one float32 input \(N, 3, H, W\)"),
    "fixed block": (network(inputs=[input_of(1, 3, "H", "W")]), "with free N"),
    "half fixed": (network(inputs=[input_of("N", 3, 32, "W")]), "both free or both fixed"),
    "bytes": (single("Identity", inputs=[input_of("N", 3, "H", "W", kind=TensorProto.UINT8)],
                     output=("early", TensorProto.UINT8, None)), r"takes image tensor\(uint8\)"),
    "rows": (single("Flatten"), r"output early has the shape \(1, 301056\) .*; maps \(N, C, H / stride"),
    "means": (single("GlobalAveragePool"), r"output early has the shape \(1, 3, 1, 1\)"),
    "no whole stride": (single("MaxPool", **POOLED), r"output early has the shape \(1, 3, 74, 149\)"),
    "unlike strides": (single("MaxPool", kernel_shape=[2, 1], strides=[2, 1]), r"has the shape \(1, 3, 112, 448\)"),
    "name": (single("Relu", output=("a b", TensorProto.FLOAT, None)),
               "output a b is .*; outputs are .*, and have names"),
    "whole numbers": (single("Cast", to=TensorProto.INT32, output=("early", TensorProto.INT32, None)),
                      r"output early is tensor\(int32\)"),
    "of the block": (less_the_mean_of_the_block(), r"depends on the other images of a block; export .* \(\.eval\(\)\)"),
    "not finite": (single("Sqrt"), "output early is not finite for a random image"),
    "mean": (network(facts={"lookalike.mean": "0.5"}), "lookalike.mean is '0.5', not three numbers such as 123.675,"),
    "deviation": (network(facts={"lookalike.std": "1,0,1"}), "lookalike.std is '1,0,1', not three numbers"),
    "unknown": (single("NoSuchOperator"), r"cannot be run by onnxruntime \(.*NoSuchOperator"),
    "newer": (made([helper.make_node("Relu", ["image"], ["early"])], [EARLY], opset=999), "cannot be run by onnx"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_backbone_is_refused(case, tmp_path):
    """One line with the file's name, what is wrong and what is accepted."""
    model, line = REFUSED[case]
    with pytest.raises(ModelError, match=line) as caught:
        opened(written(tmp_path / "net.onnx", model))
    assert str(caught.value).startswith("net.onnx") and str(caught.value).isprintable()


def test_a_size_that_the_network_does_not_follow_is_refused(tmp_path):
    """Maps that do not grow with the image are noticed, at the latest when they are asked for."""
    nodes = [
        helper.make_node("Shape", ["image"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["side"], keepdims=1),
        helper.make_node("Greater", ["side", "limit"], ["large"]),
        helper.make_node("If", ["large"], ["early"], then_branch=branch("Identity"), else_branch=branch("MaxPool")),
    ]
    model = made(nodes, [EARLY], weights={"limit": np.array([1000], np.int64)})
    net = opened(written(tmp_path / "net.onnx", model))
    assert net.taps[0].stride == 2
    with pytest.raises(ModelError, match=r"output early has the shape \(1, 3, 1024, 64\) of images .*, not"):
        net.maps(images(1, 1024, 64), net.taps)


def branch(operator):
    """One operator on the image, as a branch: halved, or as it is."""
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} if operator == "MaxPool" else {}
    node = helper.make_node(operator, ["image"], ["out"], **attributes)
    return helper.make_graph([node], operator, [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)])


def test_missing_and_large_files_and_a_missing_package(tmp_path, monkeypatch):
    """One line says which file is missing, that one is too large, or what to install."""
    with pytest.raises(ModelError, match=r"no\.onnx cannot be read: No such file"):
        opened(tmp_path / "no.onnx")
    monkeypatch.setattr(onnx_file, "LIMIT", 100)
    with pytest.raises(ModelError, match=r"net\.onnx cannot be read: it is larger than 100 bytes"):
        opened(written(tmp_path / "net.onnx"))
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r"net\.onnx: ONNX files need onnxruntime; pip install onnxruntime, or take lite0"
    ):
        opened(tmp_path / "net.onnx")
