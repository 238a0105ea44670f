"""Files: what a reader, another process or a full disk may see (rows F of the catalogue of faults)."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from lookalike.base import files, parts
from lookalike.base.errors import LockedError, ModelError, OutputError, UsageError


def tree(folder):
    """Every file's bytes below a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python(code, *arguments, **options):
    """A started Python that has only `files` imported."""
    lines = f"import os, resource, sys\nfrom pathlib import Path\nfrom lookalike.base import files\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", lines, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])},
        text=True,
        **options,
    )


def refused(number):
    """A stand-in for a call of `os` that the system refuses."""

    def call(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    return call


class Full:
    """A binary file whose n-th write or flush finds the disk full."""

    def __init__(self, handle, n):
        self.handle, self.left = handle, n

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.close()

    def __getattr__(self, name):
        if name in ("write", "flush"):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return getattr(self.handle, name)


def write_blocks(path, blocks, size=0):
    """Write blocks of 1,000 bytes."""
    with files.atomic(path, size) as handle:
        for _ in range(blocks):
            handle.write(b"x" * 1000)


def write_and_raise(path, error):
    """Write a part, then fail."""
    with files.atomic(path) as handle:
        handle.write(b"part")
        raise error


@pytest.mark.parametrize("n", range(5), ids=lambda n: f"F1-write{n}")
def test_F1_disk_full_keeps_the_old_file(tmp_path, monkeypatch, n):
    """A disk that is full at any write leaves the old file, no temporary one, and says what is needed."""
    path = tmp_path / "scores.csv"
    path.write_bytes(b"old")
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *a: Full(real(*a), n))
    with pytest.raises(OutputError) as caught:
        write_blocks(path, 4, size=4000)
    assert caught.value.exit_code == 5
    assert "need 4000 bytes, have " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == {Path("scores.csv"): b"old"}


def test_F1_needs_at_least_what_was_written(tmp_path, monkeypatch):
    """Without a known size the message counts the bytes accepted so far."""
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *a: Full(real(*a), 3))
    with pytest.raises(OutputError, match="need 3000 bytes"):
        write_blocks(tmp_path / "a", 3)


def test_F1_a_line_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    """A line of which the disk takes only a part leaves whole lines."""
    path = tmp_path / "metrics.jsonl"
    files.append_line(path, '{"step": 1}')
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:4]))
    with pytest.raises(OutputError, match=r"no space for .*metrics\.jsonl: need 12 bytes"):
        files.append_line(path, '{"step": 2}')
    assert path.read_text() == '{"step": 1}\n'


def test_F5_a_file_size_limit_is_no_space(tmp_path):
    """RLIMIT_FSIZE ends in the same clean refusal as a full disk, and says how much there is."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    files.write_bytes(Path(sys.argv[1]), bytes(10_000))
except files.OutputError as error:
    print(error)
"""
    out, err = python(code, path).communicate(timeout=30)
    assert (err, out.count("\n")) == ("", 1)
    assert "need 10000 bytes, have 4096;" in out
    assert tree(tmp_path) == {Path("model.bin"): b"old"}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_F2_read_only_folder_is_found_by_the_probe(tmp_path, monkeypatch, number):
    """A folder nothing can be written to is refused before any work, though it exists."""
    monkeypatch.setattr(os, "open", refused(number))
    with pytest.raises(OutputError, match=f"cannot be written: {os.strerror(number)}; give a folder that you may"):
        files.make_folder(tmp_path)


def test_F2_a_folder_that_the_system_refuses():
    """A place that not even root can write to is an OutputError."""
    with pytest.raises(OutputError, match=r"^/proc/runs cannot be "):
        files.make_folder(Path("/proc/runs"))


