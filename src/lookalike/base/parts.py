"""Parts: unfinished outputs beside their place. A living writer locks its part; parts of dead writers are removed.

A part of NAME is called `.NAME.lookalike-part-TOKEN`. TOKEN is 8 digits of the writer's machine, 8 random ones, and 16
that check NAME and the first 16. So no file of another program is mistaken for ours. A writer is alive if its part is
locked. Its process number proves nothing, because two containers have the same numbers. A lock that is free proves that
a writer of this machine is dead. Of another machine, or without locks in the file system, it proves nothing: there a
writer counts as dead when its part has not changed for a day, by the clock of the file system.
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

from lookalike.base import machines

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK, WHOLE = "lock", "whole"  # names within a folder's part: the writer's lock, and the future folder
_PART = re.compile(r"\.(.+)\.lookalike-part-([0-9a-f]{16})([0-9a-f]{16})", re.DOTALL)
_LONG = 180  # bytes of a name; with our additions it stays below the 255 of most file systems
_TRIES = 100
DAY = 24 * 3600 * 10**9  # nanoseconds


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
    shown, random = _shown(target), machines.this() + secrets.token_hex(4)
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
        with _dead(part, part) as dead:
            if dead:
                os.unlink(part)
    elif stat.S_ISDIR(seen.st_mode):
        held = set(os.listdir(part))
        if not held:
            if _here(part) or _old(part):
                os.rmdir(part)
        elif LOCK in held and held <= {LOCK, WHOLE}:
            with _dead(part, part / LOCK) as dead:
                if dead:
                    _remove_folder(part)


@contextlib.contextmanager
def _dead(part: Path, path: Path) -> Iterator[bool]:
    """Whether the writer of a part is dead, whose locked file is `path`. Within the block it stays so."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            yield False
            return
        proof = _here(part)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # no locks here
            proof = False
        yield (proof or _old(part)) and _same(descriptor, path)
    finally:
        os.close(descriptor)


def _here(part: Path) -> bool:
    """Whether a part was made on this machine, since it started."""
    found = _PART.fullmatch(part.name)
    return found is not None and found[2].startswith(machines.this())


def _old(part: Path) -> bool:
    """Whether a part has not changed for a day."""
    changed = max(os.lstat(path).st_mtime_ns for path in (part, part / LOCK, part / WHOLE) if os.path.lexists(path))
    probe = part.with_name(_name("clock"))  # machines may have other times than the file system
    os.close(os.open(probe, NEW, 0o666))
    try:
        return os.lstat(probe).st_mtime_ns - changed > DAY
    finally:
        os.unlink(probe)


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
