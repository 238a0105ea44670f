"""Names in files of earlier versions, and the names of the same things in this version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD = {"against": "extra_fakes", "decoys": "extra_fakes_share"}


def current(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under the names of this version."""
    return {OLD.get(name, name): value for name, value in values.items()}