def test_make_folder_leaves_no_probe(tmp_path):
    """A new folder is made with its parents and is empty."""
    made = files.make_folder(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert files.make_folder(made) == made
    assert list(made.iterdir()) == []


def test_F3_a_file_is_in_the_way(tmp_path):
    """An output folder that is a file is refused and the file stays."""
    (tmp_path / "runs").write_bytes(b"mine")
    for path in (tmp_path / "runs", tmp_path / "runs" / "coat"):
        with pytest.raises(OutputError, match="a file is in the way"):
            files.make_folder(path)
        with pytest.raises(OutputError):
            files.write_text(path / "a.txt", "a")
    assert tree(tmp_path) == {Path("runs"): b"mine"}


def test_F3_a_folder_is_in_the_way(tmp_path):
    """An output file that is a folder is refused and nothing is left in or beside it."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html is a folder; give the name of a file"):
        files.write_text(tmp_path / "report.html", "a")
    assert [path.name for path in tmp_path.rglob("*")] == ["report.html"]


def test_F4_the_parent_is_missing(tmp_path):
    """A writer makes no folders: a missing parent is named."""
    with pytest.raises(OutputError, match="its folder does not exist"):
        files.write_text(tmp_path / "typo" / "scores.csv", "a")
    with pytest.raises(OutputError, match="its folder does not exist"):
        files.append_line(tmp_path / "typo" / "metrics.jsonl", "a")
    assert list(tmp_path.iterdir()) == []


def test_F6_fsync_fails(tmp_path, monkeypatch):
    """An fsync that fails is an error, not a success, and keeps the old file."""
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", refused(errno.EIO))
    with pytest.raises(OutputError, match="Input/output error; check the disk"):
        files.write_bytes(tmp_path / "a", b"new")
    assert tree(tmp_path) == {Path("a"): b"old"}


def test_F6_fsync_of_the_folder_fails(tmp_path, monkeypatch):
    """When only the rename cannot be made durable, the caller hears of it and the file is whole."""
    real, calls = os.fsync, []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(OutputError, match="Input/output error"):
        files.write_bytes(tmp_path / "a", b"new")
    assert tree(tmp_path) == {Path("a"): b"new"}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EXDEV])
def test_F7_rename_fails(tmp_path, monkeypatch, number):
    """A rename that fails keeps the old file and removes the new one."""
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", refused(number))
    with pytest.raises(OutputError, match=os.strerror(number)):
        files.write_bytes(tmp_path / "a", b"new")
    assert tree(tmp_path) == {Path("a"): b"old"}


def test_F10_no_file_is_written_through_a_link(tmp_path):
    """An output that is a link, dangling or not, is refused; what it points to stays."""
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("link", "dangling"):
        with pytest.raises(OutputError, match=f"{name} is a link"):
            files.write_bytes(tmp_path / name, b"new")
        with pytest.raises(OutputError):
            files.append_line(tmp_path / name, "new")
    assert tree(tmp_path)[Path("precious")] == b"old"
    assert not (tmp_path / "nothing").exists()


def test_F10_a_temporary_name_is_no_way_through(tmp_path, monkeypatch):
    """A link that waits under our temporary name is neither followed nor removed: another name is taken."""
    names = [parts._name("a"), parts._name("a")]
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / names[0]).symlink_to(tmp_path / "precious")
    monkeypatch.setattr(parts, "_name", lambda _: names.pop(0))
    files.write_bytes(tmp_path / "a", b"new")
    assert names == []
    assert (tmp_path / "precious").read_bytes() == b"old" and (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir() if path.is_symlink()] == [next(tmp_path.glob(".a.*")).name]


def test_F10_a_linked_folder_is_resolved(tmp_path):
    """An output folder that is a link is used and shown as what it points to."""
    (tmp_path / "disk2").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk2")
    assert files.make_folder(tmp_path / "runs") == tmp_path / "disk2"


LOCK = """
try:
    with files.lock(Path(sys.argv[1])):
        print("won", flush=True)
        sys.stdin.read()
except files.LockedError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


def test_F11_eight_processes_one_wins(tmp_path):
    """Of eight processes in one folder one works and seven leave with 8; a killed winner leaves no lock."""
    running = [python(LOCK, tmp_path) for _ in range(8)]
    first = [process.stdout.readline() for process in running]
    assert first.count("won\n") == 1
    winner = running.pop(first.index("won\n"))
    assert [process.wait(30) for process in running] == [8] * 7
    assert sum("is being written by another run" in line for line in first) == 7
    winner.kill()
    winner.wait(30)
    with files.lock(tmp_path):
        pass
    for process in (*running, winner):
        process.communicate()


def test_F11_a_second_lock_in_one_process_is_refused(tmp_path):
    """The lock also holds against this process, and ends with its block."""
    with files.lock(tmp_path), pytest.raises(LockedError) as caught, files.lock(tmp_path):
        pass
    assert caught.value.exit_code == 8
    with files.lock(tmp_path):
        pass


def test_F11_no_folder_to_lock(tmp_path):
    """A lock that cannot be made is an output error."""
    with pytest.raises(OutputError, match="its folder does not exist"), files.lock(tmp_path / "missing"):
        pass


def test_F12_a_reader_sees_old_or_new(tmp_path):
    """Of 1,000 reads or more, until both contents were seen, none is torn."""
    path = tmp_path / "scores.csv"
    path.write_bytes(b"a" * 50_000)
    code = """
while True:
    for letter in b"ba":
        files.write_bytes(Path(sys.argv[1]), bytes([letter]) * 50_000)
"""
    writer = python(code, path)
    try:
        seen, reads, deadline = set(), 0, time.monotonic() + 120
        while (reads < 1000 or len(seen) < 2) and time.monotonic() < deadline:
            seen.add(path.read_bytes())
            reads += 1
    finally:
        writer.kill()
        writer.communicate()
    assert seen <= {b"a" * 50_000, b"b" * 50_000}
    assert len(seen) == 2


def test_F13_left_overs_go_with_the_lock(tmp_path):
    """What killed runs left where a run writes is removed once the lock is held; elsewhere, and of others, it stays."""
    for inner in ("checkpoints", "mine/deep"):
        (tmp_path / inner).mkdir(parents=True)
    gone = [left(tmp_path / name) for name in ("model.json", "checkpoints/000000100.safetensors", "new\nline")]
    stay = [left(tmp_path / "mine" / "deep" / "a"), tmp_path / "checkpoints" / "000000100.safetensors"]
    stay[1].write_bytes(b"x")
    with files.lock(tmp_path, "checkpoints"):
        assert set(tree(tmp_path)) == {Path(".lock"), *(path.relative_to(tmp_path) for path in stay)}
        later = left(tmp_path / "b")
        with pytest.raises(LockedError), files.lock(tmp_path):
            pass
        assert later.exists() and not any(path.exists() for path in gone)


def test_F13_a_killed_writer_leaves_the_old_file(tmp_path):
    """A SIGKILL inside a write leaves the old file and one temporary file, which the next lock removes."""
    (tmp_path / "a").write_bytes(b"old")
    part = killed(tmp_path / "a", b"new" * 10_000)
    assert tree(tmp_path).keys() == {Path("a"), Path(part.name)}
    with files.lock(tmp_path):
        assert tree(tmp_path) == {Path("a"): b"old", Path(".lock"): b""}


def test_F13_left_overs_go_with_the_next_write(tmp_path):
    """Writing a file removes what killed processes left of it, not what they left of others."""
    (tmp_path / "a").write_bytes(b"old")
    gone, stays = killed(tmp_path / "a", b"half"), killed(tmp_path / "aa", b"half")
    files.write_bytes(tmp_path / "a", b"new")
    assert tree(tmp_path) == {Path("a"): b"new", Path(stays.name): b"half"} and gone != stays


def left(path):
    """A part of `path` that nobody writes any more."""
    part, descriptor = parts.new_file(path)
    os.close(descriptor)
    return part


def killed(path, data):
    """The part that a process leaves which is killed while it writes `data` to `path`."""
    code = """
with files.atomic(Path(sys.argv[1])) as handle:
    handle.write(sys.argv[2].encode())
    handle.flush()
    os.kill(os.getpid(), 9)
"""
    before = set(path.parent.iterdir())
    writer = python(code, path, data.decode())
    writer.communicate(timeout=30)
    assert writer.returncode == -9
    (part,) = set(path.parent.iterdir()) - before
    return part


@pytest.mark.parametrize("there", ["nothing", "empty", "link"])
def test_a_folder_appears_whole(tmp_path, there):
    """A new, an empty and a linked empty folder are filled when the block ends, and not before."""
    path = tmp_path / "near"
    if there != "nothing":
        (tmp_path / ("target" if there == "link" else "near")).mkdir()
    if there == "link":
        path.symlink_to(tmp_path / "target")
    with files.atomic_folder(path) as folder:
        files.write_new(folder / "0.png", b"picture")
        assert folder.parent.parent == tmp_path
        assert not path.exists() or not any(path.iterdir())
    assert {name.name: name.read_bytes() for name in path.iterdir()} == {"0.png": b"picture"}
    assert not [name for name in os.listdir(tmp_path) if "part" in name]
    assert path.is_symlink() == (there == "link")


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_a_folder_that_fails_leaves_nothing(tmp_path, error):
    """Whatever ends the block, the half-filled folder goes."""

    def fail():
        with files.atomic_folder(tmp_path / "near") as folder:
            files.write_new(folder / "0.png", b"picture")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("there", "kind", "words"),
    [
        ("near/x", UsageError, "near is not empty; give a new or empty folder"),
        ("near", OutputError, "near cannot be made: a file is in the way"),
        ("", OutputError, "its folder does not exist; make that first"),
    ],
)
def test_a_folder_that_cannot_be_made(tmp_path, there, kind, words):
    """One that holds something, a file of its name and a missing parent are refused before the block."""
    path = tmp_path / "near" if there else tmp_path / "no" / "near"
    if there:
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).write_bytes(b"old")
    before = tree(tmp_path)
    with pytest.raises(kind) as caught, files.atomic_folder(path):
        pytest.fail("the block was entered")
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert tree(tmp_path) == before


