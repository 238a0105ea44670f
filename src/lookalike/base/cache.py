"""The user's cache folder, for what can be computed again. All of it may be deleted at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lookalike.base.errors import UsageError, show

SWITCH = "LOOKALIKE_CACHE"  # environment variable: `off` keeps nothing in the folder, and reads nothing there


def folder() -> Path | None:
    """Return the cache folder, or None without a home folder, or where it is switched off.

    It is $XDG_CACHE_HOME/lookalike, else ~/.cache/lookalike, and on macOS ~/Library/Caches/lookalike.

    Raises
    ------
    UsageError
        Where the switch has another value than `off`.
    """
    if switch := os.environ.get(SWITCH):
        if switch != "off":
            raise UsageError(f"{SWITCH} is '{show(switch)}', and only 'off' is accepted; unset it to use the cache")
        return None
    given = os.environ.get("XDG_CACHE_HOME")
    try:
        usual = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
        return (Path(given) if given else usual.expanduser()) / "lookalike"
    except RuntimeError:
        return None
