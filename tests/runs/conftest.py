"""Run folders made by hand, for the tests of this folder."""

from __future__ import annotations

from made_run import digits as digits
from made_run import make_run as make_run
from made_run import page as page
from made_run import run as run
from made_run import seen as seen