def test_F13_a_killed_writers_folder_goes_with_the_next(tmp_path):
    """A half-filled folder that a killed process left is removed with all that is in it."""
    code = """
with files.atomic_folder(Path(sys.argv[1])) as folder:
    files.write_new(folder / "0.png", b"old")
    os.kill(os.getpid(), 9)
"""
    writer = python(code, tmp_path / "near")
    writer.communicate(timeout=30)
    (part,) = tmp_path.iterdir()
    assert (writer.returncode, (part / parts.WHOLE / "0.png").read_bytes()) == (-9, b"old")
    with files.atomic_folder(tmp_path / "near"):
        assert not part.exists()
    assert os.listdir(tmp_path) == ["near"]


def test_write_new_never_overwrites(tmp_path):
    """A file that is there, or a link, stays."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "b"):
        with pytest.raises(OutputError, match=f"{name} cannot be made: a file is in the way"):
            files.write_new(tmp_path / name, b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_F1_write_new_on_a_full_disk(tmp_path, monkeypatch):
    """A full disk says what the file needs."""
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *a: Full(real(*a), 0))
    with pytest.raises(OutputError, match=r"no space for .*: need 7 bytes"):
        files.write_new(tmp_path / "0.png", b"picture")


def test_json_lines_keep_undecodable_names(tmp_path):
    """One row per line, in ASCII, as they come back."""
    rows = [{"name": "bad\udcff\n.png", "reason": "é"}, {"name": "b", "reason": ""}]
    files.write_json_lines(tmp_path / "a", rows)
    lines = (tmp_path / "a").read_bytes().decode("ascii").splitlines()
    assert [json.loads(line) for line in lines] == rows


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_F14_modes_follow_the_umask(tmp_path, umask, mode):
    """New files have the mode that the umask allows."""
    before = os.umask(umask)
    try:
        files.write_bytes(tmp_path / "a", b"a")
        files.append_line(tmp_path / "b", "b")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [mode, mode]


def test_order_is_fsync_rename_fsync_of_the_folder(tmp_path, monkeypatch):
    """The bytes are durable before the name is, and the name before success is told."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        calls.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def note_replace(old, new):
        calls.append(("replace", str(old), str(new)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    part = f"{tmp_path}/{parts._name('a')}"
    monkeypatch.setattr(parts, "_name", lambda _: Path(part).name)
    files.write_bytes(tmp_path / "a", b"new")
    assert calls == [("fsync", part), ("replace", part, f"{tmp_path}/a"), ("fsync", str(tmp_path))]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_error_of_the_block_leaves_nothing(tmp_path, error):
    """What stops the block passes through, and neither a file nor a temporary one is left."""
    with pytest.raises(error):
        write_and_raise(tmp_path / "a", error)
    assert list(tmp_path.iterdir()) == []


def test_json_keeps_undecodable_names(tmp_path):
    """Names that are not UTF-8 survive a JSON file, which is ASCII."""
    value = {"bad\udcff.png": [1, 0.1, None, "Müller\u2028"]}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_bytes().isascii()
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")


def test_json_never_holds_nan(tmp_path):
    """NaN is not JSON: writing it is refused and writes nothing."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"auc": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff{}", "byte 0 is not UTF-8"),
        (b'{"a": NaN}', "NaN is not a finite number"),
        (b'{"a": -Infinity}', "-Infinity is not a finite number"),
        (b'{"a": 1e999}', "1e999 is not a finite number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        (b'{"\\u001b[31m": 1, "\\u001b[31m": 3}', r"the key '\\x1b\[31m' stands twice"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        (b"[" * 200_000, "nested deeper than 32"),
        (b'{"a":' * 100_000, "nested deeper than 32"),
        (b" " * (1 << 20) + b"{}", "larger than 1048576 bytes"),
    ],
)
def test_read_json_refuses(tmp_path, data, reason):
    """JSON that is malformed, ambiguous, not finite, too deep or large is refused in one line with little memory."""
    (tmp_path / "a.json").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ModelError, match=reason) as caught:
        files.read_json(tmp_path / "a.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert len(str(caught.value).splitlines()) == 1


def test_read_json_accepts_32_levels(tmp_path):
    """The limit of depth is where the message says."""
    (tmp_path / "a.json").write_bytes(b"[" * 32 + b"]" * 32)
    assert json.dumps(files.read_json(tmp_path / "a.json")) == "[" * 32 + "]" * 32


def test_only_regular_files_are_read(tmp_path):
    """A pipe, a folder, a device and a missing file are refused at once."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ModelError, match="not a regular file"):
            files.read_json(path)
    with pytest.raises(ModelError, match="No such file"):
        files.read_json(tmp_path / "missing")


def test_read_bytes_is_bounded(tmp_path):
    """A file of exactly the limit is read, one byte more is refused."""
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(ModelError, match="larger than 4 bytes"):
        files.read_bytes(tmp_path / "a", 4)


def test_no_other_module_reads_a_whole_file_without_a_limit():
    """What a user names may be a pipe, a device or endless; only our own code and tables are read without asking."""
    package = Path(files.__file__).parents[1]
    ours = {
        *("base/machines.py", "data/beyond.py"),  # files of the system
        *("detect/seen.py", "faces/page/app.py", "faces/page/served.py"),
        *("studies/tables/photographs.py", "studies/tables/table.py"),
    }
    readers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"\.read_(bytes|text)\((?!path|\w+,)", path.read_text("utf-8"))
    }
    assert readers <= ours, readers - ours


