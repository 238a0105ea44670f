"""What the page answers: the verdict of an image as words, numbers and pictures, and the images that a GAN makes."""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from lookalike.base.arrays import Pixels
from lookalike.base.errors import DataError, LookalikeError, UsageError, listed, show
from lookalike.base.threads import computing_with
from lookalike.base.words import percent
from lookalike.data.aspect import unfitted
from lookalike.data.pictures import picture_of
from lookalike.detect.heat import overlaid, shown
from lookalike.detect.model import UNKNOWN, Model, Verdicts
from lookalike.runs.samples import png
from lookalike.use.generate import MANIFEST, Generator, between, generators

SIDE = 640  # pixels of the longer side of a picture in an answer
MOST = 64  # images that are made for one request
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """An image that was read: at the model's size, (1, C, H, W), and as it is shown, (H, W, C)."""

    pixels: Pixels
    shown: Pixels


@dataclass(frozen=True)
class Served:
    """A model on the page.

    Parameters
    ----------
    name : str
        The name of its run folder.
    folder : Path
        Its run folder, which no answer names.
    model : Model
        The model.
    """

    name: str
    folder: Path
    model: Model

    @cached_property
    def makers(self) -> Mapping[str, Generator]:
        """Class -> what makes its images; nothing for a model without a GAN, or of vectors."""
        try:
            return generators(self.model) if self.model.size else {}
        except UsageError:
            return {}

    @property
    def judges(self) -> bool:
        """Whether it gives verdicts of images."""
        return self.model.threshold is not None and self.model.size is not None

    @property
    def facts(self) -> Answer:
        """What the page says about the model."""
        limit = self.model.threshold
        return {
            "name": self.name,
            "method": self.model.method["name"],
            "known": list(self.model.classes["known"]),
            "judges": self.judges,
            "makes": list(self.makers),
            "false_alarms": limit.allowed if limit else None,
            "least": 1 / (len(limit.calibration) + 1) if limit else None,
            "size": list(self.model.size or ()),
        }

    def judge(self, files: Sequence[bytes], *, pictures: bool) -> list[Answer | LookalikeError]:
        """Return, for the bytes of each image file, its answer, or why it cannot be read.

        Parameters
        ----------
        files : sequence of bytes
            They are scored together, and each answer is what it would be alone.
        pictures : bool
            Whether the answers hold the image, its heat map and the nearest known image as data URLs.
        """
        read = [self._read(file) for file in files]
        good = [one for one in read if isinstance(one, Seen)]
        if not good:
            return [one for one in read if isinstance(one, LookalikeError)]
        with computing_with(self.model.training["threads"]):
            said = self._scored(np.concatenate([one.pixels for one in good]), maps=pictures)
        answers = iter([self._answer(said, i, one.shown if pictures else None) for i, one in enumerate(good)])
        return [next(answers) if isinstance(one, Seen) else one for one in read]

    def _read(self, file: bytes) -> Seen | LookalikeError:
        """Return an image at the sizes that are needed: a batch of photographs at full size would fill the memory."""
        try:
            picture = picture_of(file, self.model.value_range)
        except LookalikeError as error:
            return error
        return Seen(self.model.fitted([picture]), np.asarray(_small(picture.pixels)))

    def _scored(self, pixels: Pixels, *, maps: bool) -> Verdicts:
        """Score, with heat maps where the detector has them."""
        try:
            return self.model.score(pixels, maps=maps)
        except UsageError:
            if not maps:
                raise
            return self.model.score(pixels)

    def _answer(self, said: Verdicts, i: int, image: Pixels | None) -> Answer:
        known, label = self.model.classes["known"], int(said.label[i])
        answer: dict[str, Any] = {
            "score": float(said.score[i]),
            "p_value": float(said.p_value[i]),
            "flagged": bool(said.flagged[i]),
            "predicted": known[label] if label >= 0 else UNKNOWN,
            "closest": known[0 if said.classes is None else int(said.classes[i].argmax())],
            "confidence": None if said.classes is None else float(said.classes[i].max()),
        }
        answer["words"] = words(answer, known)
        return answer if image is None else answer | {"pictures": self._pictures(said, i, image)}

    def _pictures(self, said: Verdicts, i: int, image: Pixels) -> Mapping[str, str]:
        """Return the image, its heat map and the nearest known image as data URLs, as far as there are any."""
        found = {"image": _url(image)}
        if said.maps is not None:
            heat = unfitted(said.maps[i], (image.shape[0], image.shape[1]), self.model.aspect)
            found["heat_map"] = _url(overlaid(image, heat, shown(self.model.detector)))
        if said.nearest is not None and said.nearest.ndim == 4:
            found["nearest"] = _url(np.ascontiguousarray(said.nearest[i].transpose(1, 2, 0)))
        return found

    def make(self, name: str, *, seed: int, n: int) -> list[bytes]:
        """Return n images of a class as PNG files; raises DataError for another class, and for more than `MOST`."""
        if not 1 <= n <= MOST:
            raise DataError(f"{n} images are asked for; give a number from 1 to {MOST}")
        with computing_with(self.model.training["threads"]):
            made = np.concatenate(list(self._maker(name).images(n, seed=seed)))
        return [png(np.ascontiguousarray(one.transpose(1, 2, 0))) for one in made]

    def way(self, first: str, second: str, *, seed: int) -> bytes:
        """Return a PNG with the way from one class to another."""
        for name in (first, second):
            self._maker(name)
        with computing_with(self.model.training["threads"]):
            return between(self.model, first, second, seed=seed)

    def _maker(self, name: str) -> Generator:
        if name not in self.makers:
            there = f"it makes {listed(self.makers)}" if self.makers else "it makes no images"
            raise DataError(f"{show(self.name)} makes no images of class {show(name)}; {there}")
        return self.makers[name]

    def report(self) -> str:
        """Return the run's report as HTML."""
        from lookalike.report import write

        with TemporaryDirectory(prefix="lookalike-page-") as folder:
            return write([self.folder], Path(folder) / "report.html").read_text(encoding="utf-8")


