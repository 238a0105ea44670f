"""Run folders made by hand, for the tests of this folder."""

from __future__ import annotations

from made_run import digits, make_run, page, run, seen

__all__ = ["digits", "make_run", "page", "run", "seen"]
