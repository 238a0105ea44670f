"""Flags that several commands have, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number
from pydantic import Field

from lookalike.runs.game_settings import DIFF_AUGMENT, StrictSettings
from lookalike.runs.groups import OF_PRESET, RUN
from lookalike.runs.presets import Preset
from lookalike.runs.settings import MINUTES, ClassGANName, Size

TRAINING = Group("Training", sort_key=0)
OUT = ["--out", "-o"]
SAME_BITS = "Number of CPU threads. The same bits need the same number."
ONE_OR_MORE = Number(gte=1)
MOST = 1024  # trainings side by side

Flat = Parameter(name="*")
Data = Annotated[
    str,
    Parameter(
        help="A folder with one sub-folder per class, an .npz or IDX file, or the name of a data set such as digits."
    ),
]
Run = Annotated[Path, Parameter(help="A run folder that 'lookalike train' wrote.")]
Out = Annotated[Path, Parameter(name=OUT, help="The folder that is written.")]
NewData = Annotated[Path, Parameter(name=OUT, help="A new folder, or an .npz file.")]
PartOf = Annotated[
    str | None,
    Parameter(
        name="--part",
        help="The share I/N of the images, for one of N processes: 2/8 is the second of eight. The shares follow each "
        "other, so that their rows in order are those of one process.",
        group=RUN,
        show_default="all images",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Results are printed as JSON.", group=RUN, negative=())]
Device = Annotated[str, Parameter(help="Where the networks run: cpu, cuda, cuda:1 or mps.", group=RUN)]
Minutes = Annotated[
    float | None,
    Parameter(
        help="The command takes no longer: what fits is measured, and the same command goes on.",
        group=RUN,
        validator=Number(gt=0),
        show_default="as long as it takes",
    ),
]
Threads = Annotated[int, Parameter(help=SAME_BITS, group=RUN, validator=ONE_OR_MORE)]
ThreadsOfRun = Annotated[int | None, Parameter(help=SAME_BITS, group=RUN, show_default="as the training had")]
PresetOfAll = Annotated[Preset, Parameter(help="The preset of all trainings, as train takes it.", group=TRAINING)]
Seeds = Annotated[int, Parameter(help="Number of seeds, from 0 on.", group=TRAINING, validator=Number(gte=1, lte=1000))]
Trainings = Annotated[Path, Parameter(help="The folder of the trainings. Commands share it.", group=RUN)]
Workers = Annotated[
    int | None,
    Parameter(
        help="Number of trainings side by side.",
        group=RUN,
        show_default="one for each core; one on a GPU; all that a cluster takes",
        validator=Number(gte=1, lte=MOST),
    ),
]
Cluster = Annotated[
    str,
    Parameter(
        help="The trainings are done by a Ray cluster: HOST:PORT of its head, or auto for the one of this machine. "
        "Its machines have the same lookalike, and DATA at the same path.",
        group=RUN,
        show_default="this machine",
    ),
]


class LengthSettings(StrictSettings):
    """How long a GAN trains."""

    images: Annotated[
        int | None,
        Field(ge=1),
        Parameter(help="Number of images shown to each GAN in training.", group=TRAINING, show_default=OF_PRESET),
    ] = None


class DetectorSettings(LengthSettings):
    """How the detectors of a bench train."""

    size: Annotated[
        Size | None,
        Parameter(help="Images are resized to H,W pixels.", group=TRAINING, show_default="as train takes it"),
    ] = None


class MakerSettings(LengthSettings):
    """How a GAN trains that makes images."""

    size: Annotated[
        Size | None,
        Parameter(help="Images are resized to H,W pixels.", group=TRAINING, show_default=f"{OF_PRESET}, aspect kept"),
    ] = None
    grey: Annotated[bool | None, Parameter(help="Colour images become grey.", group=TRAINING, negative=())] = None
    diff_augment: Annotated[bool | None, Parameter(help=DIFF_AUGMENT, group=TRAINING, negative=())] = None


class GANSettings(MakerSettings):
    """Which GAN is trained, and how; a finished run has all this already."""

    method: Annotated[
        ClassGANName | None, Parameter(help="A conditional method.", group=TRAINING, show_default="auto-gan")
    ] = None
    preset: Annotated[Preset | None, Parameter(help="As train takes it.", group=TRAINING, show_default="small")] = None
    batch: Annotated[
        int | None,
        Field(ge=2, le=65536),
        Parameter(help="Number of real images in a step.", group=TRAINING, show_default=OF_PRESET),
    ] = None
    minutes: Annotated[
        float | None,
        Field(gt=0, le=1e6),
        Parameter(help=MINUTES, group=TRAINING, show_default="as long as --images take"),
    ] = None
    test: Annotated[
        float | None,
        Field(ge=0, lt=1),
        Parameter(
            help="Share of the images that the GAN does not learn from, for 'lookalike measure'.",
            group=TRAINING,
            show_default="0, as all images train",
        ),
    ] = None