def words(answer: Answer, known: Sequence[str]) -> str:
    """Return the verdict as a sentence."""
    share = f"{percent(answer['p_value'])} of known images score as high"
    if answer["flagged"]:
        what = f"unlike {show(known[0], 60)}" if len(known) == 1 else "unlike every known class"
        return f"Flagged: {what}. Only {share}."
    if len(known) == 1:
        return f"Looks like {show(known[0], 60)}. {share[0].upper()}{share[1:]}."
    return f"Looks like {show(answer['predicted'], 60)}, at {percent(answer['confidence'])} among the known classes."


def zipped(name: str, seed: int, images: Sequence[bytes]) -> bytes:
    """Return a zip archive of PNG files with their list, as `lookalike generate` writes them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for i, one in enumerate(images):
            archive.writestr(f"{i:06d}.png", one)
        archive.writestr(
            MANIFEST, "file,seed,number\n" + "".join(f"{i:06d}.png,{seed},{i}\n" for i in range(len(images)))
        )
        archive.comment = show(name, 200).encode("ascii", "backslashreplace")
    return out.getvalue()


def data_url(file: bytes) -> str:
    """Return a PNG file as a data URL."""
    return "data:image/png;base64," + b64encode(file).decode("ascii")


def _url(pixels: Pixels) -> str:
    return data_url(png(pixels))


def _small(pixels: Pixels) -> Pixels:
    """Return an image (H, W, C) of at most `SIDE` pixels a side. Encoded anew, it has lost all notes of its file."""
    height, width, channels = pixels.shape
    scale = SIDE / max(height, width)
    if scale >= 1:
        return pixels
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR)).reshape(size[1], size[0], channels)
