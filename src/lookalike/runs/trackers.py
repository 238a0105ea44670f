"""The tools that users follow trainings with, each behind an extra of its own name, all with one face.

A run of the tool has the figures and the grids of one folder that has a metrics.jsonl. Its steps are images shown.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from lookalike.base.errors import UsageError, install

TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]
PROJECT = "lookalike"  # in tools that have projects
IN_MLFLOW = re.compile(r"[^\w\-. /]")  # all but this is refused in the name of a figure
MOST_OF_A_VALUE = 500  # characters of a setting in MLflow


class Tracker(Protocol):
    """One run in a tool; `run` is by what the tool finds it again."""

    run: str

    def numbers(self, images: int, figures: Mapping[str, float]) -> None:
        """Adds the figures at so many images shown."""

    def grid(self, images: int, name: str, picture: Path) -> None:
        """Adds a picture of generated images."""

    def end(self) -> None:
        """All is given; waits until the tool has it."""


class _TensorBoard:
    def __init__(self, folder: Path, name: str, run: str | None, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.run = "tensorboard"  # a folder beside the metrics: `tensorboard --logdir runs` finds all
        self.writer = SummaryWriter(str(folder / self.run))
        if run is None:
            self.writer.add_text("settings", "\n".join(f"    {key}: {value}" for key, value in settings.items()))

    def numbers(self, images: int, figures: Mapping[str, float]) -> None:
        for key, value in figures.items():
            self.writer.add_scalar(key, value, images)
        self.writer.flush()

    def grid(self, images: int, name: str, picture: Path) -> None:
        import numpy as np

        with Image.open(picture) as grid:
            self.writer.add_image(name, np.asarray(grid.convert("RGB")), images, dataformats="HWC")
        self.writer.flush()

    def end(self) -> None:
        self.writer.close()


class _WandB:
    def __init__(self, folder: Path, name: str, run: str | None, settings: Mapping[str, Any]) -> None:
        import wandb

        self.run = run or secrets.token_hex(4)
        self.there = wandb.init(
            project=PROJECT,
            name=name,
            id=self.run,
            resume="allow",
            reinit="create_new",  # beside the runs of other classes
            dir=folder,
            config=dict(settings),
            settings=wandb.Settings(console="off", quiet=True),
        )

    def numbers(self, images: int, figures: Mapping[str, float]) -> None:
        self.there.log(dict(figures), step=images)

    def grid(self, images: int, name: str, picture: Path) -> None:
        import wandb

        self.there.log({name: wandb.Image(str(picture))}, step=images)

    def end(self) -> None:
        self.there.finish()


class _MLflow:
    def __init__(self, folder: Path, name: str, run: str | None, settings: Mapping[str, Any]) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient()
        if run is None:
            there = self.client.get_experiment_by_name(PROJECT)
            experiment = there.experiment_id if there else self.client.create_experiment(PROJECT)
            run = self.client.create_run(experiment, run_name=name).info.run_id
            for key, value in settings.items():
                self.client.log_param(run, key, str(value)[:MOST_OF_A_VALUE])
        else:
            self.client.update_run(run, status="RUNNING")
        self.run: str = run

    def numbers(self, images: int, figures: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(IN_MLFLOW.sub("_", key), value, now, images) for key, value in figures.items()]
        self.client.log_batch(self.run, metrics=rows)

    def grid(self, images: int, name: str, picture: Path) -> None:
        with Image.open(picture) as grid:
            self.client.log_image(self.run, grid.convert("RGB"), key=name, step=images)

    def end(self) -> None:
        self.client.set_terminated(self.run)


class _Trackio:
    def __init__(self, folder: Path, name: str, run: str | None, settings: Mapping[str, Any]) -> None:
        import trackio

        self.run = run or f"{name}-{secrets.token_hex(2)}"  # runs are found by their names
        self.there = trackio.init(PROJECT, name=self.run, resume="allow", config=dict(settings), embed=False)

    def numbers(self, images: int, figures: Mapping[str, float]) -> None:
        self.there.log({"steps" if key == "step" else key: value for key, value in figures.items()}, step=images)

    def grid(self, images: int, name: str, picture: Path) -> None:
        import trackio

        self.there.log({name: trackio.Image(str(picture))}, step=images)

    def end(self) -> None:
        from trackio import context_vars

        self.there.finish()
        context_vars.current_run.set(None)  # or it ends again at exit, and says so on standard output


OPENED: dict[TrackerName, Callable[[Path, str, str | None, Mapping[str, Any]], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WandB,
    "mlflow": _MLflow,
    "trackio": _Trackio,
}  # from a folder, the name of a new run or what finds the old one, and the settings of the training


def require(names: tuple[TrackerName, ...]) -> None:
    """Raises UsageError, with what to install, where the package of a tool is missing."""
    for name in names:
        if find_spec(name) is None:
            raise UsageError(f"--log {name} needs the package {name}; {install(name)}, or leave the flag out")
