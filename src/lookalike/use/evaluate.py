"""How well the model of a run separates its known classes from the unknown, on images held out from training."""

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

from lookalike.base import files
from lookalike.base.arrays import Note, Report, Warn
from lookalike.base.errors import DataError, UsageError, show
from lookalike.base.threads import computing_with
from lookalike.data import Images, oddities, read
from lookalike.data.groups import Rule
from lookalike.data.images import Given
from lookalike.data.source import UNLABELLED
from lookalike.detect.auc import auc, rate
from lookalike.detect.heat import Locates
from lookalike.detect.model import ANY, Model, Verdicts
from lookalike.game.scored import CONVERGED
from lookalike.runs.folder import EVALUATIONS, training_seconds
from lookalike.runs.used import UsedGroups, used_groups, used_images
from lookalike.use.masks import masks_of, measured

BLOCK = 512  # images scored at one time
SHOWN = 8  # images kept of finds, misses and false alarms
TEST = "test"

Rows = npt.NDArray[np.int64]


def evaluate(
    folder: str | Path,
    data: str | Path | Images,
    *,
    unknown: Given = (),
    masks: str | Path | None = None,
    group: str | None = None,
    on_bad: Literal["fail", "skip"] = "fail",
    max_bad: float = 0.05,
    allow_empty_class: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    report: Report = lambda stage, done, of: None,
    warn: Warn = lambda message: None,
    note: Note = lambda message: None,
) -> dict[str, Any]:
    """Score held-out images of the known classes and of `unknown`, and store the figures in the run folder.

    Images are recognised by their content. The official test images are used where the data has them. Otherwise, a
    class that training read (a known class, or one of the extra fakes) gives the test images of the run's record, where
    most of its images are those of the run. Any other class, and any class of another folder, gives all its images. An
    image used in training or calibration, or as an extra fake, is never used. Nor is one of a group that was, where the
    run was split by group, but for official test images.

    Nothing here sets a threshold. Where one of the two groups has no held-out images, a figure that needs it is None,
    with the reason.

    Parameters
    ----------
    folder : str or Path
        A finished run folder, as `train` wrote it.
    data : str, Path or Images
        Data with the known classes and the unknown ones.
    unknown : str, int, or several
        The classes that count as unknown; empty means all other classes.
    masks : str, Path or None
        A folder with a mask of each unknown image: it adds figures of the heat maps. See `lookalike.use.masks`.
    group : str or None
        As for `lookalike.read`, for a run that was split by group; None means as the run has it.
    on_bad, max_bad, allow_empty_class
        As for `lookalike.read`; `warn` gets the number of skipped images.
    device : str
        Device of the latent search.
    threads : int or None
        CPU threads; None means as many as in training, which gives the same bits.
    report, warn : callable
        Called with the progress, and with what the user should know.
    note : callable
        Called with the sizes between which images shrink.

    Returns
    -------
    dict
        The contents of evaluations/NAME.json: AUC with a bootstrap interval, false-alarm and miss rates at the model's
        threshold with Wilson intervals, counts, and seconds.

        For several known classes there is also the accuracy, of all known images and of those that were not flagged.
        The confusion matrix counts predicted classes per class, the unknown last. Its row of unknown images is also
        given by class. With masks there are the pixel AUROC and AUPRO of the heat maps.

    Raises
    ------
    ModelError
        If `folder` is not a complete run.
    UsageError
        If one of the `unknown` classes is a known class.
    DataError
        If no held-out images are left, known or unknown.
    LockedError
        If another process is writing to `folder`.
    """
    folder = files.at_home(folder)
    model, parts, groups = Model.load(folder, device=device), used_images(folder), used_groups(folder, group)
    with files.lock(folder, EVALUATIONS):  # fail before the scoring where the result could not be written
        files.make_folder(folder / EVALUATIONS)
    images = data
    if not isinstance(images, Images):
        bad: dict[str, Any] = {"on_bad": on_bad, "max_bad": max_bad, "allow_empty_class": allow_empty_class}
        images = read(images, **model.reading(), **bad)
    if images.key_size != model.key_size:  # or images that trained would count as new ones
        raise DataError(
            f"the images have content keys taken at {images.key_size or 'their own size'}, and those of the run were "
            f"taken at {model.key_size or 'their own size'}; give the folder, or read it with key_size={model.key_size}"
        )
    model.check_reading(images)
    if pooled := model.training.get("pooled"):
        images = images.pooled([name for name in pooled if name in images.classes], ANY)
    for line in oddities.reading(images):
        note(line)
    for line in model.remarks(images.odd, images.levels):
        warn(line)
    if images.skipped:
        warn(
            f"images left out because they cannot be read: {len(images.skipped)}, first {show(images.skipped[0].name)}"
        )
    others = _others(model, images, unknown, warn)
    near = _of_used_groups(images, groups, warn)
    rows, used = _roles(model, parts, images, others, near, warn)
    marked = None if masks is None else masks_of(model, masks, [images.names[i] for i in rows["unknown"]])
    with computing_with(threads or model.training["threads"]):
        began = time.monotonic()
        verdicts = _verdicts(model, images, rows, report)
        took = {"train": training_seconds(folder), "score": round(time.monotonic() - began, 3)}
        pixels = measured(model, marked, images, rows["known"], rows["unknown"], report) if marked is not None else None
        arrays = _arrays(model, images, rows, verdicts)
    figures = (
        _figures(model, verdicts)
        | _by_class(model, images, rows, verdicts, others)
        | {
            "known": list(model.classes["known"]),
            "unknown": list(others),
            "excluded": int(used.sum()),
            "skipped": len(images.skipped),
            "seconds": took,
        }
    )
    if pixels is not None:
        figures["pixels"] = asdict(pixels)
    with files.lock(folder, EVALUATIONS):
        stem = files.make_folder(folder / EVALUATIONS) / _file_name(",".join(others) or "none")
        files.write_bytes(stem.with_name(stem.name + ".npz"), arrays)
        files.write_json(stem.with_name(stem.name + ".json"), figures)
    return figures


