"""How classes lie in a folder of images, as people have them.

- CLASS/**: one folder per class.
- train, val and test, each with class folders: test is the official test part, and val trains; without test, val is the
  test part. MVTec's `ground_truth` beside them holds masks.
- A CSV file of labels beside or above the images.
- Any of these in one wrapping folder, which is stepped into.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os.path import basename, dirname

from lookalike.base.errors import listed, show
from lookalike.base.unicode import composed
from lookalike.data.labels import Labels, labels_of
from lookalike.data.listing import Listing
from lookalike.data.source import Skipped, check_classes

BESIDE = "beside the class folders"
MASK = "mask"
MASKS = "ground_truth"  # as MVTec AD has them
TRAIN, VAL, TEST = "train", "val", "test"
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
MORE = re.compile(r"[ _-]?(?:set|data|images?)$")  # as in train_images


@dataclass(frozen=True)
class Labelled:
    """An image with its class; `part` is train, val or test where the folder is split, else empty."""

    name: str
    kind: str
    part: str = ""


@dataclass(frozen=True)
class Layout:
    """The images of a folder with their classes.

    Attributes
    ----------
    classes : names in the order of their bytes; one may have no image
    found : the images that have a class
    loose : images without a class, and why they have none
    left_out : images that are none of the data's, such as masks, and why
    notes : what the user should know, one printable line each
    """

    classes: tuple[str, ...]
    found: tuple[Labelled, ...]
    loose: tuple[Skipped, ...] = ()
    left_out: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> set[str]:
        """Return the parts of a split that have images with a class; {""} where the folder is not split."""
        return {one.part for one in self.found}

    @property
    def tested(self) -> str | None:
        """Return the part that tests: test, or else val; None where neither has images with a class."""
        return next((part for part in (TEST, VAL) if part in self.parts), None)

    def tests(self) -> list[bool] | None:
        """Return which of `found` are official test images; None where none is, or where none trains."""
        parts, tested = self.parts, self.tested
        return None if tested is None or TRAIN not in parts else [one.part == tested for one in self.found]


def layout_of(listing: Listing) -> Layout:
    """Return how the images of a folder lie.

    Raises
    ------
    DataError
        For a folder or a table of labels that cannot be read, or folders whose names differ only in Unicode form.
    """
    start = _start(listing, "")
    found = _parts(listing, start) or _plain(listing, start)
    here, above = show(listing.root / start), show(listing.root)
    notes = [f"images are read from {here}, the only folder in {above}"] if start else []
    if listing.outside:
        notes.append(f"links that lead out of {above} are followed: {listing.outside:,}")
    return replace(found, notes=(*notes, *found.notes))


def _start(listing: Listing, folder: str) -> str:
    """Return `folder`, or the one folder in it where that holds the classes, or again wraps such a folder."""
    folders, images = listing.entries(folder)
    if len(folders) != 1 or images or _labels(listing, folder):
        return folder
    (only,) = folders
    inner = _start(listing, only)
    holds_classes = inner != only or len(listing.entries(only)[0]) > 1 or _labels(listing, only)
    return inner if holds_classes else folder


def _labels(listing: Listing, folder: str) -> Labels | None:
    """Return what the tables directly in `folder` say of the images there and below."""
    listing.entries(folder)
    tables = [listing.root / name for name in listing.tables if dirname(name) == folder]
    return labels_of(tables, listing.walk(folder), folder) if tables else None


def _plain(listing: Listing, start: str) -> Layout:
    """Return the layout of a folder without parts: class folders, or a table of labels where there are no two."""
    folders, images = listing.entries(start)
    labels = _labels(listing, start) if len(folders) < 2 or all(map(_part_of, folders)) else None
    if labels is not None:
        return _by_table(listing, labels, listing.walk(start))
    names = tuple(map(basename, folders))
    if len(set(map(composed, names))) < len(names):
        check_classes(names, f"'{show(listing.root / start)}'")  # which raises
    found = [Labelled(name, composed(basename(folder))) for folder in folders for name in listing.walk(folder)]
    why = BESIDE if folders else "no class folder"
    parts = [show(name) for name in names if _part_of(name)]
    note = f"{' and '.join(parts)} are read as classes: as parts of a split they would hold class folders"
    return Layout(
        in_order(map(composed, names)),
        tuple(found),
        tuple(Skipped(name, why) for name in images),
        notes=(note,) if len(parts) > 1 else (),
    )


def _by_table(listing: Listing, labels: Labels, images: Iterable[str], part: str = "") -> Layout:
    """Return the layout of images that a table labels; its own column gives the parts, unless all are of one."""
    table = show(labels.path.name)
    listing.ignored = [one for one in listing.ignored if listing.root / one.name != labels.path]  # it is read
    found, loose = [], []
    for name in images:
        if name in labels.of:
            own = part or _part_of(labels.part.get(name, ""))
            found.append(Labelled(name, labels.of[name], own))
        else:
            loose.append(Skipped(name, f"no class in {table}"))
    notes = [f"classes are read from {table}"]
    if labels.missing:
        notes.append(f"{table} names {len(labels.missing):,} files that are not there, first {show(labels.missing[0])}")
    layout = Layout(in_order(one.kind for one in found), tuple(found), tuple(loose))
    return replace(layout, notes=(*notes, *_said_of_columns(layout, labels, by_table=not part)))


def _said_of_columns(layout: Layout, labels: Labels, *, by_table: bool) -> Iterator[str]:
    """Yield which columns of a table count, where that can be in doubt; `by_table`: it also gives the parts."""
    table = show(labels.path.name)
    if labels.other:
        yield f"the column {show(labels.column, 60)} of {table} gives the classes, and not {listed(labels.other)}"
    if not by_table:
        return
    if tests := layout.tests():
        yield f"{table} gives the official test part: {sum(tests):,} images"
    if odd := Counter(word for word in labels.part.values() if word and not _part_of(word)):
        yield (
            f"{table} has parts that are neither train, val nor test, and count as training images: "
            f"{', '.join(f'{show(word, 40)} ({n:,})' for word, n in odd.most_common(5))}"
        )


def _parts(listing: Listing, start: str) -> Layout | None:
    """Return the layout of a folder whose folders are train and test or val; None where they are not, or lack classes.

    Other folders are left out, such as images that nobody labelled. A table above the parts labels all of them.
    """
    folders, images = listing.entries(start)
    roles = {folder: part for folder in folders if (part := _part_of(folder))}
    if TRAIN not in roles.values() or len(set(roles.values())) < 2:
        return None
    table = _labels(listing, start)
    parts = {folder: _one_part(listing, folder, part, table) for folder, part in roles.items()}
    if not any(parts[folder].found for folder, part in roles.items() if part == TRAIN):
        return None
    others = [name for folder in folders if folder not in roles for name in listing.walk(folder)]
    masks = [Skipped(name, MASK) for name in others if basename(dirname(dirname(name))) == MASKS]
    masked = {one.name for one in masks}
    stray = [Skipped(name, "beside train and test") for name in (*images, *others) if name not in masked]
    layout = Layout(
        in_order(kind for part in parts.values() for kind in part.classes),
        tuple(one for part in parts.values() for one in part.found),
        (*stray, *(one for part in parts.values() for one in part.loose)),
        tuple(masks),
    )
    said = dict.fromkeys(line for part in parts.values() for line in part.notes)
    return replace(layout, notes=(_said(layout, roles), *said, *_said_of_masks(listing, start, masks)))


def _one_part(listing: Listing, folder: str, part: str, table: Labels | None) -> Layout:
    """Return the layout of train, val or test, which may wrap its class folders in one more."""
    if table is not None:
        return _by_table(listing, table, listing.walk(folder), part)
    inner = _plain(listing, _start(listing, folder))
    loose = [replace(one, reason=f"no class in {show(basename(folder))}") for one in inner.loose]
    return replace(inner, found=tuple(replace(one, part=part) for one in inner.found), loose=tuple(loose))


def _part_of(name: str) -> str:
    """Return the part of a split that a folder's name stands for; "" for none."""
    return PARTS.get(MORE.sub("", basename(name).strip().lower()), "")


def _said(layout: Layout, roles: dict[str, str]) -> str:
    """Return the line that says which parts train, and which one tests."""
    there, tests = layout.parts, layout.tested
    names = {
        part: [show(basename(folder)) for folder, role in roles.items() if role == part] for part in (TRAIN, VAL, TEST)
    }
    train = [name for part in (TRAIN, VAL) if part in there and part != tests for name in names[part]]
    tested = f"{' and '.join(names[tests])} is the official test part" if tests else "no other part has classes"
    return f"{' and '.join(train)} {'train' if train[1:] else 'trains'}, {tested}"


def _said_of_masks(listing: Listing, start: str, masks: Sequence[Skipped]) -> Iterator[str]:
    if masks:
        where = show(listing.root / start / MASKS)
        yield f"{where} holds {len(masks):,} masks: 'lookalike evaluate --masks {where}' measures heat maps"


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, each once, in the order of their bytes."""
    return tuple(sorted(set(names), key=os.fsencode))
