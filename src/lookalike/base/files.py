"""Files: written atomically, under a lock, and read with a bound. No other module opens an output.

A reader gets the old file or the new one, never a part. The bytes go to a file beside it, a part, which is flushed,
synced and renamed. Of two writers the last one wins. This needs a POSIX system (flock, fsync of folders).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import platform
import re
import resource
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from lookalike.base import machines, parts
from lookalike.base.errors import LockedError, ModelError, OutputError, UsageError, show
from lookalike.base.strict import parse_json

PIECE = 1 << 20  # bytes
JSON_LIMIT = 1 << 20  # bytes; parsing it stays below 50 MB
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
LOCK = ".lock"  # name of the file that is locked while a folder is written
PROBE = ".probe"  # name of the file that tests whether a folder can be written
ASK = 0.2  # seconds between two attempts to lock
SYNCFS: Any = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)  # None where the system has none
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
RECORD = 4096  # bytes of what a lock file says of who holds it


@contextlib.contextmanager
def atomic(path: Path, size: int = 0) -> Iterator[BinaryIO]:
    """Write `path` whole or not at all.

    Yields a binary file. When the block ends it is synced and renamed to `path`, with the mode that umask allows. If
    the block raises, `path` is untouched and nothing is left behind. `size` is the number of bytes to come, if known.
    Parts of the same file that killed processes left are removed first.

    Raises
    ------
    OutputError
        If there is no space, no permission or no parent folder, or `path` is a folder or a link.
    """
    part = None
    try:
        if path.is_symlink():
            raise OutputError(f"{show(path)} is a link and is not written through; name the file it points to")
        parts.clear(path.parent, path.name)
        part, descriptor = parts.new_file(path)
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
            size = max(size, handle.tell())
            handle.flush()
            _sync(descriptor, handle.tell())
            os.replace(part, path)  # still locked, so that nobody removes it as a dead writer's
        _sync_path(path.parent, os.O_DIRECTORY)
    except OSError as error:
        raise _output_error(error, path, size) from error
    finally:
        if part:
            with contextlib.suppress(OSError):
                os.unlink(part)


def refuse_full(path: Path) -> None:
    """Raises UsageError if the folder `path` is not empty, OutputError if `path` is a file."""
    try:
        full = path.exists() and any(path.iterdir())
    except OSError as error:
        raise _output_error(error, path) from error
    if full:
        raise UsageError(f"{show(path)} is not empty; give a new or empty folder")


@contextlib.contextmanager
def atomic_folder(path: Path, old: Callable[[Path], bool] = lambda _: False) -> Iterator[Path]:
    """Make the folder `path`, which must be new or empty, whole or not at all.

    Yields a folder beside it, for `write_new` to fill. When the block ends it is renamed to `path`. If the block
    raises, nothing is left behind. A full folder of which `old` says, before and after the block, that it may go, is
    replaced.

    Raises
    ------
    UsageError
        If `path` is not empty.
    OutputError
        In the cases of `atomic`.
    """
    path = Path(os.path.realpath(path))
    made = None
    try:
        if not old(path):
            refuse_full(path)
        parts.clear(path.parent, path.name)
        part, _ = made = parts.new_folder(path)
        yield part / parts.WHOLE
        _sync_all(part / parts.WHOLE)
        if old(path):
            _drop(path)
        os.replace(part / parts.WHOLE, path)
        _sync_path(path.parent, os.O_DIRECTORY)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:  # another writer was first
            refuse_full(path)
        raise _output_error(error, path) from error
    finally:
        if made:
            parts.drop_folder(*made)


def _drop(folder: Path) -> None:
    """Remove a folder with all its contents: it is renamed first, so that no part of it stays under its name."""
    part, descriptor = parts.new_folder(folder)
    try:
        os.replace(folder, part / parts.WHOLE)
    finally:
        parts.drop_folder(part, descriptor)


def write_new(path: Path, data: bytes) -> None:
    """Write `data` to a new file of an `atomic_folder`. Raises OutputError."""
    try:
        with os.fdopen(os.open(path, parts.NEW, 0o666), "wb") as handle:
            handle.write(data)
            handle.flush()
            _check_size(handle.fileno(), len(data))
    except OSError as error:
        raise _output_error(error, path, len(data)) from error


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Write `data` to `path`, as `atomic`."""
    with atomic(path, len(data)) as handle:
        handle.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, as `atomic`."""
    write_bytes(path, text.encode("utf-8"))


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that belong together into `folder`, which is made if missing: all of them or none.

    Of two writers at once, one writes all of its files after the other. Raises OutputError, as `atomic`.
    """
    folder = make_folder(folder)
    with _in_turn(folder), contextlib.ExitStack() as stack:
        for name, data in contents.items():
            handle = stack.enter_context(atomic(folder / name, len(data)))
            try:
                handle.write(data)
                handle.flush()
            except OSError as error:  # before any of them has its name
                raise _output_error(error, folder / name, len(data)) from error


