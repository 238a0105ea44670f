"""A trained model: a detector with its threshold, in a folder of its own (design 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike import checkpoint
from lookalike.baselines import BASELINES
from lookalike.errors import DataError, LookalikeError, ModelError, show
from lookalike.gan import GAN
from lookalike.methods import stored
from lookalike.use.invert import Search
from lookalike.use.score import Detector, Floats, GANDetector, Pixels, Threshold

CALIBRATION = "calibration"


@dataclass(frozen=True)
class Verdicts:
    """What a model says of N images."""

    score: Floats  # (N,) larger = less like the known classes
    p_value: Floats  # (N,) share of known images that look at least as unlike
    flagged: npt.NDArray[np.bool_]  # (N,) score above the threshold
    parts: Mapping[str, Floats] = field(default_factory=dict)  # each (N,)
    nearest: Pixels | None = None  # (N, C, H, W) uint8


@dataclass(frozen=True)
class Model:
    """A detector, its threshold and what it was trained on.

    Parameters
    ----------
    detector : Detector
        GAN or baseline.
    threshold : Threshold
        From held-out known images.
    shape : tuple of int
        (C, H, W) of the images that it takes, or (F,).
    classes : mapping
        "known" and "against": class names.
    method : dict
        The method as JSON.
    training : dict
        Facts of the training, as JSON.
    """

    detector: Detector
    threshold: Threshold
    shape: tuple[int, ...]
    classes: Mapping[str, tuple[str, ...]]
    method: Mapping[str, Any]
    training: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) to read images at; None for vectors."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else None

    @property
    def channels(self) -> int | None:
        """1 for grey, 3 for colour; None for vectors."""
        return self.shape[0] if len(self.shape) == 3 else None

    def score(self, images: Any) -> Verdicts:
        """Verdicts on `Images`, or on pixels (N, C, H, W) uint8 or vectors (N, F) float32, of this model's shape.

        Raises
        ------
        DataError
            For images of another shape.
        """
        pixels = getattr(images, "pixels", images)
        if tuple(pixels.shape[1:]) != self.shape:
            raise DataError(
                f"this model takes images of shape {self.shape}, not {tuple(pixels.shape[1:])}; "
                f"read them with size={self.size}"
            )
        said = self.detector.score(pixels)
        limit = self.threshold
        return Verdicts(said.score, limit.p_values(said.score), limit.flags(said.score), said.parts, said.nearest)

    def save(self, folder: Path) -> None:
        """Writes model.safetensors and model.json."""
        scores = {CALIBRATION: torch.from_numpy(np.sort(self.threshold.calibration))}
        facts = {
            "kind": self.detector.kind,
            "method": dict(self.method),
            "shape": list(self.shape),
            "classes": {role: list(names) for role, names in self.classes.items()},
            "threshold": self.threshold.value,
            "training": {**self.training, "false_alarms": self.threshold.allowed},
            "settings": self.detector.facts(),
        }
        checkpoint.save_model(folder, self.detector.tensors() | scores, facts)

    @classmethod
    def load(cls, folder: Path | str) -> Model:
        """The model that `save` wrote; raises ModelError for anything else."""
        folder = Path(folder)
        tensors, facts = checkpoint.load_model(folder)
        try:
            calibration = tensors.pop(CALIBRATION).numpy()
            training = dict(facts["training"])
            threshold = Threshold(calibration, training.pop("false_alarms"))
            detector = _detector(tensors, facts)
            classes = {role: tuple(facts["classes"][role]) for role in ("known", "against")}
            model = cls(detector, threshold, tuple(facts["shape"]), classes, facts["method"], training)
        except ModelError:
            raise
        except (LookalikeError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{show(folder)} is not a model that this version can build: {show(repr(error))}"
            ) from error
        if not (np.isfinite(calibration).all() and threshold.value == facts["threshold"]):
            raise ModelError(
                f"{show(folder)}: the threshold {facts['threshold']} is not its calibration scores' quantile"
            )
        return model


def _detector(tensors: dict[str, Tensor], facts: dict[str, Any]) -> Detector:
    if facts["kind"] in BASELINES:
        return BASELINES[facts["kind"]].restore(tensors, facts["settings"])
    if facts["kind"] != GANDetector.kind:
        known = ", ".join((GANDetector.kind, *BASELINES))
        raise ModelError(f"the file names a model of kind {show(facts['kind'])}; this version knows: {known}")
    averaged = any(name.startswith("average.") for name in tensors)
    gan = GAN(stored.from_json(facts["method"]), tuple(facts["shape"]), ema=0.5 if averaged else 0.0)
    gan.load(tensors, training=False)
    return GANDetector(gan, Search(**facts["settings"]))
