"""One training of the table of photographs: scores of each class, and how well heat maps find what masks mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.base import files
from lookalike.base.arrays import Index, Pixels
from lookalike.base.errors import show
from lookalike.data import Images
from lookalike.detect.heat import Locates
from lookalike.detect.model import Model
from lookalike.detect.pixels import pixel_figures
from lookalike.studies.detect.parts import FEW, WHOLE, rows_of
from lookalike.studies.detect.trial import DetectorTrial
from lookalike.studies.trial import AGAIN, name_of
from lookalike.use.masks import maps_of, masks_of

OTHERS = "others"  # several classes, in the name of a row


def named(classes: tuple[str, ...]) -> str:
    """What a row calls these classes."""
    return classes[0] if len(classes) == 1 else OTHERS


@dataclass(frozen=True)
class PhotographTrial(DetectorTrial):
    """A trial that may score few images of each class that no training learns, and measures heat maps.

    Parameters
    ----------
    few : bool
        Scores only `FEW` of the classes in `whole`.
    masks : str
        A folder with a mask of each image of these classes; empty: heat maps are not measured.
    """

    _: KW_ONLY
    few: bool = False
    masks: str = ""

    def __str__(self) -> str:
        return f"{self.method} on {show(Path(self.data).name)}, {named(self.known)} known, seed {self.seed}"

    def part_of(self, name: str) -> str:
        """The part that measures class `name`."""
        part = super().part_of(name)
        return FEW if self.few and part == WHOLE else part

    def is_done(self, runs: Path) -> bool:
        """Whether all scores are stored, and the figures of heat maps where there are masks."""
        return super().is_done(runs) and (not self.masks or self._of_masks(self.folder(runs)).exists())

    def work(self, folder: Path, command: str) -> None:
        """Trains, scores, and measures heat maps, each where it is missing."""
        super().work(folder, command)
        if self.masks and not self._of_masks(folder).exists():
            files.write_json(self._of_masks(folder), self._measured(self.model(folder, command)))

    def of_maps(self, runs: Path, unknown: tuple[str, ...]) -> Mapping[str, float]:
        """Pixel AUROC and AUPRO of the images of these classes; nothing where the detector has no heat maps."""
        if not self.masks:
            return {}
        return dict(files.read_json(self._of_masks(self.folder(runs)), mend=AGAIN).get(named(unknown), {}))

    def _of_masks(self, folder: Path) -> Path:
        """The figures of heat maps; with other masks they are other figures."""
        return folder / f"pixels-{files.safe_name(name_of(self.masks))}.json"

    def _measured(self, model: Model) -> dict[str, Any]:
        """Figures by each unknown class, and by all of them, against the test images of the known ones."""
        if not (isinstance(model.detector, Locates) and model.detector.locates):
            return {}
        images, settings = self.images(model), self.train_settings()
        every = {name: rows_of(images, settings, name, self.part_of(name)) for name in (*self.known, *self.whole)}
        known, rows = np.concatenate([every[name] for name in self.known]), {name: every[name] for name in self.whole}
        marked = {name: masks_of(model, self.masks, [images.names[i] for i in mine]) for name, mine in rows.items()}
        plain, heat = _maps(model, images, known), {name: _maps(model, images, mine) for name, mine in rows.items()}
        unmarked = [np.zeros(model.shape[1:], np.bool_)] * len(plain)
        found = {}
        for names in dict.fromkeys((*((name,) for name in self.whole), self.whole)):
            maps, masks = ([one for name in names for one in of[name]] for of in (heat, marked))
            figures = pixel_figures([*plain, *maps], [*unmarked, *masks])
            found[named(names)] = {"pixel_auroc": figures.auroc, "pixel_aupro": figures.aupro}
        return found


def _maps(model: Model, images: Images, rows: Index) -> list[Pixels]:
    return list(maps_of(model, images, rows, lambda *_: None))
