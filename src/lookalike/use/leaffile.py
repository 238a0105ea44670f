"""The sub-class of each new image as a CSV or JSON-lines file: what a GAN that split its classes says of a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from lookalike.base import files
from lookalike.base.arrays import Report
from lookalike.base.errors import UsageError
from lookalike.data.sources import refuse_inside
from lookalike.detect.leaves import leaf_shares, split_gan
from lookalike.detect.model import Model
from lookalike.use.scorefile import append, blocks, check_suffix


def write(
    model: Model,
    data: str | Path,
    out: Path,
    *,
    on_bad: Literal["fail", "skip"] = "fail",
    max_bad: float = 0.05,
    report: Report = lambda stage, done, of: None,
) -> dict[str, int]:
    """Write a line per image of `data` into `out`: name, class, sub-class, the class of which it is a part, and share.

    The class is that of the image's folder, if it has one. The share is D's probability of the sub-class among all of
    them. The model needs no threshold.

    Parameters
    ----------
    model : Model
        A GAN whose classes were split.
    data : str or Path
        As for `lookalike.use.scorefile.write`.
    out : Path
        A .csv or .jsonl file, written as a whole or not at all.
    on_bad, max_bad
        As for `lookalike.stream`.
    report : callable
        Called with the progress.

    Returns
    -------
    dict
        Sub-class -> number of images, of all sub-classes in the order of their names.

    Raises
    ------
    UsageError
        For a model whose classes were not split, another suffix, or a place inside the images' own folder.
    DataError
        For images that cannot be read.
    OutputError
        If `out` cannot be written.
    """
    check_suffix(out, "sub-classes")
    refuse_inside(out, data)
    gan = split_gan(model.detector)
    if gan is None:
        raise UsageError(
            f"the classes of this {model.method['name']} model were not split; name a run of the method splitting"
        )
    names, parents, counts = model.leaves, model.parents, Counter[str]()
    with files.atomic(out) as handle:
        for block in blocks(model, data, on_bad=on_bad, max_bad=max_bad):
            shares = leaf_shares(gan, block.pixels)
            rows: list[dict[str, Any]] = [
                {
                    "name": name,
                    "class": block.classes[label] if label >= 0 else "",
                    "subclass": names[leaf],
                    "parent": parents[leaf],
                    "share": float(mine[leaf]),
                }
                for name, label, leaf, mine in zip(block.names, block.labels, shares.argmax(1), shares, strict=True)
            ]
            append(handle, out.suffix.lower(), rows, first=not counts)
            counts.update(row["subclass"] for row in rows)
            report("reading", counts.total(), 0)
    return {name: counts[name] for name in sorted(names)}
