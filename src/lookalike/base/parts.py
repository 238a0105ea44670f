"""Parts: what is being written stands beside its place, locked while its writer lives; what a dead one left is removed.

A part of NAME is called `.NAME.lookalike-part-TOKEN`. TOKEN is 16 random digits and 16 that check NAME and these, so
that nobody else's file is taken for ours. Whether a writer lives is asked of its lock, never of its number: two
containers have the same numbers. Where the file system knows no locks, every writer counts as living.
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
LOCK, WHOLE = "lock", "whole"  # what a folder's part holds: the writer's lock, and what becomes the folder
_PART = re.compile(r"\.(.+)\.lookalike-part-([0-9a-f]{16})([0-9a-f]{16})", re.DOTALL)
_LONG = 180  # bytes of a name; with what we add it stays below the 255 of most file systems
_TRIES = 100


def new_file(target: Path) -> tuple[Path, int]:
    """A new empty part of the file `target`, and its locked descriptor: the lock ends when that is closed."""
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
    """A new part of the folder `target`, and its locked descriptor; its folder `WHOLE` is to be filled."""
    for _ in range(_TRIES):
        part = target.with_name(_name(target.name))
        part.mkdir()
        with contextlib.suppress(FileNotFoundError):  # removed while it was empty
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
    """Remove a part that `new_folder` made, and all that is still in it."""
    _remove_folder(part)
    os.close(descriptor)


def clear(folder: Path, target: str | None = None) -> None:
    """Remove what dead writers left directly in `folder`: of the name `target`, or of every name."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            whose = target_of(entry.name)
            if whose is None or (target is not None and whose != _shown(target)):
                continue
            with contextlib.suppress(OSError):
                _remove_dead(folder / entry.name)


def target_of(name: str) -> str | None:
    """Which name the part `name` is of; None where it is no part of ours."""
    found = _PART.fullmatch(name)
    return found[1] if found and found[3] == _check(found[1], found[2]) else None


def _name(target: str) -> str:
    shown, random = _shown(target), secrets.token_hex(8)
    return f".{shown}.lookalike-part-{random}{_check(shown, random)}"


def _shown(target: str) -> str:
    """The name as its parts carry it."""
    plain = os.fsencode(target)
    return target if len(plain) <= _LONG else sha256(plain).hexdigest()


def _check(shown: str, random: str) -> str:
    return sha256(f"lookalike part {random} of ".encode() + os.fsencode(shown)).hexdigest()[:16]


def _hold(descriptor: int, path: Path) -> bool:
    """Whether a part of ours that was just made is held; not where somebody removed it before it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: nobody removes it then
        return True
    return _same(descriptor, path)


def _same(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_dead(part: Path) -> None:
    """Remove one part whose writer is dead, if it is a file or folder as we make them and our user's."""
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
    """Whether nobody writes a file, which stays so within the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or no locks here
            yield False
            return
        yield _same(descriptor, path)
    finally:
        os.close(descriptor)


def _remove_folder(part: Path) -> None:
    """The lock last: what a kill leaves halfway is still a part of ours."""
    shutil.rmtree(part / WHOLE, ignore_errors=True)
    if not (part / WHOLE).exists():
        with contextlib.suppress(OSError):
            _unlink(part / LOCK)
            os.rmdir(part)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
