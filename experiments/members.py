"""What does each kind of member of `auto` add? Measured on development sets, with `auto`'s own choice of members.

    python experiments/members.py DATA [SET ...]

DATA holds the folders tiles, pcb, steel, cifar-10-batches-bin and mnist. Of data with official test images only the
others are used. Of each set up to 400 images of the known class teach and up to 100 are held out to choose, as `auto`
does; others of the known class stand against images of the unknown ones. The figures go to
experiments/results/members.csv: the AUC of `auto` with all members and without some, of its best single member, and of
all members with equal weights. Seed 0. Takes about 20 minutes on two cores. Figures stay in runs/members.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lines import Line, digits, mean, measured, save

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import read
from lookalike.detect.auc import area
from lookalike.detect.baselines.features import AUTO
from lookalike.detect.choose import HELD_OUT, SHARE, TAUGHT, weights
from lookalike.detect.members import Member
from lookalike.detect.on_features import Panel, learn, scores
from lookalike.detect.scale import Scale
from lookalike.detect.seen import by_view
from lookalike.detect.standins import stand_ins
from lookalike.studies.trial import FiguresTrial

RUNS = Path("runs/members")
MOST, EACH = 120, 60  # test images of the known class, and of each unknown one
SETS: dict[str, tuple[str, str, str]] = {  # name -> folder, known class, unknown class; "" for all others
    "tiles": ("tiles", "Free", ""),
    "boards": ("pcb", "good", ""),
    **{f"steel, {kind}": ("steel", kind, "") for kind in ("crazing", "inclusion", "scratches")},
    **{f"CIFAR-10, {kind}": ("cifar-10-batches-bin", kind, "") for kind in ("automobile", "bird", "cat")},
    **{f"MNIST, {a} and {b}": ("mnist", a, b) for a, b in (("4", "9"), ("5", "6"), ("1", "7"))},
    **{
        f"Fashion-MNIST, {a} and {b}": ("fashion-mnist", a, b)
        for a, b in (("Dress", "Shirt"), ("Sneaker", "Sandal"), ("T-shirt/top", "Dress"))
    },
}
WITHOUT: dict[str, Callable[[Member], bool]] = {
    "all": lambda member: True,
    "without Gaussians of parts": lambda member: not (member.how == "gaussian" and member.cells),
    "without Gaussians of whole maps": lambda member: not (member.how == "gaussian" and not member.cells),
    "without neighbours": lambda member: member.how != "neighbours",
    "without patches": lambda member: member.how != "patches",
    "without small defects": lambda member: not (member.how == "patches" and member.taps[0] == "stage 2"),
    "without directions": lambda member: not member.unit,
    "without the smallest size": lambda member: member.side > 64,
    "without the largest sizes": lambda member: member.side <= 160,
}
ALONE = ("best single member", "equal weights")
Said = Mapping[str, Mapping[Member, Floats]]  # part -> member -> its scores


@dataclass(frozen=True)
class MembersTrial(FiguresTrial):
    """The AUC of `auto` on one set, by members that take part."""

    _: KW_ONLY
    known: str = ""
    unknown: str = ""
    name: str = ""

    def folder(self, runs: Path) -> Path:
        """The folder of its figures."""
        return runs / self.name.replace("/", "-")

    def measure(self, folder: Path, command: str) -> dict[str, Any]:
        """Every member's scores, then what is chosen of some of them."""
        torch.set_num_threads(1)
        parts = self._parts()
        shape = parts["known"].shape[1:]
        expected = {one.what: one for one in AUTO.expected(shape)}
        parts |= {what: stand_ins(one.stand_ins, parts["held out"], 0) for what, one in expected.items()}
        said: dict[str, dict[Member, Floats]] = {part: {} for part in parts if part != "teach"}
        for mine in by_view(AUTO.members(shape)):
            fitted = {m: one.fitted() for m, one in learn(AUTO.backbone, parts["teach"], mine, 0).items()}
            for part in said:
                said[part] |= scores(AUTO.backbone, parts[part], [fitted])[0]
        warmth = {what: one.warmth for what, one in expected.items()}
        found = {name: chosen_area(said, keeps, warmth) for name, keeps in WITHOUT.items()}
        each = {member: area(said["known"][member], said["unknown"][member]) for member in said["known"]}
        equal = dict.fromkeys(warmth, np.inf)
        alone = max(each.values()), chosen_area(said, WITHOUT["all"], equal)
        return found | dict(zip(ALONE, alone, strict=True))

    def _parts(self) -> dict[str, Pixels]:
        images, draw = read(self.data, size=self._size()), np.random.default_rng(0)
        usable = np.ones(len(images), np.bool_) if images.test is None else ~images.test
        mine = draw.permutation(np.flatnonzero(usable & (images.labels == images.classes.index(self.known))))
        others = [self.unknown] if self.unknown else [name for name in images.classes if name != self.known]
        unknown = [
            draw.permutation(np.flatnonzero(usable & (images.labels == images.classes.index(name))))[:EACH]
            for name in others
        ]
        tests = min(MOST, len(mine) // 4)
        held = min(HELD_OUT, (len(mine) - tests) // SHARE)
        rows = np.split(mine, [tests, tests + held, tests + held + TAUGHT])
        return {
            "known": images.pixels[rows[0]], "held out": images.pixels[rows[1]], "teach": images.pixels[rows[2]],
            "unknown": images.pixels[np.concatenate(unknown)],
        }  # fmt: skip

    def _size(self) -> tuple[int, int] | None:
        """Photographs of many sizes are read at one."""
        return {"tiles": (320, 320), "pcb": (640, 640), "steel": (200, 200)}.get(Path(self.data).name)


def chosen_area(said: Said, keeps: Callable[[Member], bool], warmth: Mapping[str, float]) -> float:
    """The AUC of `auto` with these members alone, or all where none is left; an infinite warmth weighs all alike."""
    members = [member for member in said["known"] if keeps(member)] or list(said["known"])
    held = said["held out"]
    scales = {member: Scale.of(held[member]) for member in members}
    scaled = {part: {m: scales[m](said[part][m]) for m in members} for part in ("held out", "known", "unknown")}
    panels = []
    for what, of in warmth.items():
        areas = {member: area(held[member], said[what][member]) for member in members}
        panels.append(Panel.of(what, weights(areas, of), scaled["held out"]))
    known, unknown = (np.max([panel(scaled[part]) for panel in panels], 0) for part in ("known", "unknown"))
    return area(known, unknown)


def main() -> None:
    """Measures each set, and writes a line for each, with their mean."""
    root, wanted = sys.argv[1], sys.argv[2:] or list(SETS)
    trials = []
    for name in wanted:
        folder, known, unknown = SETS[name]
        data = folder if folder == "fashion-mnist" else str(Path(root, folder))
        trials.append(MembersTrial(data, "auto", 0, known=known, unknown=unknown, name=name))
    names = [*WITHOUT, *ALONE]
    found = measured(trials, RUNS)
    lines: list[Line] = [
        {"set": trial.name, **digits(figures, names)} for trial, figures in zip(trials, found, strict=True)
    ]
    save("members", [*lines, {"set": "mean", **mean(lines, names)}])


if __name__ == "__main__":
    main()
