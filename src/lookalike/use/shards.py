"""Scores of any number of images by a Ray cluster, as Parquet: images from folders, .tar shards and Parquet files.

The images lie at an address of fsspec, which each machine opens: `s3://bucket/shards`, `file:///data`, or a path.
"""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import torch

from lookalike.base import cluster, files
from lookalike.base.arrays import Report
from lookalike.base.errors import DataError, LostError, UsageError, show
from lookalike.base.words import percent
from lookalike.base.workers import ASK
from lookalike.data import gate
from lookalike.data.listing import hidden
from lookalike.data.source import Picture, Refused
from lookalike.detect.model import Model
from lookalike.runs.folder import BAD_FILES
from lookalike.use.scorefile import rows_of

TAR, PARQUET = (".tar",), (".parquet", ".pq")
CLASS = ".cls"  # of a shard: the member with the class of the image of the same key
NAMES, CLASSES = ("name", "file_name", "path"), ("class", "label", "cls")  # columns of Parquet files
AT_ONCE = 64  # images that go to a model together
IMAGES = 512  # image files that go to a machine together
AHEAD = 2  # pieces of work for each processor: one is done, and one waits
IN_FILE = 1 << 28  # bytes of an image's file
BAD = "bad"  # why an image cannot be read, in a row


@dataclass(frozen=True)
class Stored:
    """An image that is not decoded yet: its name, its class or "", and the bytes of its file."""

    name: str
    its_class: str
    data: bytes


def write(
    model: Model,
    data: str,
    out: Path,
    *,
    address: str,
    device: str = "cpu",
    threads: int = 1,
    on_bad: str = "fail",
    max_bad: float = 0.05,
    report: Report = lambda stage, done, of: None,
) -> dict[str, Any]:
    """Scores `data` into `out`, a Parquet file with the rows of `lookalike.use.scorefile.write`, in any order.

    Parameters
    ----------
    model : Model
        A trained model of images.
    data : str
        An address of fsspec, or a path, of a folder or a file: images, .tar shards whose members KEY.jpg have a class
        in KEY.cls, or Parquet files with a column of image files. Every machine must be able to open it.
    out : Path
        A .parquet file, written as a whole or not at all. Skipped images are listed in NAME.bad_files.jsonl.
    address : str
        Of the cluster; see `lookalike.base.cluster.joined`.
    device, threads : str, int
        Where each model runs, and with how many threads.
    on_bad, max_bad
        As for `lookalike.stream`.
    report : callable
        Called with the progress.

    Returns
    -------
    dict
        Counts: images, flagged, skipped.

    Raises
    ------
    UsageError
        For another suffix, an address that cannot be opened, or a cluster that cannot be joined.
    DataError
        For images that cannot be scored.
    """
    if out.suffix.lower() not in PARQUET:
        raise UsageError(f"a cluster writes scores to a .parquet file, not {show(out.name)}; change -o")
    cluster.check(address, device)
    found, skipped = {"images": 0, "flagged": 0}, list[dict[str, str]]()
    with cluster.joined(address) as ray, files.atomic(out) as handle, closing(_Table(handle)) as table:
        for rows in _scored(ray, model, data, device, threads):
            good = [row for row in rows if BAD not in row]
            skipped += [{"name": row["name"], "reason": row[BAD]} for row in rows if BAD in row]
            if skipped and on_bad == "fail":
                raise DataError(f"{show(skipped[0]['name'])}: {skipped[0]['reason']}; repair it, or take --on-bad skip")
            table.append(good)
            found["images"] += len(good)
            found["flagged"] += sum(row["flagged"] for row in good)
            report("scoring", found["images"], 0)
        _check(found["images"], skipped, max_bad, data)
    bad_files = out.with_name(f"{out.name}.{BAD_FILES}")
    if skipped:
        files.write_json_lines(bad_files, sorted(skipped, key=lambda one: one["name"]))
    else:
        bad_files.unlink(missing_ok=True)  # the list of an earlier score file
    return found | {"skipped": len(skipped)}


