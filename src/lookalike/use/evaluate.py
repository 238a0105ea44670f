"""How well a run tells its known classes from unknown ones, on images that it has not seen."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from lookalike.base import files
from lookalike.base.arrays import Report, Warn
from lookalike.base.errors import DataError, UsageError, show
from lookalike.data import Images, read
from lookalike.data.source import UNLABELLED
from lookalike.detect.auc import auc, rate
from lookalike.detect.model import ANY, Model, Verdicts
from lookalike.runs.folder import EVALUATIONS
from lookalike.runs.record import parts_of
from lookalike.runs.run import seconds

BLOCK = 512  # images scored at once
WORST = 8  # images kept of each kind of mistake
TEST = "test"

Rows = npt.NDArray[np.int64]


def evaluate(
    folder: str | Path,
    data: str | Path | Images,
    *,
    unknown: tuple[str, ...] | str = (),
    on_bad: Literal["fail", "skip"] = "fail",
    max_bad: float = 0.05,
    allow_empty_class: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
) -> dict[str, Any]:
    """Scores unseen images of the known classes and of `unknown`, and stores the figures in the run folder.

    Unseen are the official test images where the data has them. Otherwise, of a class that the training read (known, or
    shown as another one), the images that the run's record lists as its test part; of any other class, all.
    An image that was used in training or calibration, or against which was trained, is never among them: images are
    told by content. Nothing here sets a threshold. Where one of the two groups has no unseen images, a figure that
    needs it is None, with the reason.

    Parameters
    ----------
    folder : str or Path
        A finished run, as `train` wrote it.
    data : str, Path or Images
        Must hold the known classes and the unknown ones.
    unknown : tuple of str
        Classes to tell apart from the known ones; empty: all others.
    on_bad, max_bad, allow_empty_class
        As `lookalike.read` takes them; `warn` is told how many images were skipped.
    device : str
        Where the search computes.
    threads : int or None
        CPU threads; None: as many as trained, for the same bits.

    Returns
    -------
    dict
        The contents of evaluations/NAME.json: AUC with a bootstrap interval, false-alarm and miss rates at the model's
        threshold with Wilson intervals, counts, seconds; of several known classes also the accuracy among them, of all
        known images and of those that were not flagged, and the confusion of classes and verdicts, unknown last (its
        row of unknown images also by their classes).

    Raises
    ------
    ModelError
        If `folder` is not a whole run.
    DataError
        If neither known nor unknown images are left.
    LockedError
        If another process is writing in `folder`.
    """
    folder = Path(folder)
    model, parts = Model.load(folder, device=device), parts_of(folder)
    with files.lock(folder, EVALUATIONS):  # what could not be written is not scored first
        files.make_folder(folder / EVALUATIONS)
    torch.set_num_threads(threads or model.training["threads"])
    images = data
    if not isinstance(images, Images):
        images = _read(images, model, on_bad=on_bad, max_bad=max_bad, allow_empty_class=allow_empty_class)
    if pooled := model.training.get("pooled"):
        images = images.pooled([name for name in pooled if name in images.classes], ANY)
    if images.skipped:
        warn(f"images left out since they cannot be read: {len(images.skipped)}, first {show(images.skipped[0].name)}")
    others = _others(model, images, unknown, warn)
    rows, used = _groups(model, parts, images, others, warn)
    began = time.monotonic()
    said = _verdicts(model, images, rows, report)
    took = {"train": seconds(folder), "score": round(time.monotonic() - began, 3)}
    figures = (
        _figures(model, said)
        | _by_class(model, images, rows, said, others)
        | {
            "known": list(model.classes["known"]),
            "unknown": list(others),
            "excluded": int(used.sum()),
            "skipped": len(images.skipped),
            "seconds": took,
        }
    )
    arrays = _arrays(model, images, rows, said)
    with files.lock(folder, EVALUATIONS):
        stem = files.make_folder(folder / EVALUATIONS) / _file_name(",".join(others) or "none")
        files.write_bytes(stem.with_name(stem.name + ".npz"), arrays)
        files.write_json(stem.with_name(stem.name + ".json"), figures)
    return figures


def _read(data: str | Path, model: Model, **bad: Any) -> Images:
    return read(data, size=model.size, channels=model.channels, value_range=model.training["value_range"], **bad)


def _others(model: Model, images: Images, unknown: tuple[str, ...] | str, warn: Warn) -> tuple[str, ...]:
    """The unknown classes; warns of known ones that the data lack."""
    known = model.classes["known"]
    if gone := [name for name in known if name not in images.classes]:
        warn(f"the data has no class {show(gone[0])}, which this model knows")
    others = images.names_of((unknown,) if isinstance(unknown, str) else unknown)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is known to this model; name another as --unknown")
    nameless = model.training.get("unlabelled", ())  # of the known classes, nobody says which
    return others or tuple(name for name in images.classes if name not in (*known, *nameless))


def _groups(
    model: Model, parts: dict[str, frozenset[str]], images: Images, others: tuple[str, ...], warn: Warn
) -> tuple[dict[str, Rows], npt.NDArray[np.bool_]]:
    """Rows of the unseen known and unknown images, and which images the run had used."""
    known = model.classes["known"]
    unseen, used = _unseen(parts, images, (*known, *model.classes["extra_fakes"]))
    # of other classes the record does not hold all
    if images.test is None and (newcomers := len(_rows(images, known, ~unseen & ~used))):
        warn(f"{newcomers} known images joined the data after training split it; they are left out")
    return {role: _rows(images, names, unseen) for role, names in (("known", known), ("unknown", others))}, used


def _unseen(
    parts: dict[str, frozenset[str]], images: Images, read: tuple[str, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which images count, and which could have but were used by the run, whose training read these classes."""
    used = frozenset().union(*(keys for name, keys in parts.items() if name != TEST))
    seen, tests = (np.array([key in part for key in images.keys], dtype=bool) for part in (used, parts[TEST]))
    if images.test is not None:
        return images.test & ~seen, images.test & seen
    # a stray copy of a test image does not make its class one that was read
    numbers = [number for number, name in enumerate(images.classes) if name in read]
    split = np.isin(images.labels, np.intersect1d(images.labels[tests], numbers))
    return (tests | ~split) & ~seen, seen


