"""Small ONNX files, built operator by operator."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

IMAGES = ("image", TensorProto.FLOAT, ("N", 3, "H", "W"))
EARLY, LATE = ("early", TensorProto.FLOAT, None), ("late", TensorProto.FLOAT, None)


def made(nodes, outputs, *, inputs=(IMAGES,), weights=(), facts=None, opset=17, domains=()):
    """A model of these operators."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(value, name) for name, value in dict(weights).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    helper.set_model_props(model, facts or {})
    return model


def convolutions(strides=(4, 4)):
    """Two convolutions of torch's, with 4 and 6 channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Conv2d(3, 4, 3, strides[0], 1), torch.nn.Conv2d(4, 6, 3, strides[1], 1)


def network(*, strides=(4, 4), inputs=(IMAGES,), facts=None, order=(EARLY, LATE)):
    """The model of `convolutions` one after the other, with ReLU between; both are outputs."""
    layers, weights = convolutions(strides), {}
    for name, layer in zip(("a", "b"), layers, strict=True):
        weights |= {f"{name}.weight": layer.weight.detach().numpy(), f"{name}.bias": layer.bias.detach().numpy()}
    convolved = {
        name: {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [stride, stride]}
        for name, stride in zip(("a", "b"), strides, strict=True)
    }
    nodes = [
        helper.make_node("Conv", [inputs[0][0], "a.weight", "a.bias"], ["early"], **convolved["a"]),
        helper.make_node("Relu", ["early"], ["positive"]),
        helper.make_node("Conv", ["positive", "b.weight", "b.bias"], ["late"], **convolved["b"]),
    ]
    return made(nodes, order, inputs=inputs, weights=weights, facts=facts)


def written(path, model=None):
    """The path, where the model (that of `network`) was written."""
    path.write_bytes((network() if model is None else model).SerializeToString())
    return path


def pictures(n, seed=0, shape=(3, 40, 50)):
    """Random (n, C, H, W) uint8: smooth stripes that differ from image to image."""
    draw = np.random.default_rng(seed)
    x = np.linspace(0, 6, shape[2]) * draw.uniform(0.8, 1.2, (n, 1, 1, 1)) + draw.random((n, 1, 1, 1))
    return np.clip(120 + 60 * np.sin(x) + draw.normal(0, 8, (n, *shape)), 0, 255).astype(np.uint8)


__all__ = ["EARLY", "IMAGES", "LATE", "convolutions", "made", "network", "onnx", "pictures", "written"]
