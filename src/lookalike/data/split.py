"""Training, calibration and test parts by seed and content: the order and the names of the images do not matter.

Where images have groups, the names of the groups stand for the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.base.arrays import Floats, Index
from lookalike.base.errors import DataError, UsageError, show
from lookalike.data.groups import Mask
from lookalike.data.images import Images

Names = npt.NDArray[np.str_]
LONGEST = "<U11"  # the dtype that holds the name of each part
PARTS = {"train": "training", "test": "the test part", "calibration": "calibration"}  # in words


@dataclass(frozen=True, eq=False)
class Split:
    """Ascending int64 indices of the images of each part; identical images are never in two parts.

    No group of images is in two parts either, but for official test images. `excluded` holds the images that belong to
    no part: those that repeat an official test image or are of its group, and those that repeat an image in an earlier
    part than that of their own group. Training comes first, then calibration, then test.
    """

    train: Index
    calibration: Index
    test: Index
    excluded: Index


def split(images: Images, *, test: float, calibration: float, seed: int) -> Split:
    """Split each class by the ranks of SHA-256(seed, content key) of its distinct images.

    The first images in this order are the test part, the next ones the calibration part, and the rest trains. Shares
    are rounded. Each part with a share above 0 still gets one image of every class that has three or more. Training
    always keeps at least one image.

    Where the source has an official test part (`images.test`), that part is used and the `test` share is ignored. An
    image that appears in several classes goes to one part, as an image of the class whose name is first. Images
    without a label go to no part.

    Where the images have groups (`images.groups`), whole groups go to the parts instead. The shares of each class are
    as near as the groups allow, in the order of SHA-256(seed, group); every class of the source counts, whichever are
    read.

    Parameters
    ----------
    test : share of all images, in [0, 1)
    calibration : share of the images that are not test images, in [0, 1)

    Raises
    ------
    UsageError
        For a share outside [0, 1).
    DataError
        Where the groups leave a class no image for a part.
    """
    for name, share in (("test", test), ("calibration", calibration)):
        if not 0 <= share < 1:
            raise UsageError(f"the {name} share is {share}; give a share of at least 0 and less than 1")
    keys = np.array(images.keys)
    official = np.zeros(len(images), np.bool_) if images.test is None else images.test
    repeated = np.isin(keys, keys[official]) & ~official
    free, shares = ~official & ~repeated & (images.labels >= 0), (test if images.test is None else 0.0, calibration)
    names = (_by_content if images.groups is None else _by_group)(images, keys, free, *shares, seed)
    names[official], names[repeated], names[images.labels < 0] = "test", "excluded", ""
    return Split(*(np.flatnonzero(names == part) for part in ("train", "calibration", "test", "excluded")))


def _by_content(images: Images, keys: Names, free: Mask, test: float, calibration: float, seed: int) -> Names:
    """Return the part of each image; equal images go to one."""
    parts: dict[str, str] = {}
    for number in sorted(range(len(images.classes)), key=lambda i: images.classes[i]):
        mine = set(keys[(images.labels == number) & free].tolist()) - set(parts)
        parts |= _parts(_ranked(mine, seed), test, calibration)
    return np.array([parts.get(key, "") for key in images.keys], LONGEST)


def _ranked(names: Iterable[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogatepass")).digest())


def _parts(ranked: list[str], test: float, calibration: float) -> dict[str, str]:
    """Return content key -> part for the keys of one class, which are sorted by hash."""
    n_test = _share(test, len(ranked), keep=2)
    n_calibration = _share(calibration, len(ranked) - n_test, keep=1)
    names = ["test"] * n_test + ["calibration"] * n_calibration
    return dict(zip(ranked, names + ["train"] * (len(ranked) - len(names)), strict=True))


def _share(share: float, of: int, keep: int) -> int:
    """Return `share` of `of`, rounded: at least 1 where `keep` others remain, and never all."""
    rounded = int(share * of + 0.5)
    if share > 0 and of > keep:
        return min(max(rounded, 1), of - keep)
    return max(0, min(rounded, of - 1))


def _by_group(images: Images, keys: Names, free: Mask, test: float, calibration: float, seed: int) -> Names:
    """Return the part of each image; images of one group go to one, and no content is in two."""
    groups = images.groups
    assert groups is not None, "split asks first"
    counts = {group: mine for group, mine in groups.counts.items() if group not in groups.tested}
    parts = dict.fromkeys(groups.tested, "excluded") | _assigned(counts, test, calibration, seed)
    names = np.array([parts.get(group, "") for group in groups.of], LONGEST)
    for part, later in (("train", ("calibration", "test")), ("calibration", ("test",))):
        repeats = np.isin(keys, keys[free & (names == part)])
        names[free & repeats & np.isin(names, later)] = "excluded"
    wanted = ["train", *(["test"] if test else []), *(["calibration"] if calibration else [])]
    for number, name in enumerate(images.classes):
        mine = free & (images.labels == number)
        if mine.any() and (gone := [part for part in wanted if not (names[mine] == part).any()]):
            found = groups.names(np.flatnonzero(mine))
            first = f"{len(found):,} groups" if len(found) > 1 else f"one group, {show(found[0], 60)}"
            raise DataError(
                f"class {show(name)}: its images are of {first}, which leaves none for {PARTS[gone[0]]}; "
                f"{len(wanted)} groups or more of each class are needed, and equal images count once; add images of "
                "other groups, or leave the class out"
            )
    return names


def _assigned(counts: Mapping[str, Mapping[str, int]], test: float, calibration: float, seed: int) -> dict[str, str]:
    """Return group -> part, from the number of images of each class in each group."""
    ranked = _ranked(counts, seed)
    classes = sorted({name for mine in counts.values() for name in mine})
    table = np.array([[counts[group].get(name, 0) for name in classes] for group in ranked], np.float64)
    table = table.reshape(len(ranked), len(classes))
    tested = _taken(table, test, keep=2)
    held = _taken(table * ~tested[:, None], calibration, keep=1)
    return {
        group: "test" if in_test else "calibration" if in_held else "train"
        for group, in_test, in_held in zip(ranked, tested.tolist(), held.tolist(), strict=True)
    }


def _taken(table: Floats, share: float, keep: int) -> Mask:
    """Return which groups (G,) make up about `share` of each class; `table` (G, K) counts the images of each class.

    A group is taken where this brings the classes nearer to their shares. A class that got none then takes the group
    that fits best. Of each class `keep` groups stay, or all but one where it has fewer, and always one.
    """
    taken, total, there = np.zeros(len(table), np.bool_), table.sum(0), table > 0
    have, left = np.zeros(table.shape[1]), there.sum(0)
    least = np.minimum(keep, left - 1).clip(1)

    def far(row: Floats) -> float:
        return float((np.abs(have + row - share * total) / total.clip(1)).sum())

    def take(i: int) -> None:
        nonlocal have, left
        taken[i], have, left = True, have + table[i], left - there[i]

    def spared(i: int) -> bool:
        return bool((left - there[i] >= least)[there[i]].all())

    for i in range(len(table) if share else 0):
        if spared(i) and far(table[i]) < far(np.zeros_like(have)):
            take(i)
    for k in np.flatnonzero((have == 0) & (share > 0)):
        able = [i for i in np.flatnonzero(~taken & there[:, k]).tolist() if spared(i)]
        if able and not have[k]:
            take(min(able, key=lambda i: far(table[i])))
    return taken