def test_no_other_module_reads_json_loosely():
    """What stands in a file may nest for ever or hold NaN; only messages between our own processes are taken as is."""
    package = Path(files.__file__).parents[1]
    loose = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"json\.loads?\(", path.read_text("utf-8"))
    }
    assert loose == {"base/strict.py", "runs/follow.py"}


def test_files_that_belong_together_are_written_all_or_none(tmp_path, monkeypatch):
    """Where the second one finds the disk full, the first one stays as it was too."""
    old, new = {"a.csv": b"old", "a.json": b"old"}, {"a.csv": b"new", "a.json": b"new" * 999}
    files.write_together(tmp_path / "out", old)
    real, opened = os.fdopen, []
    monkeypatch.setattr(os, "fdopen", lambda *a: opened.append(a) or Full(real(*a), 0 if len(opened) == 2 else 99))
    with pytest.raises(OutputError, match=r"no space for .*a\.json: need 2997 bytes, have "):
        files.write_together(tmp_path / "out", new)
    assert tree(tmp_path / "out") == {Path(name): data for name, data in old.items()}
    monkeypatch.setattr(os, "fdopen", real)
    files.write_together(tmp_path / "out", new)
    assert tree(tmp_path / "out") == {Path(name): data for name, data in new.items()}


def test_of_two_writers_of_files_that_belong_together_one_writes_all_of_its_own_last(tmp_path):
    """While one writes, the other waits; what stays is never of both."""
    code = """
for i in range(60):
    files.write_together(Path(sys.argv[1]), {name: sys.argv[2].encode() * 5000 for name in "abc"})
"""
    writers = [python(code, tmp_path, letter) for letter in "xy"]
    for writer in writers:
        assert writer.communicate(timeout=60)[1] == ""
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1 and len(list(tmp_path.iterdir())) == 3


