"""Bytes under keys in one SQLite file of bounded size, which processes share; for what can be computed again.

The file may be deleted at any time. A damaged file, or one that cannot be written, only costs time.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from lookalike.base import files
from lookalike.base.errors import OutputError

LIMIT = 2**32  # bytes of the file at most
SHARE = 10  # of the disk space that is free or the file's, the file takes at most one part in so many
LEAVES = 10  # of a full file one value in so many leaves: those whose last use is longest ago
STAYS = 3600  # seconds after its last use in which a value stays: else too many for the file would be written in vain
NOTED = 600  # seconds after a use in which another one is not noted
PAGE = 2**14  # bytes; values of 20 to 300 KB are written and read faster than with SQLite's 4096
WAIT = 30.0  # seconds for which another process may hold the file
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: it has other tables
LAYOUT = """
CREATE TABLE IF NOT EXISTS kept (
    key BLOB PRIMARY KEY NOT NULL, used INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_use ON kept (used);
"""
OLDEST = "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept WHERE used <= ? ORDER BY used LIMIT ?)"
T = TypeVar("T")


class Store:
    """The values of a file, which is opened when the first are asked for."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, list[sqlite3.Connection]()  # one at most
        self.off = self.full = False

    def read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that the file has; notes their use."""
        return self._with(partial(_read, keys=keys), {})

    def write(self, values: Mapping[bytes, bytes]) -> None:
        """Adds values, in the place of older ones where the file is full; none where all of these are in use."""
        if not self.full:
            self.full = not self._with(partial(_write, values=values), otherwise=False)

    def close(self) -> None:
        """Closes the file."""
        while self.file:
            with suppress(sqlite3.Error):
                self.file.pop().close()

    def _with(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `work` does with the file. A broken one is begun anew; one that cannot be used is left alone."""
        for last in (False, True):
            if self.off:
                break
            try:
                if not self.file:
                    self.file.append(_opened(self.path))
                return work(self.file[0])
            except (sqlite3.Error, OSError, OutputError) as error:
                self.close()
                self.off = last or _code(error) not in BROKEN or not _removed(self.path)
        return otherwise


def _opened(path: Path) -> sqlite3.Connection:
    """The file, new or old. Raises sqlite3.Error, OSError or OutputError."""
    files.make_folder(path.parent)
    path.touch(mode=0o600)  # what is kept of a user's images is for no other user; SQLite's own files have its mode
    with files.lock(path.parent, wait=lambda _line: None):  # two that make it at once would refuse each other
        file = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            file.execute("PRAGMA synchronous = OFF")  # twice as fast; what a power cut damages is found by its checksum
            file.execute(f"PRAGMA page_size = {PAGE}")
            file.execute("PRAGMA auto_vacuum = INCREMENTAL")
            file.execute("PRAGMA journal_mode = WAL")
            file.executescript(LAYOUT)
            _limit(file, path.parent)
        except BaseException:
            file.close()
            raise
    return file


def _limit(file: sqlite3.Connection, folder: Path) -> None:
    """Lets the file grow no further than it may; makes a larger one smaller."""
    space = shutil.disk_usage(folder).free + PAGE * _pragma(file, "page_count")
    pages = max(1, min(LIMIT, space // SHARE) // PAGE)
    while _pragma(file, "page_count") - _pragma(file, "freelist_count") > pages and _drop(file, time.time()):
        pass
    if (over := _pragma(file, "page_count") - pages) > 0:
        file.executescript(f"PRAGMA incremental_vacuum({over})")  # `execute` would free one page alone
    file.execute(f"PRAGMA max_page_count = {pages}")


def _pragma(file: sqlite3.Connection, name: str) -> int:
    return int(file.execute(f"PRAGMA {name}").fetchone()[0])


def _read(file: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """See `Store.read`."""
    now, found, again = int(time.time()), dict[bytes, bytes](), list[bytes]()
    for key in keys:
        used, total, value = (
            file.execute("SELECT used, sum, value FROM kept WHERE key = ?", [key]).fetchone() or [0] * 3
        )
        if isinstance(value, bytes) and total == _sum(key, value):
            found[key] = value
            if not now - NOTED < used <= now:
                again.append(key)
    if again:
        with file:
            file.execute("BEGIN IMMEDIATE")
            file.executemany("UPDATE kept SET used = ? WHERE key = ?", [(now, key) for key in again])
    return found


def _write(file: sqlite3.Connection, values: Mapping[bytes, bytes]) -> bool:
    """See `Store.write`; False where the file is full of values in use."""
    now = int(time.time())
    rows = [(key, now, _sum(key, value), value) for key, value in values.items()]
    while True:
        try:
            with file:
                file.execute("BEGIN IMMEDIATE")
                file.executemany("INSERT OR REPLACE INTO kept (key, used, sum, value) VALUES (?, ?, ?, ?)", rows)
                return True
        except sqlite3.Error as error:
            if _code(error) != sqlite3.SQLITE_FULL:
                raise
        if not _drop(file, now - STAYS):
            return False


def _drop(file: sqlite3.Connection, before: float) -> int:
    """Removes the values whose last use, before a time, is longest ago; returns how many."""
    with file:
        file.execute("BEGIN IMMEDIATE")
        some = 1 + _count(file) // LEAVES
        return file.execute(OLDEST, (before, some)).rowcount


def _count(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT count(*) FROM kept").fetchone()[0])


def _sum(key: bytes, value: bytes) -> int:
    """The checksum of a value, because a damaged one could pass for whole."""
    return crc32(value, crc32(key))


def _code(error: BaseException) -> int:
    """SQLite's number for the kind of an error; 0 for another error."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _removed(path: Path) -> bool:
    """Removes the file and those that SQLite keeps beside it; False where that is forbidden."""
    try:
        for end in ("-wal", "-shm", ""):
            path.with_name(path.name + end).unlink(missing_ok=True)
    except OSError:
        return False
    return True
