"""JSON as untrusted input: no repeated key, no NaN or infinity, no number or depth that breaks its reader."""

from __future__ import annotations

import json
import math
from typing import Any

from lookalike.base.errors import show

JSON_DEPTH = 32
DIGITS = 300  # of a whole number, which is then in the range of a float


def parse_json(data: bytes) -> Any:
    """The value in untrusted JSON. Raises ValueError for repeated keys, NaN, infinity, 301 digits and 33 levels."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {JSON_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (byte {error.pos}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not JSON (byte {error.start} is not UTF-8)") from None
    level = [value]
    for _ in range(JSON_DEPTH):
        level = [child for parent in level for child in _children(parent)]
    if level:
        raise ValueError(f"it is nested deeper than {JSON_DEPTH} levels")
    return value


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key '{show(key, 60)}' stands twice")
        result[key] = value
    return result


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"{text[:20]}… has {len(text)} digits, at most {DIGITS} are read")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value