def _rows(images: Images, names: tuple[str, ...], unseen: npt.NDArray[np.bool_]) -> Rows:
    mine = np.isin(images.labels, [images.classes.index(name) for name in names if name in images.classes])
    return np.flatnonzero(mine & unseen)


def _verdicts(model: Model, images: Images, rows: dict[str, Rows], report: Report) -> dict[str, Verdicts]:
    """Verdicts on both groups; those on a group without images are empty."""
    found = {role: _scored(model, images.select(i), role, report) for role, i in rows.items() if len(i)}
    if not found:
        raise DataError(
            "no unseen images, known or unknown, are left to evaluate; give data that was not used in training"
        )
    some = next(iter(found.values()))
    nearest = None if some.nearest is None else some.nearest[:0]
    parts = {name: values[:0] for name, values in some.parts.items()}
    classes = None if some.classes is None else some.classes[:0]
    none = Verdicts(some.score[:0], some.p_value[:0], some.flagged[:0], parts, nearest, classes)
    return {role: found.get(role, none) for role in rows}


def _scored(model: Model, images: Images, role: str, report: Report) -> Verdicts:
    """Verdicts on all images, block by block; of the nearest images only the worst mistakes' will be used."""
    blocks = list(_blocks(model, images, role, report))
    nearest = [b.nearest for b in blocks if b.nearest is not None]
    parts = {name: np.concatenate([b.parts[name] for b in blocks]) for name in blocks[0].parts}
    score, p_value, flagged = (
        np.concatenate([getattr(b, name) for b in blocks]) for name in ("score", "p_value", "flagged")
    )
    classes = [b.classes for b in blocks if b.classes is not None]
    return Verdicts(
        *(score, p_value, flagged, parts),
        nearest=np.concatenate(nearest) if nearest else None,
        classes=np.concatenate(classes) if classes else None,
    )


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
            name: auc(sign * known.parts[name], sign * unknown.parts[name], resamples=1).value
            for name, sign in _signs(known)
        },
        "threshold": model.limit.value,
        "allowed": model.limit.allowed,
        "false_alarms": _rate(alarms, len(known.score), "known"),
        "misses": _rate(misses, len(unknown.score), "unknown"),
    }


def _by_class(
    model: Model, images: Images, rows: dict[str, Rows], said: dict[str, Verdicts], others: tuple[str, ...]
) -> dict[str, Any]:
    """Of a model of several classes: how well it tells them apart, and what became of each class's images."""
    known, names = said["known"], model.classes["known"]
    if known.classes is None:
        return {}
    numbers = [images.classes.index(name) if name in images.classes else None for name in names]
    true = np.array([numbers.index(label) for label in images.labels[rows["known"]].tolist()], np.int64)
    right, passed = known.classes.argmax(1) == true, ~known.flagged
    unknown, other = said["unknown"].label, images.labels[rows["unknown"]]
    return {
        "classes": {
            "accuracy": _rate(int(right.sum()), len(right), "known"),
            "accuracy_passed": _rate(int((right & passed).sum()), int(passed.sum()), "unflagged known"),
            # rows: true classes, then unknown; columns: verdicts, unknown last
            "confusion": [
                *(_counts(known.label[true == k], len(names)) for k in range(len(names))),
                _counts(unknown, len(names)),
            ],
            # the last row by unknown classes
            "confusion_unknown": [_counts(unknown[other == images.classes.index(name)], len(names)) for name in others],
        }
    }


def _counts(verdicts: Rows, known: int) -> list[int]:
    """How many images were said to be of each known class, and of none."""
    counts: list[int] = np.bincount(np.where(verdicts == UNLABELLED, known, verdicts), minlength=known + 1).tolist()
    return counts


def _rate(count: int, of: int, role: str) -> dict[str, Any]:
    """A rate with its interval; where it is undefined, with the reason."""
    return asdict(rate(count, of)) | ({} if of else {"reason": f"no unseen {role} images"})


def _signs(said: Verdicts) -> list[tuple[str, int]]:
    """Parts with the sign that makes larger mean less like the known classes: D's realness is turned."""
    return [(name, -1 if name == "realness" else 1) for name in said.parts]


def _arrays(model: Model, images: Images, rows: dict[str, Rows], said: dict[str, Verdicts]) -> bytes:
    """Scores, and the worst mistakes with their nearest images, as the bytes of an .npz file."""
    arrays: dict[str, Any] = {f"{role}_scores": verdicts.score for role, verdicts in said.items()}
    arrays["calibration_scores"] = model.limit.calibration
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