def test_E24_no_decision_asks_the_clock_of_the_wall():
    """A clock set back or forward changes nothing: the caches ask it, for what was used last, and MLflow wants it."""
    package = Path(files.__file__).parents[1]
    wall = re.compile(r"time\.time\(|datetime(?! import timedelta)|getmtime|st_mtime(?!_ns)")
    assert {path.name for path in package.rglob("*.py") if wall.search(path.read_text("utf-8"))} == {
        *("beyond.py", "store.py", "trackers.py")
    }


SMALL = """
subprocess.run(["mount", "-t", "tmpfs", "-o", sys.argv[2], "tmpfs", sys.argv[1]], check=True)
folder = Path(sys.argv[1])
files.write_bytes(folder / "a", b"old")
try:
    for i in range(9):
        (folder / str(i)).write_bytes(b"x" * int(sys.argv[3]))
except OSError:
    pass
try:
    files.write_bytes(folder / "a", b"new" * 300_000)
except files.OutputError as error:
    print(error)
print((folder / "a").read_bytes(), sum(".lookalike" in name for name in os.listdir(folder)))
"""


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode,
    reason="the system lets nobody mount a small disk here",
)
@pytest.mark.parametrize(
    ("options", "each", "words"),
    [("nr_inodes=10", 1, "the disk takes no more files"), ("size=512k", 100_000, "need 900000 bytes, have ")],
    ids=["F20 no inodes", "F1 no bytes"],
)
def test_a_disk_that_is_full_keeps_the_old_file(options, each, words, tmp_path):
    """On a real full disk the message says what is lacking, the old file stays, and no part is left."""
    code = f"import os, subprocess, sys\nfrom pathlib import Path\nfrom lookalike.base import files\n{SMALL}"
    environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    argv = ["unshare", "-m", sys.executable, "-c", code, str(tmp_path), options, str(each)]
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 2 and said[0].startswith(f"no space for {tmp_path}/a: {words}")
    assert said[1] == "b'old' 0"
