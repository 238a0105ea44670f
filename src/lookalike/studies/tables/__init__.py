"""The papers' tables: each protocol in its paper's file, run cell by cell, our figures beside the printed ones."""

from __future__ import annotations

from lookalike.studies.tables import gan_augmentation, gaussians, mcgan, vtgan
from lookalike.studies.tables.quality import QUALITY
from lookalike.studies.tables.table import Table

TABLES: dict[str, Table] = {table.name: table for table in (vtgan.TABLE_1, mcgan.TABLE_1, mcgan.TABLE_2)}
BY_FEATURES = {table.name: table.run for table in QUALITY}  # of a network that can be chosen
OTHERS = {part.NAME: part.run for part in (gan_augmentation, gaussians)} | BY_FEATURES
NAMES = (*TABLES, *OTHERS)