@contextlib.contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Only one process at a time is in this block for `folder`, where its file system can lock folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _output_error(error, folder) from error
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` in the form of `json_bytes`, as `atomic`."""
    write_bytes(path, json_bytes(value))


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row as one line of ASCII JSON to `path`, atomically. Raises ValueError for NaN."""
    write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def json_bytes(value: Any) -> bytes:
    """`value` as indented ASCII JSON, so that undecodable file names survive. Raises ValueError for NaN."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode("ascii")


def append_line(path: Path, line: str) -> None:
    """Append one ASCII line to `path`, a new file if needed. Raises OutputError, and then removes a partial line."""
    data = line.encode("ascii") + b"\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            _append(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _output_error(error, path, len(data)) from error


@contextlib.contextmanager
def lock(folder: Path, *within: str, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Lock `folder` for this process. The lock ends with the process, whatever ends it.

    Where the file system has no locks between machines, the record in the lock file counts, which a killed run leaves.
    Parts that killed runs left in the folder, or in its folders `within`, are removed. With `wait`, the call waits for
    a folder that another process has locked, and `wait` is called once with a line that says so.

    Raises
    ------
    LockedError
        If another process has the lock, here or on another machine, and there is no `wait`.
    OutputError
        If the lock file cannot be made, or the file system has no locks.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _output_error(error, path) from error
    try:
        try:
            _hold(descriptor, folder, wait)
        except OSError as error:
            raise _output_error(error, path) from error
        clear(folder, *within)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_size:  # the record is no more true
                    os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def clear(folder: Path, *within: str) -> None:
    """Remove parts that killed writers left in a locked folder and in its folders `within`."""
    for place in ("", *within):
        parts.clear(folder / place)


def _hold(descriptor: int, folder: Path, wait: Callable[[str], None] | None) -> None:
    """Lock, at once or as soon as possible. It tries again and again, so that a signal always ends the wait."""
    announced = False
    while (held := _held(descriptor, folder)) is not None:
        if wait is None:
            raise LockedError(f"{show(folder)} {held}")
        if not announced:
            wait(f"waiting for another run in {show(folder)}")
            announced = True
        time.sleep(ASK)


def _held(descriptor: int, folder: Path) -> str | None:
    """Who has the lock, and what to do; None where this process has it now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "is being written by another run; wait for it to end or give another folder"
    if machines.locks_reach(folder):
        return None
    machine, _, host = os.pread(descriptor, RECORD, 0).decode("utf-8", "replace").partition(" ")
    if machine not in ("", machines.this()):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return (
            f"is held by a run on {show(host, 60)}, and its file system has no locks between machines; wait for that "
            f"run to end, or remove {show(folder / LOCK)} if it has ended, or give another folder"
        )
    with contextlib.suppress(OSError):  # on a full disk the lock itself holds
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{machines.this()} {platform.node()}".encode(), 0)
    return None


def make_folder(path: Path) -> Path:
    """Make `path` and its parents, try to write there, and return it (resolved if it is a link).

    Raises
    ------
    OutputError
        If a file is in the way, or nothing can be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        parts.clear(path, PROBE)
        probe, descriptor = parts.new_file(path / PROBE)
        try:
            os.write(descriptor, b"\0")
        finally:
            os.unlink(probe)
            os.close(descriptor)
    except OSError as error:
        raise _output_error(error, path, 1) from error
    return path.resolve() if path.is_symlink() else path


def at_home(path: str | Path) -> Path:
    """The path, with the home folder for a leading ~, as a shell has it."""
    return Path(os.path.expanduser(path))


def safe_name(text: str) -> str:
    """`text` as a file name. If characters had to be replaced, a hash is appended."""
    plain = re.sub(r"[^A-Za-z0-9_,=.-]+", "-", text)[:80].strip("-.") or "x"
    return plain if plain == text else f"{plain}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading. Raises ModelError; it never waits for a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ModelError(f"{show(path)} cannot be read: {error.strerror}; check its name and permissions") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelError(f"{show(path)} cannot be read: it is not a regular file; check its name")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises ModelError."""
    pieces, left = [], limit + 1
    with open_regular(path) as handle:
        while left and (piece := handle.read(min(left, PIECE))):  # `read(n)` takes memory for all n at once
            pieces.append(piece)
            left -= len(piece)
    if not left:
        raise ModelError(f"{show(path)} cannot be read: it is larger than {limit} bytes; check its name")
    return b"".join(pieces)


def digest(path: Path) -> str:
    """The SHA-256 of a regular file of any size. Raises ModelError."""
    with open_regular(path) as handle:
        return file_digest(handle, "sha256").hexdigest()


def read_json(path: Path, limit: int = JSON_LIMIT, mend: str = "run the command that wrote it again") -> Any:
    """The value in a JSON file of at most `limit` bytes, read as strictly as `parse_json`.

    Raises ModelError, which says what else than restoring the file would `mend` it.
    """
    try:
        return parse_json(read_bytes(path, limit))
    except ModelError:
        raise
    except ValueError as error:
        raise ModelError(f"{show(path)} cannot be read: {show(error)}; restore it, or {mend}") from error


def _append(descriptor: int, data: bytes) -> None:
    before = os.fstat(descriptor).st_size
    if os.write(descriptor, data) != len(data):  # the disk took only a part of the line
        os.ftruncate(descriptor, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync(descriptor: int, size: int) -> None:
    os.fsync(descriptor)
    _check_size(descriptor, size)


def _check_size(descriptor: int, size: int) -> None:
    if os.fstat(descriptor).st_size != size:
        raise OSError(errno.EIO, "the file is shorter than what was written")


def _sync_all(folder: Path) -> None:
    """Sync the file system of a new folder once for all its files, because one by one takes longer than making them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if SYNCFS is None:
            for path in folder.rglob("*"):
                _sync_path(path)
        elif SYNCFS(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)


def _sync_path(path: Path, kind: int = os.O_NOFOLLOW) -> None:
    descriptor = os.open(path, os.O_RDONLY | kind | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _output_error(error: OSError, path: Path, need: int = 0) -> OutputError:
    """The system's error as one line that says what to do."""
    name = show(path)
    if error.errno in _NO_SPACE:
        place = path if path.is_dir() else path.parent  # a folder may be a disk of its own
        lacking = f"need {need} bytes, have {_free(place)}"
        if not _takes_files(place):
            lacking = "the disk takes no more files, whatever their size"
        return OutputError(
            f"no space for {name}: {lacking}; free some space or give another folder, then run the same command again"
        )
    if error.errno in NO_LOCKS:
        return OutputError(f"{name} lies on a file system without locks; give a folder on another one")
    if error.errno in _READ_ONLY:
        return OutputError(f"{name} cannot be written: {error.strerror}; give a folder that you may write to")
    if isinstance(error, IsADirectoryError):
        return OutputError(f"{name} is a folder; give the name of a file")
    if isinstance(error, FileExistsError | NotADirectoryError):
        return OutputError(f"{name} cannot be made: a file is in the way; move it or give another name")
    if isinstance(error, FileNotFoundError):
        return OutputError(f"{name} cannot be written: its folder does not exist; make that first")
    return OutputError(f"{name} cannot be written: {error.strerror or error}; check the disk or give another folder")


def _takes_files(folder: Path) -> bool:
    """Whether the file system of `folder` has a free inode; some count none."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    return disk.f_files == 0 or disk.f_favail > 0


def _free(folder: Path) -> int:
    """Bytes that can still be written to one file in `folder`."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    free = disk.f_bavail * disk.f_frsize
    return free if limit == resource.RLIM_INFINITY else min(free, limit)
