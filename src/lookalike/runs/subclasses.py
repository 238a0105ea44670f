"""The sub-classes that splitting found: their training images, a picture of each, and the true classes in it.

A run whose classes were split has them beside its model: subclasses.csv, subclasses.json and subclasses.png.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lookalike.base import files
from lookalike.base.arrays import Labels
from lookalike.base.cells import as_csv, file_cell
from lookalike.base.seeds import generator
from lookalike.data import scaled
from lookalike.game.gan import GAN
from lookalike.runs.folder import FACTS, LIST, PICTURE, PICTURED, SubClass, SubClasses
from lookalike.runs.plan import Plan
from lookalike.runs.samples import grid, png

EACH = 8  # real images of a sub-class in the picture, and as many generated


def write(folder: Path, gan: GAN, plan: Plan) -> None:
    """Writes the sub-classes that the training found."""
    names = gan.tree.names(plan.known)
    leaves = (torch.from_numpy(plan.numbered(plan.rows.train)) if gan.leaves is None else gan.leaves).numpy()
    truth = plan.truth[plan.rows.train]
    mutual, rand = purity(truth, leaves)
    found = SubClasses(leaves=tuple(_described(names, leaves, truth, plan.true_classes)), nmi=mutual, ari=rand)
    files.write_text(folder / LIST, _listing(plan, names, leaves))
    if len(plan.images.shape) == 3:
        files.write_bytes(folder / PICTURE, _picture(gan, plan, leaves, _ordered(names)))
    files.write_json(folder / FACTS, found.model_dump())


def purity(truth: Labels, leaves: Labels) -> tuple[float, float]:
    """Normalised mutual information and adjusted Rand index of the leaves (N,) and the true classes (N,)."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return float(normalized_mutual_info_score(truth, leaves)), float(adjusted_rand_score(truth, leaves))


def _described(names: list[str], leaves: Labels, truth: Labels, classes: tuple[str, ...]) -> Iterator[SubClass]:
    for leaf in _ordered(names):
        mine = Counter(truth[leaves == leaf].tolist())
        label, count = mine.most_common(1)[0]
        yield SubClass(name=names[leaf], images=mine.total(), most=classes[label], share=count / mine.total())


def _listing(plan: Plan, names: list[str], leaves: Labels) -> str:
    rows = (
        (file_cell(plan.images.names[row]), plan.true_classes[plan.truth[row]], names[leaf])
        for row, leaf in zip(plan.rows.train.tolist(), leaves.tolist(), strict=True)
    )
    text = as_csv([("file", "class", "subclass"), *rows])
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _ordered(names: list[str]) -> list[int]:
    """The leaves by name, so that the halves of a class stand together."""
    return sorted(range(len(names)), key=names.__getitem__)


def _picture(gan: GAN, plan: Plan, leaves: Labels, order: list[int]) -> bytes:
    """A row for each of at most `PICTURED` sub-classes: its real images, then generated ones."""
    z, rows = gan.method.latent.draw(EACH, generator(plan.recipe.settings.seed, "subclasses")), []
    for leaf in order[:PICTURED]:
        mine = plan.images.pixels[plan.rows.train[np.flatnonzero(leaves == leaf)[:EACH]]]
        real = torch.from_numpy(scaled(mine))
        blank = torch.full((EACH - len(real), *plan.images.shape), -1.0)
        rows += [real, blank, gan.generate(z, torch.full((EACH,), leaf) if gan.method.conditional else None).cpu()]
    return png(grid(torch.cat(rows), 2 * EACH))
