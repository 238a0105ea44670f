"""A trained model: a detector with its threshold, in a folder of its own (docs/design.md, Files)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lookalike.base import checkpoint, files
from lookalike.base.arrays import Floats, Labels, Pixels
from lookalike.base.errors import DataError, LookalikeError, ModelError, UsageError, show
from lookalike.base.names import Aspect
from lookalike.base.threads import as_usual
from lookalike.base.unicode import composed
from lookalike.data import Images, oddities, read
from lookalike.data.levels import Levels
from lookalike.data.load import resized
from lookalike.data.pictures import picture_of
from lookalike.data.source import UNLABELLED, Picture
from lookalike.detect.detector import Detector, Threshold
from lookalike.detect.heat import located
from lookalike.detect.leaves import leaf_of, leaf_shares, split_gan
from lookalike.detect.restored import CALIBRATION, ROLES, calibration_of, check, detector_of, with_new_names

ANY = "any"  # name of several classes taken as one, and of images of an unconditional GAN of several
HOW = "read them with model.read(...)"
UNKNOWN = "unknown"  # the answer for a flagged image, so no known class of several may have this name


@dataclass(frozen=True)
class Verdicts:
    """The answer of a model for N images."""

    score: Floats  # (N,) larger = less like the known classes
    p_value: Floats  # (N,) share of known images that score as high
    flagged: npt.NDArray[np.bool_]  # (N,) whether the score is above the threshold
    parts: Mapping[str, Floats] = field(default_factory=dict)  # each (N,)
    nearest: Pixels | None = None  # (N, C, H, W) uint8
    classes: Floats | None = None  # (N, K) probabilities of several known classes, given that it is one of them
    maps: Pixels | None = None  # (N, H, W) float32, larger = less like the known classes there; only where asked for
    leaf: Labels | None = None  # (N,) number of the sub-class in the most likely class, of a model whose classes split

    @property
    def label(self) -> npt.NDArray[np.int64]:
        """(N,) number of the most likely known class, -1 where flagged."""
        best = np.zeros(len(self.score), np.int64) if self.classes is None else self.classes.argmax(1)
        return np.where(self.flagged, UNLABELLED, best)


@dataclass(frozen=True)
class Model:
    """A detector, its threshold and what it was trained on.

    Parameters
    ----------
    detector : Detector
        A GAN, a baseline, or several detectors joined.
    threshold : Threshold or None
        From calibration images. None where there were none: such a model makes images and cannot score.
    shape : tuple of int
        (C, H, W) of its input images, or (F,).
    classes : mapping
        The class names under "known" and "extra_fakes".
    method : dict
        The method as JSON.
    training : dict
        Facts of the training, as JSON. To use the model, "counts", "value_range" and "threads" are needed.
    """

    detector: Detector
    threshold: Threshold | None
    shape: tuple[int, ...]
    classes: Mapping[str, tuple[str, ...]]
    method: Mapping[str, Any]
    training: Mapping[str, Any]

    def __repr__(self) -> str:
        known, limit = len(self.classes["known"]), self.threshold
        scores = f"threshold={limit.value:.4g}" if limit else "only makes images"
        return f"Model({self.method.get('name', self.detector.kind)}, shape={self.shape}, known={known}, {scores})"

    @property
    def size(self) -> tuple[int, int] | None:
        """(H, W) of its input images; None for vectors."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else None

    @property
    def key_size(self) -> tuple[int, int] | None:
        """(H, W) at which the content keys of its training images were taken; None: at its own size."""
        size = self.training.get("key_size")
        return (size[0], size[1]) if size else None

    @property
    def aspect(self) -> Aspect:
        """How images of another aspect are brought to its size."""
        aspect: Aspect = self.training.get("aspect", "squash")
        return aspect

    @property
    def channels(self) -> int | None:
        """1 for grey, 3 for colour; None for vectors."""
        return self.shape[0] if len(self.shape) == 3 else None

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The values that become black and white, of images of 16 bits or of numbers; None: the full range."""
        given = self.training["value_range"]
        return None if given is None else (given[0], given[1])

    def read(self, source: str | Path, **more: Any) -> Images:
        """Images of `source` as this model's training read its own: their size, colours, value range and aspect.

        Parameters
        ----------
        source : str or Path
            A folder of images, with class folders or without, one image, an .npz or IDX file, or a data set's name.
        **more
            Other arguments of `lookalike.read`: classes, on_bad.

        Warns
        -----
        UserWarning
            For what reading loses, such as the colours of images where the model has learnt grey ones.

        Raises
        ------
        LookalikeError
            As `lookalike.read` does.
        """
        images = read(source, **{"labelled": False, "allow_empty_class": True} | self.reading() | more)
        for line in self.remarks(images.odd, images.levels):
            warnings.warn(line, stacklevel=2)
        return images

    def reading(self) -> dict[str, Any]:
        """Keyword arguments of `lookalike.read` for images of this model."""
        same = {"value_range": self.value_range, "aspect": self.aspect, "key_size": self.key_size}
        return {"size": self.size, "channels": self.channels, **same}

    def remarks(self, odd: Mapping[str, int], levels: Levels) -> Iterator[str]:
        """A line for everything that was lost when images were read as this model needs them; see `Images`."""
        given = self.value_range
        scale = "at its full range" if given is None else "from {:g} to {:g}".format(*given)
        said = f"the training read values {scale}"
        return oddities.of_model(odd, levels, said, grey=bool(self.training.get("grey")))

    def judge(self, picture: object, *, maps: bool = False) -> Verdicts:
        """Scores one picture of any size, after it was brought to this model's size, as those of the training were.

        Parameters
        ----------
        picture : str, Path, bytes, PIL image or array
            A file, the bytes of one, or uint8 of shape (H, W), (H, W, 1) or (H, W, 3).
        maps : bool
            Whether the answer, of one image, holds a heat map, at this model's size.

        Raises
        ------
        DataError
            For a picture that cannot be read.
        ModelError, UsageError
            As `score` does.
        """
        return self.score(self.fitted([picture_of(picture, self.value_range)]), maps=maps)

    def fitted(self, pictures: Sequence[Picture]) -> Pixels:
        """(N, C, H, W) uint8: pictures of any size at this model's. Raises DataError where it takes vectors."""
        if self.size is None:
            raise DataError(f"this model takes vectors of {self.shape[0]} numbers, not pictures; use score")
        there = [resized(one.pixels, self.size, self.channels, self.aspect) for one in pictures]
        return np.ascontiguousarray(np.stack(there).transpose(0, 3, 1, 2))

    def check_reading(self, images: Images) -> None:
        """Raises DataError for images that were read at another value range or aspect than this model's."""
        if images.levels.stored is not None and images.levels.value_range != self.value_range:
            raise DataError(
                f"the images were read with value_range={images.levels.value_range}, and those of the training with "
                f"{self.value_range}; {HOW}"
            )
        if images.sizes and images.aspect != self.aspect:
            raise DataError(
                f"the images were read with aspect {images.aspect}, and those of the run with {self.aspect}; {HOW}"
            )

    @as_usual()
    def score(self, images: Any, *, maps: bool = False) -> Verdicts:
        """Scores and answers for `Images`, pixels (N, C, H, W) uint8 or vectors (N, F) float32, of this model's shape.

        With `maps` the answers hold heat maps.

        Raises
        ------
        DataError
            If there are no images, their type, shape, value range or aspect differs, or vectors are not finite.
        ModelError
            If a score is not finite.
        UsageError
            If there is no threshold, or the detector has no heat maps.
        """
        limit = self.limit
        if isinstance(images, Images):
            self.check_reading(images)
        pixels = getattr(images, "pixels", images)
        self._check(pixels)
        said, heat = located(self.detector, pixels) if maps else (self.detector.score(pixels), None)
        if not all(np.isfinite(numbers).all() for numbers in (said.score, *said.parts.values())):
            raise ModelError("the model's scores are not finite on these images; use another model or train again")
        p_value, flagged = limit.p_values(said.score), limit.flags(said.score)
        leaf, gan = None, split_gan(self.detector)
        if gan is not None:
            best = np.zeros(len(pixels), np.int64) if said.classes is None else said.classes.argmax(1)
            leaf = leaf_of(gan, leaf_shares(gan, pixels), best)
        return Verdicts(said.score, p_value, flagged, said.parts, said.nearest, said.classes, heat, leaf)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the sub-classes, such as Coat/0; none where no class was split."""
        gan = split_gan(self.detector)
        return () if gan is None else tuple(gan.tree.names(self.classes["known"]))

    @property
    def parents(self) -> tuple[str, ...]:
        """The known class that each of `leaves` is a part of."""
        gan = split_gan(self.detector)
        return () if gan is None else tuple(self.classes["known"][path[0]] for path in gan.tree.paths)

    @property
    def limit(self) -> Threshold:
        """The threshold. Raises UsageError where there is none."""
        if self.threshold is None:
            raise UsageError(
                "the model only makes images: no images were held out for a threshold; train again in another "
                "folder and hold some out (--calibration)"
            )
        return self.threshold

    def _check(self, pixels: Any) -> None:
        """Raises DataError for input that this model cannot score."""
        dtype, how = ("uint8", HOW) if self.size else ("float32", "give such vectors")
        if self.size and _is_picture(pixels):
            how = "give one picture to model.judge(...), which takes any size"
        if not isinstance(pixels, np.ndarray) or pixels.dtype != dtype:
            given = f"{pixels.dtype}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise DataError(f"this model takes arrays of {dtype}, shape (N, *{self.shape}), not {show(given)}; {how}")
        if pixels.shape[1:] != self.shape:
            raise DataError(f"this model takes images of shape {self.shape}, not {pixels.shape[1:]}; {how}")
        if not len(pixels):
            raise DataError("there are no images to score; give at least one")
        if bad := np.count_nonzero(~np.isfinite(pixels).reshape(len(pixels), -1).all(1)):
            raise DataError(f"{bad} of {len(pixels)} vectors hold NaN or infinity; mend them or leave them out")

    def save(self, folder: Path) -> None:
        """Writes model.safetensors and model.json into `folder`. Raises OutputError where that fails."""
        checkpoint.save_model(folder, *self.state())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors and facts from which the model can be built again."""
        limit = self.threshold
        scores = {CALIBRATION: torch.from_numpy(np.sort(limit.calibration))} if limit else {}
        facts = {
            "kind": self.detector.kind,
            "method": dict(self.method),
            "shape": list(self.shape),
            "classes": {role: list(names) for role, names in self.classes.items()},
            "threshold": limit.value if limit else None,
            "training": {**self.training, **({"false_alarms": limit.allowed} if limit else {})},
            "settings": self.detector.facts(),
        }
        return self.detector.tensors() | scores, facts

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles by `state`, without objects of libraries. The copy is on the CPU."""
        return _built, self.state()

    def on(self, device: torch.device | str) -> Model:
        """A copy on a device. Raises UsageError where it cannot be used here."""
        check_device(device)
        return _built(*self.state(), device)

    @classmethod
    @as_usual()
    def load(cls, folder: Path | str, device: torch.device | str = "cpu") -> Model:
        """The model that `save` wrote, on `device`.

        Raises
        ------
        ModelError
            If `folder` holds anything else.
        UsageError
            If the device cannot be used here.
        """
        check_device(device)
        folder = files.at_home(folder)
        tensors, facts = checkpoint.load_model(folder)
        facts = with_new_names(facts)
        try:
            check(facts)
            model = _built(tensors, facts, device)
        except ModelError:
            raise
        # all that a forged file can make Python or torch raise
        except (LookalikeError, LookupError, TypeError, AttributeError, ArithmeticError, ValueError, RuntimeError) as e:
            raise ModelError(f"{show(folder)} is not a model that this version can build: {show(repr(e))}") from e
        # the number in the file must follow from its scores, or an edited file could move the threshold
        if model.threshold is not None and model.threshold.value != facts["threshold"]:
            raise ModelError(
                f"{show(folder)}: the threshold {facts['threshold']} is not its calibration scores' quantile"
            )
        return model


@as_usual()
def _built(tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device | str = "cpu") -> Model:
    """The model from the result of `state`."""
    training, tensors = dict(facts["training"]), dict(tensors)
    none = facts["threshold"] is None
    threshold = None if none else Threshold(calibration_of(tensors), training.pop("false_alarms"))
    classes = {role: tuple(map(composed, facts["classes"][role])) for role in ROLES}
    detector = detector_of(tensors, facts, device)
    return Model(detector, threshold, tuple(facts["shape"]), classes, facts["method"], training)


def _is_picture(given: Any) -> bool:
    """Whether this is one picture as `judge` takes it: a file, its bytes, a PIL image, or uint8 (H, W) or (H, W, C)."""
    if isinstance(given, np.ndarray):
        return given.dtype == np.uint8 and (given.ndim == 2 or (given.ndim == 3 and given.shape[2] in (1, 3)))
    return isinstance(given, str | Path | bytes | bytearray | memoryview | Image.Image)


def check_device(device: torch.device | str) -> None:
    """Raises UsageError if the device cannot be used here."""
    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:
        reason = show(str(error).split(". ")[0])
        raise UsageError(f"--device {show(device)} cannot be used here: {reason}; use cpu") from error
