"""The papers' tables: each protocol in its paper's file, run cell by cell, our figures beside the printed ones.

One table is our own: `photographs`.
"""

from __future__ import annotations

from typing import Any

from lookalike.studies.tables import gan_augmentation, gaussians, mcgan, photographs, vtgan
from lookalike.studies.tables.detectors import DetectorTable
from lookalike.studies.tables.quality import QUALITY
from lookalike.studies.tables.table import Table

DETECTORS: tuple[DetectorTable, ...] = (vtgan.TABLE_1, mcgan.TABLE_1, mcgan.TABLE_2)
EVERY: tuple[Table[Any], ...] = (*DETECTORS, gan_augmentation.TABLE, gaussians.TABLE, *QUALITY, photographs.TABLE)
TABLES = {table.name: table for table in EVERY}
