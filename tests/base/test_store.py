"""Values in a file of bounded size: read back as they were, shared by processes, and never a reason to fail."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lookalike.base import store
from lookalike.base.store import PAGE, Store

SIZE = 3 * PAGE  # bytes of a value


def value(number):
    """The key and the value of a number; no two are alike."""
    return key(number), os.urandom(SIZE)


def values(numbers):
    """Those of several numbers."""
    return dict(map(value, numbers))


def key(number):
    """The key of a number."""
    return b"key %d" % number


@pytest.fixture
def path(tmp_path):
    """The file, in a folder that is not there."""
    return tmp_path / "cache" / "kept.sqlite"


@pytest.fixture
def opened(path):
    """Opens the file anew; closes it after the test."""
    made = []

    def again():
        for one in made:
            one.close()
        made.append(Store(path))
        return made[-1]

    yield again
    for one in made:
        one.close()


@pytest.fixture
def clock(monkeypatch):
    """Sets the time."""

    def to(now):
        monkeypatch.setattr(store.time, "time", lambda: now)

    to(10**9)
    return to


@pytest.fixture
def forty(monkeypatch):
    """The file has at most 40 pages."""
    monkeypatch.setattr(store, "LIMIT", 40 * PAGE)


def test_values_are_read_as_they_were_written(opened):
    """By the same store and by the next; of keys that the file lacks nothing is said, and the last value counts."""
    first, given = opened(), values(range(3))
    first.write(given)
    first.write(changed := {key(1): b"changed"})
    assert first.read([key(1), key(5), key(0)]) == changed | {key(0): given[key(0)]}
    assert opened().read([key(2), key(1)]) == {key(2): given[key(2)]} | changed


def test_of_a_full_file_the_oldest_leave(opened, path, clock, forty):
    """The file stays within its limit; those whose last use is longest ago are gone, and the newest are there."""
    here = opened()
    for number in range(60):
        clock(10**9 + number * store.STAYS)
        here.write(values([number]))
        assert key(0) in here.read([key(0)])  # used again and again
    there = here.read(list(map(key, range(60))))
    assert {key(0), key(59), key(58)} <= there.keys() and key(1) not in there and len(there) >= 5
    here.close()
    assert 25 * PAGE < path.stat().st_size <= 40 * PAGE


def test_what_is_in_use_does_not_leave(opened, clock, forty):
    """A study of more images than fit finds the first ones at its next pass."""
    here = opened()
    for number in range(60):
        here.write(values([number]))
    there = here.read(list(map(key, range(60))))
    assert len(there) >= 5 and there.keys() == set(map(key, range(len(there))))
    clock(10**9 + store.STAYS + 1)
    later = opened()
    later.write(values([100]))
    assert key(100) in later.read([key(100)])


@pytest.mark.parametrize("free", [0, 160 * PAGE])
def test_a_larger_file_is_made_smaller(opened, path, clock, monkeypatch, free):
    """It takes a tenth of what is free and its own: the newest values that fit stay."""
    here = opened()
    for number in range(20):
        clock(10**9 + number)
        here.write(values([number]))
    here.close()
    had = path.stat().st_size
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))
    there = opened().read(list(map(key, range(20))))
    opened().close()
    assert 5 * PAGE <= path.stat().st_size <= (had + free) / 10
    assert there.keys() == set(map(key, range(20 - len(there), 20))) and (len(there) >= 3) == bool(free)


def test_damage_costs_values_alone(opened, path):
    """Wherever a byte or a page is wrong, a value is as it was written or is not there, and new ones are kept."""
    given = values(range(6))
    opened().write(given)
    opened().close()
    whole = path.read_bytes()
    lost = 0
    for place in range(0, len(whole), 11_000):
        for wrong in (bytes([whole[place] ^ 1]), os.urandom(PAGE)):
            path.write_bytes((whole[:place] + wrong + whole[place + len(wrong) :])[: len(whole)])
            here = opened()
            found = here.read(list(given))
            assert found.items() <= given.items()
            lost += len(given) - len(found)
            here.write(given)
            assert here.read(list(given)) == given
            here.close()
    assert lost > 6


@pytest.mark.parametrize("garbage", [b"no database", b"SQLite format 3\0" * 2000, b""])
def test_another_file_in_its_place_is_begun_anew(opened, path, garbage):
    """What is no database of ours gives way."""
    path.parent.mkdir()
    path.write_bytes(garbage)
    path.with_name(path.name + "-wal").write_bytes(garbage)
    opened().write(given := values(range(2)))
    assert opened().read(list(given)) == given


def test_other_tables_are_begun_anew(opened, path):
    """A file of another version gives way."""
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE kept (key, other)")
    file.close()
    opened().write(given := values(range(2)))
    assert opened().read(list(given)) == given


def test_where_nothing_can_be_written_nothing_is_kept(opened, path, tmp_path):
    """A file in place of the folder, or a folder in place of the file, is left alone."""
    path.parent.write_text("in the way")
    here = opened()
    here.write(given := values(range(2)))
    assert here.read(list(given)) == {} and path.parent.read_text() == "in the way"
    path.parent.unlink()
    path.mkdir(parents=True)
    here = opened()
    here.write(given)
    assert here.read(list(given)) == {} and path.is_dir()


def test_a_full_disk_costs_values_alone(opened, path, monkeypatch):
    """What the system refuses to write is not kept; nothing fails."""
    opened().write(given := values(range(2)))

    def refuses(*_given, **_how):
        raise sqlite3.OperationalError("disk I/O error")

    here = opened()
    monkeypatch.setattr(store, "_write", refuses)
    here.write(values([5]))
    assert here.read(list(given)) == {} and here.off
    assert opened().read(list(given)) == given


def test_processes_share_the_file(path, opened):
    """Four that begin it and write at once: each value is there as it was written."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom lookalike.base.store import Store\n"
        "here, own = Store(Path(sys.argv[1])), int(sys.argv[2])\n"
        "print(flush=True)\nsys.stdin.readline()\n"
        "for i in range(25):\n"
        "    here.write({b'key %d' % n: b'%d ' % n * 9000 for n in (own + i, i)})\n"
        "    assert here.read([b'key %d' % i])\n"
        "assert not here.off and not here.full\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(own)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
        )
        for own in (100, 200, 300, 400)
    ]  # fmt: skip
    for one in started:
        one.stdout.readline()
    for one in started:
        one.communicate("\n", timeout=60)
    assert [one.returncode for one in started] == [0] * 4
    numbers = [*range(25), *(own + i for own in (100, 200, 300, 400) for i in range(25))]
    assert opened().read(list(map(key, numbers))) == {key(n): b"%d " % n * 9000 for n in numbers}
