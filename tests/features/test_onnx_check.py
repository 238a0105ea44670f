"""An ONNX file that reaches outside itself is refused before a library reads it."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper
from onnx_made import EARLY, made, network, onnx

from lookalike.base.errors import ModelError
from lookalike.features import onnx_check
from lookalike.features.onnx_check import INSIDE, refuse_outside

MESSAGES = {
    "model": "ModelProto", "training": "TrainingInfoProto", "function": "FunctionProto", "graph": "GraphProto",
    "node": "NodeProto", "attribute": "AttributeProto", "sparse": "SparseTensorProto", "tensor": "TensorProto",
}  # fmt: skip


def test_every_field_that_holds_tensors_or_operators_is_followed():
    """The table of fields is that of the format: each field of these kinds, under its number, and no other."""
    kinds = {name: kind for kind, name in MESSAGES.items()}
    for kind, name in MESSAGES.items():
        fields = getattr(onnx, name).DESCRIPTOR.fields
        found = {
            f.number: kinds[f.message_type.name] for f in fields if f.message_type and f.message_type.name in kinds
        }
        assert INSIDE[kind] == found, kind
    fields = onnx.TensorProto.DESCRIPTOR.fields_by_name
    assert (fields["external_data"].number, fields["data_location"].number) == onnx_check.EXTERNAL
    fields = onnx.NodeProto.DESCRIPTOR.fields_by_name
    assert (fields["op_type"].number, fields["domain"].number) == (onnx_check.OPERATOR, onnx_check.DOMAIN)


def elsewhere(location="../../secret"):
    """A tensor whose data lies in another file."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(tensor):
    """An operator that gives this tensor."""
    return helper.make_node("Constant", [], ["early"], value=tensor)


def branch(node):
    """An operator with this one in both of its branches."""
    graph = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("early", TensorProto.FLOAT, None)])
    return helper.make_node("If", ["yes"], ["early"], then_branch=graph, else_branch=graph)


def with_weights(tensor):
    """A model with this tensor among its weights."""
    model = network()
    model.graph.initializer.append(tensor)
    return model


def with_function(node):
    """A model with this operator in a function of its own."""
    model = network()
    function = helper.make_function("", "f", [], ["early"], [node], [helper.make_opsetid("", 17)])
    model.functions.append(function)
    return model


@pytest.mark.parametrize(
    "model",
    [
        with_weights(elsewhere()),
        with_weights(elsewhere("weights.bin")),
        made([constant(elsewhere())], [EARLY]),
        made([branch(branch(constant(elsewhere())))], [EARLY]),
        with_function(constant(elsewhere())),
    ],
    ids=["traversal", "beside", "attribute", "branch", "function"],
)
def test_weights_in_other_files_are_refused(model):
    """Wherever the tensor lies, and wherever it points."""
    with pytest.raises(
        ModelError, match=r"net\.onnx keeps weights in another file, which is not read; export it as one"
    ):
        refuse_outside(model.SerializeToString(), "net.onnx")


@pytest.mark.parametrize("domain", ["com.microsoft", "my.own", "\x1b[31m"])
def test_custom_operators_are_refused(domain):
    """In the graph, and in a branch; the line names the operator, and prints nothing that is not printable."""
    node = helper.make_node("Magic", ["image"], ["early"], domain=domain)
    for model in (made([node], [EARLY]), made([branch(node)], [EARLY]), with_function(node)):
        with pytest.raises(ModelError, match=r"custom operator .*\.Magic; export it with ONNX's own") as caught:
            refuse_outside(model.SerializeToString(), "net.onnx")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n",
        network().SerializeToString()[:-7],
        b"\x3a\xff\xff\xff\xff\x7f",
        b"\xff" * 20,
        b"\x08",
    ],
    ids=["picture", "cut short", "length", "number", "end"],
)
def test_what_is_no_onnx_file_is_refused(data):
    """One line, whatever the bytes are."""
    with pytest.raises(ModelError, match=r"net\.onnx is not an ONNX file; export it again"):
        refuse_outside(data, "net.onnx")


def field(tag, data):
    """A field with a message in it."""
    length, size = b"", len(data)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return tag + length + bytes([size]) + data


def nested(levels):
    """A model whose graph has an operator with an attribute with a graph, and so on."""
    data = b""
    for _ in range(levels):
        data = field(b"\x0a", field(b"\x2a", field(b"\x32", data)))
    return field(b"\x3a", data)


def test_messages_in_messages_have_a_limit():
    """A hundred levels pass, as in the readers of the format, and more do not."""
    refuse_outside(nested(33), "net.onnx")
    for levels in (34, 10_000):
        with pytest.raises(ModelError, match="is not an ONNX file"):
            refuse_outside(nested(levels), "net.onnx")