def _others(model: Model, images: Images, unknown: Given, warn: Warn) -> tuple[str, ...]:
    """Return the unknown classes; warns of known classes that the data lacks."""
    known = model.classes["known"]
    if gone := [name for name in known if name not in images.classes]:
        warn(f"the data has no class {show(gone[0])}, which is a known class of this model")
    others = images.names_of(unknown)
    if both := set(known) & set(others):
        raise UsageError(f"class {show(min(both))} is a known class of this model; give another one as --unknown")
    # These images are of the known classes, but without a label of their own.
    nameless = model.training.get("unlabelled", ())
    return others or tuple(name for name in images.classes if name not in (*known, *nameless))


def _of_used_groups(images: Images, used: UsedGroups | None, warn: Warn) -> npt.NDArray[np.bool_]:
    """Return which images are of a group that the run used (bool (N,)); an official test image is of none."""
    of: tuple[str, ...] = () if images.groups is None else images.groups.of
    if used is None or images.test is not None:
        return np.zeros(len(images), np.bool_)
    if used.by is not None:
        of = tuple(map(Rule.of(used.by), images.names))
    if missing := [name for name, group in zip(images.names, of, strict=False) if not group]:
        warn(
            f"images without a group, which may be of one that trained: {len(missing):,}, first {show(missing[0])}; "
            "give a --group that fits these names"
        )
    return np.isin(np.array(of or [""] * len(images)), sorted(used.trained))