def _scored(ray: Any, model: Model, data: str, device: str, threads: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of all images, some at a time, as they come from the machines. Raises LostError."""
    head, kept, waiting, out = cluster.Head(ray), ray.put(model), deque(_work(_listed(data))), set[Any]()
    remote = ray.remote(_of_files).options(**cluster.asked(ray, threads, device))
    most = AHEAD * max(1, cluster.room_of(ray, device) // (1 if device == cluster.GPU else threads))
    while waiting or out:
        head.look()
        while waiting and len(out) < most:
            out.add(remote.remote(kept, device, threads, waiting.popleft()))
        for ref in ray.wait(list(out), timeout=ASK)[0]:
            out.remove(ref)
            try:
                yield ray.get(ref)
            except ray.exceptions.RayError as error:
                raise _own(error) from error


def _own(error: Exception) -> Exception:
    """The error of a machine's work, or a lost machine as one line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        return cause
    return LostError(f"images were lost with their machine {cluster.RETRIES + 1} times: {cluster.first_line(error)}")


def _work(listed: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Files that go to one machine together: one shard, or some images."""
    shards, images = list[tuple[str, str]](), list[tuple[str, str]]()
    for one in listed:
        (shards if one[1].lower().endswith((*TAR, *PARQUET)) else images).append(one)
    yield from ([one] for one in shards)
    yield from (images[i : i + IMAGES] for i in range(0, len(images), IMAGES))


def _of_files(model: Model, device: str, threads: int, listed: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The row of each image in some files, or why it cannot be read; on a machine of the cluster."""
    torch.set_num_threads(threads)
    model, rows = model.on(device), list[dict[str, Any]]()
    images = chain.from_iterable(_images(address, name) for address, name in listed)
    while some := list(islice(images, AT_ONCE)):
        pictures, named = list[Picture](), list[tuple[str, str]]()
        for one in some:
            try:
                pictures.append(gate.decode(one.data, model.value_range))
                named.append((one.name, one.its_class))
            except Refused as error:
                rows.append({"name": one.name, BAD: str(error)})
        if pictures:
            rows += rows_of(model, named, model.score(model.fitted(pictures)))
    return rows


class _Table:
    """A Parquet file that grows."""

    def __init__(self, handle: BinaryIO) -> None:
        self.handle, self.writer = handle, list[Any]()  # of one writer, once the columns are known

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows, which all have the same columns."""
        import pyarrow as pa
        from pyarrow import parquet

        if not rows:
            return
        found = pa.Table.from_pylist(rows)
        self.writer = self.writer or [parquet.ParquetWriter(self.handle, found.schema)]
        self.writer[0].write_table(found)

    def close(self) -> None:
        """Writes the end of the file."""
        for writer in self.writer:
            writer.close()


def _check(scored: int, skipped: Sequence[Mapping[str, str]], max_bad: float, data: str) -> None:
    """Raises DataError without an image, and where too many cannot be read."""
    every = scored + len(skipped)
    if not every:
        raise DataError(f"{show(data)} holds no images; give images, .tar shards or Parquet files")
    if len(skipped) > max_bad * every:
        first = f"first {show(skipped[0]['name'])}: {skipped[0]['reason']}"
        raise DataError(
            f"{len(skipped)} of {every} images of '{show(data)}' cannot be read, more than {percent(max_bad)}; repair "
            f"them, or raise --max-bad; {first}"
        )


def _listed(data: str) -> list[tuple[str, str]]:
    """The files at an address that hold images, each with its name below the address. Raises UsageError."""
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(data if "://" in data else str(Path(data).resolve()))
        found = sorted(system.find(path))
    except (ImportError, OSError, ValueError) as error:
        raise UsageError(f"{show(data)} cannot be opened: {cluster.first_line(error)}; check the address") from error
    names = {one: one.removeprefix(path.rstrip("/")).lstrip("/") or PurePosixPath(one).name for one in found}
    return [(system.unstrip_protocol(one), name) for one, name in names.items() if _holds(PurePosixPath(name))]


def _holds(name: PurePosixPath) -> bool:
    """Whether a file of this name holds images."""
    suffix = name.suffix.lower()
    return not any(map(hidden, name.parts)) and (suffix in (*TAR, *PARQUET) or not gate.unwanted(suffix))


def _images(address: str, name: str) -> Iterator[Stored]:
    """The images of one file. Raises DataError."""
    import fsspec

    suffix = PurePosixPath(name).suffix.lower()
    with fsspec.open(address, "rb") as handle:
        if suffix in TAR:
            found = _in_tar(handle, name)
        elif suffix in PARQUET:
            found = _in_parquet(handle, name)
        else:
            found = iter([_stored(name, "", handle.read(IN_FILE + 1))])
        yield from found


def _stored(name: str, its_class: str, data: bytes) -> Stored:
    """An image; without a class of its own it has that of its folder."""
    return Stored(name, its_class or PurePosixPath(name).parent.name, data)


def _in_tar(handle: BinaryIO, shard: str) -> Iterator[Stored]:
    """The images of a .tar shard: members of one key follow each other, as WebDataset writes them."""
    try:
        with tarfile.open(fileobj=handle, mode="r|") as archive:
            for _, members in groupby(_members(archive), key=lambda one: _key(one[0])):
                there = dict(members)
                classes = [data.decode("utf-8", "replace") for name, data in there.items() if name.endswith(CLASS)]
                for name, data in there.items():
                    if not gate.unwanted(PurePosixPath(name).suffix.lower()):
                        yield _stored(name, "".join(classes).strip(), data)
    except tarfile.TarError as error:
        raise DataError(f"{show(shard)} is no sound .tar file: {show(error)}; write it again") from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the files of an archive, in their order; of files that are too large no bytes."""
    for member in archive:
        if member.isfile() and (file := archive.extractfile(member)) is not None:
            yield member.name, file.read() if member.size <= IN_FILE else b""


def _key(name: str) -> str:
    """The key of a shard's member: its name up to the first dot of its last part."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"


def _in_parquet(handle: BinaryIO, file: str) -> Iterator[Stored]:
    """The images of a Parquet file: a column of bytes, or of structs with bytes, as Hugging Face writes them."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(handle)
        column = next((f.name for f in table.schema_arrow if _is_image(f.type)), None)
        if column is None:
            raise DataError(f"{show(file)} has no column of image files; give one of bytes")
        names, classes = (next((one for one in of if one in table.schema_arrow.names), None) for of in (NAMES, CLASSES))
        wanted, row = [one for one in (column, names, classes) if one], 0
        for batch in table.iter_batches(AT_ONCE, columns=wanted):
            for one in batch.to_pylist():
                image = one[column]
                data, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
                name = (names and one[names]) or path or f"{PurePosixPath(file).stem}-{row:06d}"
                yield _stored(str(name), "" if classes is None else str(one[classes]), data or b"")
                row += 1
    except pa.ArrowException as error:
        raise DataError(f"{show(file)} is not Parquet: {cluster.first_line(error)}; write it again") from error


def _is_image(kind: Any) -> bool:
    """Whether a column of this type can hold image files."""
    from pyarrow import types

    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
