"""Two small runs for the page: a detector with nearest images and heat maps, and a GAN of two classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.data import read
from lookalike.detect.model import Model
from lookalike.faces.page.served import Served
from lookalike.runs.run import run
from lookalike.runs.samples import png
from lookalike.runs.settings import train_settings


@pytest.fixture(scope="package")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """The folders of both runs."""
    folder = tmp_path_factory.mktemp("runs")
    short = {"images": 96, "batch": 16, "width": 4, "calibration": 0.0, "size": "8,8"}
    run("digits", train_settings(known=("3",), method="knn", size="8,8", threads=1), folder / "three")
    run("digits", train_settings(known=("3", "8"), method="acgan", threads=1, **short), folder / "both")
    return folder / "three", folder / "both"


@pytest.fixture(scope="package")
def served(runs) -> list[Served]:
    """Both models."""
    return [Served(folder.name, folder, Model.load(folder)) for folder in runs]


@pytest.fixture(scope="package")
def digits() -> list[bytes]:
    """PNG files of a 3, an 8 and another 3, each of 8 x 8 pixels."""
    images = read("digits", classes=("3", "8"))
    threes, eights = images.of("3").pixels, images.of("8").pixels
    return [png(one.transpose(1, 2, 0)) for one in (threes[0], eights[0], threes[1])]
