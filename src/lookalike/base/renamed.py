"""Names that earlier versions wrote into files, and what the same things are called today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD = {"against": "extra_fakes", "decoys": "extra_fakes_share"}


def current(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under today's names."""
    return {OLD.get(name, name): value for name, value in values.items()}