def _roles(
    model: Model,
    parts: dict[str, frozenset[str]],
    images: Images,
    others: tuple[str, ...],
    near: npt.NDArray[np.bool_],
    warn: Warn,
) -> tuple[dict[str, Rows], npt.NDArray[np.bool_]]:
    """Return the rows of the held-out known and unknown images, and which images the run used."""
    known = model.classes["known"]
    held_out, used = _held_out(parts, images, (*known, *model.classes["extra_fakes"]))
    # The record holds all images of the known classes, but not of other classes.
    if images.test is None and (newcomers := len(_rows(images, known, ~held_out & ~used))):
        warn(f"known images that were added to the data after training split it, which are left out: {newcomers}")
    if n := len(_rows(images, others, held_out & near)):
        warn(f"unknown images left out, as images of their groups trained or set the threshold: {n:,}")
    held_out &= ~near
    rows = {role: _rows(images, names, held_out) for role, names in (("known", known), ("unknown", others))}
    keys = np.array(images.keys)
    if n := int(np.isin(keys[rows["unknown"]], keys[rows["known"]]).sum()):
        warn(f"unknown images that are exactly like a known one, and count as both: {n:,}; check DATA lists them")
    return rows, used


def _held_out(
    parts: dict[str, frozenset[str]], images: Images, read: tuple[str, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which images are evaluated, and which are left out because the run used them (both bool (N,))."""
    used = frozenset().union(*(keys for name, keys in parts.items() if name != TEST))
    seen, tests = (np.array([key in part for key in images.keys], dtype=bool) for part in (used, parts[TEST]))
    if images.test is not None:
        return images.test & ~seen, images.test & seen
    # Stray copies of a few images must make neither another class nor another folder one that training split.
    mine = [images.labels == number for number, name in enumerate(images.classes) if name in read]
    split = np.zeros(len(images), np.bool_)
    for here in mine:
        split |= here & (bool(tests[here].any()) and (tests | seen)[here].mean() > 0.5)
    return (tests | ~split) & ~seen, seen


def _rows(images: Images, names: tuple[str, ...], held_out: npt.NDArray[np.bool_]) -> Rows:
    mine = np.isin(images.labels, [images.classes.index(name) for name in names if name in images.classes])
    return np.flatnonzero(mine & held_out)


def _verdicts(model: Model, images: Images, rows: dict[str, Rows], report: Report) -> dict[str, Verdicts]:
    """Return the verdicts on both groups; those on a group without images are empty."""
    found = {role: _scored(model, images.select(i), role, report) for role, i in rows.items() if len(i)}
    if not found:
        raise DataError(
            "no held-out images, known or unknown, are left to evaluate; give data that was not used in training"
        )
    some = next(iter(found.values()))
    nearest = None if some.nearest is None else some.nearest[:0]
    parts = {name: values[:0] for name, values in some.parts.items()}
    classes = None if some.classes is None else some.classes[:0]
    none = Verdicts(some.score[:0], some.p_value[:0], some.flagged[:0], parts, nearest, classes)
    return {role: found.get(role, none) for role in rows}


def _scored(model: Model, images: Images, role: str, report: Report) -> Verdicts:
    """Return the verdicts on all images, block by block; only those of a gallery need their nearest images later."""
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


def _figures(model: Model, verdicts: dict[str, Verdicts]) -> dict[str, Any]:
    known, unknown = verdicts["known"], verdicts["unknown"]
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
        "converged": _converged(known, unknown),
        "threshold": model.limit.value,
        "allowed": model.limit.allowed,
        "crossed": bool(model.training.get("crossed", False)),
        "false_alarms": _rate(alarms, len(known.score), "known"),
        "misses": _rate(misses, len(unknown.score), "unknown"),
    }


def _by_class(
    model: Model, images: Images, rows: dict[str, Rows], verdicts: dict[str, Verdicts], others: tuple[str, ...]
) -> dict[str, Any]:
    """Return, for a model of several classes, its accuracy and the predicted classes of each class's images."""
    known, names = verdicts["known"], model.classes["known"]
    if known.classes is None:
        return {}
    numbers = [images.classes.index(name) if name in images.classes else None for name in names]
    true = np.array([numbers.index(label) for label in images.labels[rows["known"]].tolist()], np.int64)
    right, passed = known.classes.argmax(1) == true, ~known.flagged
    unknown, other = verdicts["unknown"].label, images.labels[rows["unknown"]]
    return {
        "classes": {
            "accuracy": _rate(int(right.sum()), len(right), "known"),
            "accuracy_passed": _rate(int((right & passed).sum()), int(passed.sum()), "unflagged known"),
            # rows: true classes, then the unknown; columns: predicted classes, the unknown last
            "confusion": [
                *(_counts(known.label[true == k], len(names)) for k in range(len(names))),
                _counts(unknown, len(names)),
            ],
            # the last row, split by the classes of the unknown images
            "confusion_unknown": [_counts(unknown[other == images.classes.index(name)], len(names)) for name in others],
        }
    }


def _counts(verdicts: Rows, known: int) -> list[int]:
    """Return how many images were predicted as each known class, and as unknown."""
    counts: list[int] = np.bincount(np.where(verdicts == UNLABELLED, known, verdicts), minlength=known + 1).tolist()
    return counts


def _rate(count: int, of: int, role: str) -> dict[str, Any]:
    """Return a rate with its interval, and with a reason where it is undefined."""
    return asdict(rate(count, of)) | ({} if of else {"reason": f"no held-out {role} images"})


def _converged(*verdicts: Verdicts) -> float | None:
    """Return the share of images whose latent search converged; None without a search."""
    found = [values for one in verdicts if (values := one.parts.get(CONVERGED)) is not None]
    return float(np.concatenate(found).mean()) if found else None


def _signs(verdicts: Verdicts) -> list[tuple[str, int]]:
    """Return the name and sign of each part of the score, so that larger means less like the known classes."""
    return [(name, -1 if name == "realness" else 1) for name in verdicts.parts if name != CONVERGED]


def _arrays(model: Model, images: Images, rows: dict[str, Rows], verdicts: dict[str, Verdicts]) -> bytes:
    """Return the scores, and the galleries of images with their nearest images, as the bytes of an .npz file."""
    arrays: dict[str, Any] = {f"{role}_scores": one.score for role, one in verdicts.items()}
    arrays["calibration_scores"] = model.limit.calibration
    for kind, (role, shown) in _galleries(verdicts).items():
        chosen, nearest = rows[role][shown], verdicts[role].nearest
        arrays[f"{kind}_score"] = verdicts[role].score[shown]
        arrays[f"{kind}_name"] = np.array([show(images.names[i]) for i in chosen], dtype=np.str_)
        if images.pixels.ndim == 4:
            arrays[f"{kind}_query"] = images.pixels[chosen]
            if nearest is not None:
                arrays[f"{kind}_nearest"] = nearest[shown]
            if len(shown) and isinstance(model.detector, Locates) and model.detector.locates:
                arrays[f"{kind}_map"] = model.score(images.pixels[chosen], maps=True).maps
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _galleries(verdicts: dict[str, Verdicts]) -> dict[str, tuple[str, Rows]]:
    """Finds, from the clearest to the closest at even distances; the worst misses; the worst false alarms."""
    known, unknown = verdicts["known"], verdicts["unknown"]
    clearest, closest = (np.argsort(sign * unknown.score, kind="stable") for sign in (-1, 1))
    found = clearest[unknown.flagged[clearest]]
    highest = np.argsort(-known.score, kind="stable")
    even = np.linspace(0, len(found) - 1, min(SHOWN, len(found))).round().astype(np.int64)
    return {
        "finds": ("unknown", found[even]),
        "misses": ("unknown", closest[~unknown.flagged[closest]][:SHOWN]),
        "alarms": ("known", highest[known.flagged[highest]][:SHOWN]),
    }


def _file_name(classes: str) -> str:
    """Return a safe file name for class names, with a hash where characters had to be replaced."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", classes)[:60].strip("-") or "classes"
    return (
        safe
        if safe == classes
        else f"{safe}-{hashlib.sha256(classes.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    )
