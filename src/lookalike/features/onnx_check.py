"""Refuses an ONNX file that reaches outside itself, before a library reads it.

The file is a protobuf message: fields of a number and a value, where a value may be a message itself. Only the fields
that can hold tensors and operators are followed, in any depth.
"""

from __future__ import annotations

from collections.abc import Iterator

from lookalike.base.errors import ModelError, show

# kind of message -> number of a field -> kind of the message in it (onnx.proto3)
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL = (13, 14)  # fields of a tensor: where its data lies, and whether that is outside
OPERATOR, DOMAIN = 4, 7  # fields of a node
OWN = (b"", b"ai.onnx")  # the domain of ONNX's own operators
DEPTH = 100  # of messages in messages, as in protobuf's own readers
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5  # how a value is written


def refuse_outside(data: bytes, what: str) -> None:
    """Raises ModelError for tensors in other files, for custom operators, and for what is no ONNX file.

    Parameters
    ----------
    data : bytes
        The file.
    what : str
        Its printable name.
    """
    try:
        _refuse(memoryview(data), "model", what, 0)
    except (ValueError, IndexError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{what} is not an ONNX file; export it again") from error


def _refuse(message: memoryview, kind: str, what: str, depth: int) -> None:
    if depth > DEPTH:
        raise ValueError(depth)
    operator, domain = b"", b""
    for number, value in _fields(message):
        if kind == "tensor" and number in EXTERNAL and value != 0:
            raise ModelError(
                f"{what} keeps weights in another file, which is not read; export it as one file (external_data=False)"
            )
        if isinstance(value, int):
            continue
        if kind == "node" and number == OPERATOR:
            operator = bytes(value)
        if kind == "node" and number == DOMAIN:
            domain = bytes(value)
        if number in INSIDE[kind]:
            _refuse(value, INSIDE[kind][number], what, depth + 1)
    if domain not in OWN:
        name = show((domain + b"." + operator).decode("utf-8", "replace"), 100)
        raise ModelError(f"{what} has the custom operator {name}; export it with ONNX's own operators alone")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field, in order; ValueError or IndexError for what is no message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, how = key >> 3, key & 7
        if how == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if how == LENGTH:
            length, at = _varint(message, at)
        elif how in (EIGHT, FOUR):
            length = 8 if how == EIGHT else 4
        else:
            raise ValueError(how)
        if length > len(message) - at:
            raise ValueError(length)
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in base 128, the lowest digits first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError(at)
