"""Parts: unfinished outputs beside their place. A living writer locks its part; parts of dead writers are removed.

A part of NAME is called `.NAME.lookalike-part-TOKEN`. TOKEN is 16 random digits and 16 digits that check NAME and the
first 16. So no file of another program is mistaken for ours. A writer is alive if its part is locked. Its process
number proves nothing, because two containers have the same numbers. Without locks in the file system, every writer
counts as alive.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK, WHOLE = "lock", "whole"  # names within a folder's part: the writer's lock, and the future folder
_PART = re.compile(r"\.(.+)\.lookalike-part-([0-9a-f]{16})([0-9a-f]{16})", re.DOTALL)
_LONG = 180  # bytes of a name; with our additions it stays below the 255 of most file systems
_TRIES = 100


def new_file(target: Path) -> tuple[Path, int]:
    """A new empty part of the file `target`, and its locked descriptor. Closing it ends the lock."""
    for _ in range(_TRIES):
        part = target.with_name(_name(target.name))
        with contextlib.suppress(FileExistsError):
            descriptor, held = os.open(part, NEW, 0o666), False
            try:
                if held := _hold(descriptor, part):
                    return part, descriptor
            finally:
                if not held:
                    os.close(descriptor)
                    _unlink(part)
    raise FileExistsError(target)


def new_folder(target: Path) -> tuple[Path, int]:
    """A new part of the folder `target`, and its locked descriptor. The caller fills its folder `WHOLE`."""
    for _ in range(_TRIES):
        part = target.with_name(_name(target.name))
        part.mkdir()
        with contextlib.suppress(FileNotFoundError):  # another process removed it while it was empty
            descriptor, held = os.open(part / LOCK, NEW, 0o666), False
            try:
                if _hold(descriptor, part / LOCK):
                    (part / WHOLE).mkdir()
                    held = True
                    return part, descriptor
            finally:
                if not held:
                    drop_folder(part, descriptor)
    raise FileExistsError(target)


def drop_folder(part: Path, descriptor: int) -> None:
    """Remove a part that `new_folder` made, with all its contents."""
    _remove_folder(part)
    os.close(descriptor)


def clear(folder: Path, target: str | None = None) -> None:
    """Remove parts of dead writers in `folder`: those of the name `target`, or all."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            whose = target_of(entry.name)
            if whose is None or (target is not None and whose != _shown(target)):
                continue
            with contextlib.suppress(OSError):
                _remove_dead(folder / entry.name)


def target_of(name: str) -> str | None:
    """The name that the part `name` belongs to, or None if it is not a part of ours."""
    found = _PART.fullmatch(name)
    return found[1] if found and found[3] == _check(found[1], found[2]) else None


def _name(target: str) -> str:
    shown, random = _shown(target), secrets.token_hex(8)
    return f".{shown}.lookalike-part-{random}{_check(shown, random)}"


def _shown(target: str) -> str:
    """The name within the name of its parts: itself, or a hash if it is long."""
    plain = os.fsencode(target)
    return target if len(plain) <= _LONG else sha256(plain).hexdigest()


def _check(shown: str, random: str) -> str:
    return sha256(f"lookalike part {random} of ".encode() + os.fsencode(shown)).hexdigest()[:16]


def _hold(descriptor: int, path: Path) -> bool:
    """Lock a part that was just made. False if another process locked or removed it before."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here, so nobody removes it either
        return True
    return _same(descriptor, path)


def _same(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_dead(part: Path) -> None:
    """Remove one part whose writer is dead, if it has the form of ours and belongs to this user."""
    seen = os.lstat(part)
    if seen.st_uid != os.geteuid():
        return
    if stat.S_ISREG(seen.st_mode):
        with _dead(part) as dead:
            if dead:
                os.unlink(part)
    elif stat.S_ISDIR(seen.st_mode):
        held = set(os.listdir(part))
        if not held:
            os.rmdir(part)
        elif LOCK in held and held <= {LOCK, WHOLE}:
            with _dead(part / LOCK) as dead:
                if dead:
                    _remove_folder(part)


@contextlib.contextmanager
def _dead(path: Path) -> Iterator[bool]:
    """Whether the writer of a part is dead. Within the block it stays so."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # locked, or no locks here
            yield False
            return
        yield _same(descriptor, path)
    finally:
        os.close(descriptor)


def _remove_folder(part: Path) -> None:
    """Remove a part. The lock goes last, so that a kill leaves a part that can be recognised."""
    shutil.rmtree(part / WHOLE, ignore_errors=True)
    if not (part / WHOLE).exists():
        with contextlib.suppress(OSError):
            _unlink(part / LOCK)
            os.rmdir(part)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
