"""A process of torchrun beside rank 0: it trains the same GANs on its part of each batch, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from lookalike.base import files
from lookalike.base.arrays import Report
from lookalike.base.errors import DataError, memory_guard
from lookalike.base.ranks import Ranks
from lookalike.base.threads import computing_with
from lookalike.runs import record
from lookalike.runs.run import planned
from lookalike.runs.settings import TrainSettings
from lookalike.runs.training import trained_gan

SILENT: Report = lambda _stage, _done, _of: None  # noqa: E731


def follow(data: str | Path, settings: TrainSettings, out: Path, ranks: Ranks) -> None:
    """Trains with rank 0, which calls `run` with the same arguments.

    Raises
    ------
    DataError
        If this process has other images than rank 0.
    DivergedError, ResourceError, LostError, Stopped
        As `run`.
    """
    out = files.at_home(out)
    with computing_with(settings.threads), memory_guard():
        plan, _ = planned(data, record.as_begun(out, settings), out, ranks, SILENT)
        found = json.loads(ranks.told(bytes))
        if found["data"] != plan.data_digest():
            raise DataError(
                f"process {ranks.rank} of torchrun has other images than process 0; give every machine the same DATA, "
                "and the same version of lookalike"
            )
        for one in () if found["done"] else plan.gans():
            assert one.recipe.method is not None
            trained_gan(out, one, one.recipe.method, SILENT, lambda _line: None)
