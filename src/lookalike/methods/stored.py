"""A method as JSON in a file: its name, and the axes whose values differ from the named method's.

Names are looked up in `METHODS` and `PARTS`. Values are checked against the fields of the part. So a file can never
name code to run.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from lookalike.base.errors import ModelError, UsageError, show
from lookalike.game.method import Method
from lookalike.methods import METHODS, PARTS

ADDED = {
    "Real": {"dequantised"},
    "Twin": {"after"},
    "ClassBatchNorm": {"with_z"},
    "Weakened": {"layers", "stride", "g_pool", "pool"},
}  # fields that files of earlier versions lack; their defaults are used


def to_json(method: Method) -> dict[str, Any]:
    """The method as JSON: {"name": ...} and each axis whose value is not that of the named method."""
    named = METHODS[method.name]
    axes = [field.name for field in fields(Method) if field.name != "name"]
    # only differences: a file stays readable, and its method keeps its name
    changed = {axis: getattr(method, axis) for axis in axes if getattr(method, axis) != getattr(named, axis)}
    return {"name": method.name} | {axis: _encoded(value) for axis, value in changed.items()}


def from_json(value: Any) -> Method:
    """The method that `to_json` wrote. Raises ModelError for an unknown name, axis, part or value."""
    if not isinstance(value, dict) or str(value.get("name")) not in METHODS:
        given = show(value.get("name") if isinstance(value, dict) else value)
        raise ModelError(f"the file names the method {given}; this version has: {', '.join(METHODS)}")
    changes = {axis: _decoded(part) for axis, part in value.items() if axis != "name"}
    unknown = set(changes) - {field.name for field in fields(Method)}
    if unknown:
        raise ModelError(f"the file names a method axis {show(min(unknown))} that this version does not have")
    try:
        return METHODS[value["name"]].but(**changes)  # checks the combination too
    except (UsageError, TypeError, AttributeError) as error:
        raise ModelError(f"the file's method cannot be built: {show(error)}") from error


def _encoded(value: Any) -> Any:
    """A part as {"is": its class, and its fields}, a tuple as a list, other values as they are."""
    if is_dataclass(value):
        return {"is": type(value).__name__} | {
            field.name: _encoded(getattr(value, field.name)) for field in fields(value)
        }
    return [_encoded(item) for item in value] if isinstance(value, tuple) else value


def _decoded(value: Any) -> Any:
    """The value that `_encoded` wrote. Raises ModelError for a part or a value that does not fit."""
    if isinstance(value, list):
        return tuple(_decoded(item) for item in value)
    if not isinstance(value, dict):
        return value
    part = PARTS.get(str(value.get("is")))
    if part is None:
        raise ModelError(f"the file names the part {show(value.get('is'))}; this version has: {', '.join(PARTS)}")
    given = {name: _decoded(item) for name, item in value.items() if name != "is"}
    of_part = {field.name for field in fields(part)}
    if not of_part - ADDED.get(part.__name__, set()) <= set(given) <= of_part:
        raise ModelError(f"the file gives {part.__name__} the fields {show(sorted(given))}, which it does not have")
    # int and float may replace each other, but a bool or a text may not stand for a number
    if any(
        isinstance(item, bool | str) != isinstance(field.default, bool | str) for item, field in _pairs(given, part)
    ):
        raise ModelError(f"the file gives {part.__name__} a value of the wrong kind")
    try:
        return part(**given)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the file's {part.__name__} cannot be built: {show(error)}") from error


def _pairs(given: dict[str, Any], part: type) -> list[tuple[Any, Any]]:
    """(value, field) of the given fields. A twin's name and method have no default to compare with."""
    return [(given[field.name], field) for field in fields(part) if field.name in set(given) - {"name", "method"}]
