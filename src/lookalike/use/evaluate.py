"""How well a run tells its known classes from unknown ones, on images that it has not seen."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lookalike import files
from lookalike.data import Images, read
from lookalike.errors import DataError, UsageError, show
from lookalike.metrics.auc import auc, rate
from lookalike.model import Model, Verdicts
from lookalike.runs import SPLIT, seconds

BLOCK = 512  # images scored at once
WORST = 8  # images kept of each kind of mistake

Rows = npt.NDArray[np.int64]
Report = Callable[[str, int, int], None]


def evaluate(
    folder: str | Path,
    data: str | Path | Images,
    *,
    unknown: tuple[str, ...] | str = (),
    on_bad: Literal["fail", "skip"] = "fail",
    report: Report = lambda stage, done, of: None,
    warn: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Scores unseen images of the known classes and of `unknown`, and stores the figures in the run folder.

    Unseen are the official test images where the data has them, and otherwise all that the run's record does not list
    as used in training or calibration (by content). Nothing here sets a threshold.

    Parameters
    ----------
    folder : str or Path
        A finished run.
    data : str, Path or Images
        Must hold the known classes and the unknown ones.
    unknown : tuple of str
        Classes to tell apart from the known ones; empty: all others.
    on_bad : {"fail", "skip"}
        What to do with an image that cannot be read; `warn` is told how many were skipped.

    Returns
    -------
    dict
        The contents of evaluations/NAME.json: AUC with a bootstrap interval, false-alarm and miss rates at the model's
        threshold with Wilson intervals, counts, seconds.
    """
    folder = Path(folder)
    model = Model.load(folder)
    images = data if isinstance(data, Images) else _read(data, model, on_bad)
    if images.skipped:
        warn(f"{len(images.skipped)} images cannot be read and are left out, first {show(images.skipped[0].name)}")
    known = _class_names(model.classes["known"], images)
    others = _class_names((unknown,) if isinstance(unknown, str) else unknown, images)
    others = others or tuple(name for name in images.classes if name not in known)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is known to this model; name another as --unknown")
    unseen, excluded = _unseen(folder, images, warn)
    rows = {role: _rows(images, names, unseen) for role, names in (("known", known), ("unknown", others))}
    began = time.monotonic()
    said = {role: _scored(model, images.select(index), role, report) for role, index in rows.items()}
    took = {"train": seconds(folder), "score": round(time.monotonic() - began, 3)}
    figures = _figures(model, said) | {
        "known": list(known),
        "unknown": list(others),
        "excluded": excluded,
        "seconds": took,
    }
    stem = files.make_folder(folder / "evaluations") / _file_name(",".join(others))
    files.write_bytes(stem.with_name(stem.name + ".npz"), _arrays(model, images, rows, said))
    files.write_json(stem.with_name(stem.name + ".json"), figures)
    return figures


def _read(data: str | Path, model: Model, on_bad: Literal["fail", "skip"]) -> Images:
    value_range = model.training["value_range"]
    return read(data, size=model.size, channels=model.channels, on_bad=on_bad, value_range=value_range)


def _class_names(given: tuple[str, ...], images: Images) -> tuple[str, ...]:
    names = [name for text in given for name in ([text] if text in images.classes else text.split(","))]
    images.of(*names)  # refuses an unknown class with a hint
    return tuple(dict.fromkeys(names))


def _unseen(folder: Path, images: Images, warn: Callable[[str], None]) -> tuple[npt.NDArray[np.bool_], int]:
    """Which images the run has not used, and how many it has."""
    if not (folder / SPLIT).exists():
        warn(f"{show(folder)} has no {SPLIT}: images that it was trained on cannot be left out")
        used: set[str] = set()
    else:
        used = {key for keys in files.read_json(folder / SPLIT, limit=1 << 30).values() for key in keys}
    seen = np.array([key in used for key in images.keys], dtype=bool)
    official = np.ones(len(images), dtype=bool) if images.test is None else images.test
    return official & ~seen, int((official & seen).sum())


def _rows(images: Images, names: tuple[str, ...], unseen: npt.NDArray[np.bool_]) -> Rows:
    mine = np.isin(images.labels, [images.classes.index(name) for name in names])
    return np.flatnonzero(mine & unseen)


def _scored(model: Model, images: Images, role: str, report: Report) -> Verdicts:
    """Verdicts on all images, block by block; of the nearest images only the worst mistakes' will be used."""
    blocks = list(_blocks(model, images, role, report))
    if not blocks:
        raise DataError(f"no unseen {role} images are left to evaluate; give data that was not used in training")
    nearest = (
        None if blocks[0].nearest is None else np.concatenate([b.nearest for b in blocks if b.nearest is not None])
    )
    parts = {name: np.concatenate([b.parts[name] for b in blocks]) for name in blocks[0].parts}
    score, p_value, flagged = (
        np.concatenate([getattr(b, name) for b in blocks]) for name in ("score", "p_value", "flagged")
    )
    return Verdicts(score, p_value, flagged, parts, nearest)


def _blocks(model: Model, images: Images, role: str, report: Report) -> Iterator[Verdicts]:
    for i in range(0, len(images), BLOCK):
        report(f"scoring {role}", i, len(images))
        yield model.score(images.pixels[i : i + BLOCK])


def _figures(model: Model, said: dict[str, Verdicts]) -> dict[str, Any]:
    known, unknown = said["known"], said["unknown"]
    alarms, misses = int(known.flagged.sum()), int((~unknown.flagged).sum())
    return {
        "method": model.method["name"],
        "n_known": len(known.score),
        "n_unknown": len(unknown.score),
        "auc": asdict(auc(known.score, unknown.score)),
        "parts_auc": {
            name: auc(sign * known.parts[name], sign * unknown.parts[name]).value for name, sign in _signs(known)
        },
        "threshold": model.threshold.value,
        "allowed": model.threshold.allowed,
        "false_alarms": asdict(rate(alarms, len(known.score))),
        "misses": asdict(rate(misses, len(unknown.score))),
    }


def _signs(said: Verdicts) -> list[tuple[str, int]]:
    """Parts with the sign that makes larger mean less like the known classes: D's realness is turned."""
    return [(name, -1 if name == "realness" else 1) for name in said.parts]


def _arrays(model: Model, images: Images, rows: dict[str, Rows], said: dict[str, Verdicts]) -> bytes:
    """Scores, and the worst mistakes with their nearest images, as the bytes of an .npz file."""
    arrays: dict[str, Any] = {f"{role}_scores": verdicts.score for role, verdicts in said.items()}
    arrays["calibration_scores"] = model.threshold.calibration
    for kind, role, sign in (("misses", "unknown", 1), ("alarms", "known", -1)):
        worst = np.argsort(sign * said[role].score, kind="stable")[:WORST]
        worst = worst[said[role].flagged[worst] == (kind == "alarms")]
        chosen, nearest = rows[role][worst], said[role].nearest
        arrays[f"{kind}_score"] = said[role].score[worst]
        arrays[f"{kind}_name"] = np.array([show(images.names[i]) for i in chosen], dtype=np.str_)
        if images.pixels.ndim == 4:
            arrays[f"{kind}_query"] = images.pixels[chosen]
            if nearest is not None:
                arrays[f"{kind}_nearest"] = nearest[worst]
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _file_name(classes: str) -> str:
    """A safe file name for class names, with a hash where letters had to be replaced."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", classes)[:60].strip("-") or "classes"
    return (
        safe
        if safe == classes
        else f"{safe}-{hashlib.sha256(classes.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    )
