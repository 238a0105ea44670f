"""Two writers of one output never mix, and nothing goes but what dead writers of ours left."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from clean_failure import tree
from tiny import call, train

from lookalike.base import files, machines, parts
from lookalike.base.errors import LockedError, OutputError, UsageError

UNSHARE = ("unshare", "-pf", "--mount-proc")
ALONE = shutil.which("unshare") and not subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode
PYTHON = {
    "containers": (*(UNSHARE if ALONE else ()), sys.executable, "-c", "import os; assert os.getpid() == 1\n"),
    "one number": (sys.executable, "-c", "import os; os.getpid = lambda: 1\n"),
}
if not ALONE:  # where the system lets nobody make a container the number alone is the same
    PYTHON["containers"] = PYTHON["one number"]
STEP = """
import sys
from pathlib import Path
from lookalike.base import files
out, letter = Path(sys.argv[1]), sys.argv[2].encode()
def step():
    print("ready", flush=True)
    sys.stdin.readline()
"""
FILE = """
with files.atomic(out) as handle:
    for _ in range(2):
        handle.write(letter * 5000)
        handle.flush()
        step()
"""
FOLDER = """
try:
    with files.atomic_folder(out) as folder:
        for name in "ab":
            files.write_new(folder / name, letter)
            step()
except files.UsageError as error:
    print(error, flush=True)
"""
PROPER = f".s.csv.lookalike-part-{'0123456789abcdef'}{parts._check('s.csv', '0123456789abcdef')}"


class Writer:
    """A process that writes in two steps, each when it is told to."""

    def __init__(self, how, code, out, letter):
        start = PYTHON[how]
        environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
        self.process = subprocess.Popen(
            [*start[:-1], start[-1] + STEP + code, str(out), letter],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip
        self.wait()

    def wait(self):
        """Until a step is done."""
        assert self.process.stdout.readline() == "ready\n"

    def go(self, *, last=False):
        """One step further, or the end: returns what it says there."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        if not last:
            return self.wait()
        said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0
        return said


@pytest.mark.parametrize("how", PYTHON)
def test_two_writers_of_one_file_with_one_number_never_mix(how, tmp_path):
    """Each writes a part of its own that the other leaves alone; the file is whole at every moment, the last one's."""
    out = tmp_path / "t.csv"
    one, other = Writer(how, FILE, out, "a"), Writer(how, FILE, out, "b")
    assert len(list(tmp_path.iterdir())) == 2
    one.go()
    other.go()
    one.go(last=True)
    assert out.read_bytes() == b"a" * 10_000
    other.go(last=True)
    assert tree(tmp_path) == {"t.csv": b"b" * 10_000}


@pytest.mark.parametrize("how", PYTHON)
def test_two_writers_of_one_folder_with_one_number_never_mix(how, tmp_path):
    """The first that ends fills the folder; the other is told that it is not empty, and leaves nothing."""
    out = tmp_path / "gen"
    one, other = Writer(how, FOLDER, out, "a"), Writer(how, FOLDER, out, "b")
    one.go()
    other.go()
    assert other.go(last=True) == ""
    assert "gen is not empty; give a new or empty folder" in one.go(last=True)
    assert tree(tmp_path) == {"gen/a": b"b", "gen/b": b"b"}
    assert [path.name for path in tmp_path.iterdir()] == ["gen"]


def test_a_probe_of_a_living_process_of_the_same_number_stays(tmp_path):
    """Trying a folder removes no other's probe."""
    probe, descriptor = parts.new_file(tmp_path / files.PROBE)
    files.make_folder(tmp_path)
    assert probe.exists()
    os.close(descriptor)
    files.make_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def decoys(folder: Path, name: str) -> list[Path]:
    """A user's own files and folders in `folder`, called almost as our parts of `name`."""
    good = f".{name}.lookalike-part-{'0' * 16}{parts._check(name, '0' * 16)}"
    wrong = f".{name}.lookalike-part-"
    plain = [
        f"{name}.part.99999", f"{name}.part.400000000", f"{name}.part.1", good[:-1], f"{good}0", good[:-1] + "g",
        good.upper(), good[1:], f"{good}.mkv", wrong + "0" * 32, wrong + "f" * 16, wrong + "x" * 32, wrong,
    ]  # fmt: skip
    for one in plain:
        (folder / one).write_text("mine")
    full = [folder / f"{name}.part.88888", folder / good]
    for one in full:  # a folder whose name could be ours, with what no part of ours holds
        (one / "whole").mkdir(parents=True)
        (one / "whole" / "0.png").write_text("mine")
        (one / "notes").write_text("mine")
    return [*(folder / one for one in plain), *(one / inner for one in full for inner in ("notes", "whole/0.png"))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run."""
    from lookalike.faces.cli import main

    out = tmp_path_factory.mktemp("trained") / "run"
    assert main(train(out)) == 0
    return out


def dead_file(path: Path) -> Path:
    """What a killed process leaves of a file."""
    part, descriptor = parts.new_file(path)
    os.write(descriptor, b"half")
    os.close(descriptor)
    return part


def test_score_removes_only_what_a_dead_process_of_ours_left(run, tmp_path, capsys):
    """Beside the score file every decoy stays, old style and new, and a dead writer's part of this file goes."""
    out = tmp_path / "s.csv"
    mine, gone, stays = decoys(tmp_path, "s.csv"), dead_file(out), dead_file(tmp_path / "other.csv")
    assert call(capsys, "score", run, "digits", "-o", out)[0] == 0
    assert out.exists() and not gone.exists() and stays.exists()
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_generate_removes_only_what_a_dead_process_of_ours_left(run, tmp_path, capsys):
    """Beside the folder every decoy stays with all that is in it, and a dead writer's half folder goes."""
    out = tmp_path / "gen"
    mine = decoys(tmp_path, "gen")
    half, descriptor = parts.new_folder(out)
    files.write_new(half / parts.WHOLE / "0.png", b"half")
    os.close(descriptor)
    assert call(capsys, "generate", run, "-o", out, "-n", "2")[0] == 0
    assert (out / "generated.csv").exists() and not half.exists()
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_train_removes_only_what_a_dead_process_of_ours_left(tmp_path, capsys):
    """In a run every decoy stays at any depth, and dead writers' parts go from where a run writes."""
    out = tmp_path / "run"
    assert call(capsys, *train(out))[0] == 0
    deep = [out / "sub", out / "sub" / "deeper", out / "checkpoints", out / "samples", out]
    for folder in deep:
        folder.mkdir(exist_ok=True)
    mine = [one for folder in deep for one in decoys(folder, "model.json")]
    (out / "sub" / "video.mkv.part.400000000").write_text("mine")
    stays = dead_file(out / "sub" / "model.json")
    gone = [dead_file(out / name) for name in ("model.json", "checkpoints/000000064.safetensors", "samples/0.png")]
    assert call(capsys, *train(out))[0] == 0
    assert not any(path.exists() for path in gone) and stays.exists()
    assert (out / "sub" / "video.mkv.part.400000000").read_text() == "mine"
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_a_part_of_another_user_stays(tmp_path, monkeypatch):
    """What belongs to someone else is not ours, whatever its name."""
    part = dead_file(tmp_path / "a")
    monkeypatch.setattr(os, "geteuid", lambda: part.stat().st_uid + 1)
    parts.clear(tmp_path)
    assert part.exists()
    monkeypatch.undo()
    parts.clear(tmp_path)
    assert not part.exists()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_only_files_and_folders_are_removed(tmp_path, kind):
    """A link or a pipe under a part's name stays, and the file that the link names too."""
    (tmp_path / "precious").write_text("mine")
    path = tmp_path / PROPER
    path.symlink_to(tmp_path / "precious") if kind == "link" else os.mkfifo(path)
    parts.clear(tmp_path)
    assert path.is_symlink() or path.is_fifo()
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_file_is_written_and_nothing_is_taken_for_dead(tmp_path, monkeypatch, number):
    """On a file system that knows no locks outputs are still written whole, and left-overs stay."""
    part = dead_file(tmp_path / "a")
    half, descriptor = parts.new_folder(tmp_path / "gen")
    os.close(descriptor)

    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    files.write_bytes(tmp_path / "a", b"new")
    with files.atomic_folder(tmp_path / "gen") as folder:
        files.write_new(folder / "x", b"x")
    assert {"a": b"new", "gen/x": b"x"}.items() <= tree(tmp_path).items()
    assert part.exists() and half.exists() and len(list(tmp_path.iterdir())) == 4


def test_a_part_that_is_removed_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    """Between making and locking it another process may take a part for a dead one's: the writer takes another."""
    flock, calls = fcntl.flock, []

    def cleared_first(descriptor, how):
        calls.append(descriptor)
        if len(calls) == 1:
            parts.clear(tmp_path)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", cleared_first)
    files.write_bytes(tmp_path / "a", b"new")
    assert len(calls) == 3 and tree(tmp_path) == {"a": b"new"}


def test_an_empty_or_emptied_part_of_a_folder_goes(tmp_path):
    """A kill between two calls leaves a part without its lock, or without the folder: both are removed."""
    bare = tmp_path / parts._name("gen")
    bare.mkdir()
    emptied, descriptor = parts.new_folder(tmp_path / "gen")
    (emptied / parts.WHOLE).rmdir()
    parts.clear(tmp_path, "gen")
    assert not bare.exists() and emptied.exists()
    os.close(descriptor)
    parts.clear(tmp_path, "gen")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "x" * 255, "é" * 127, "new\nline", "bad\udcff"])
def test_any_name_that_the_system_takes_has_a_part(tmp_path, name):
    """A name of 255 bytes, with a line's end or undecodable, is written, and its left-overs are found again."""
    gone, stays = dead_file(tmp_path / name), dead_file(tmp_path / "b")
    files.write_bytes(tmp_path / name, b"new")
    assert (tmp_path / name).read_bytes() == b"new" and not gone.exists() and stays.exists()


def test_a_folder_that_another_filled_meanwhile_is_refused(tmp_path):
    """What appeared under the name while a folder was being made stays, and the sentence is the usual one."""

    def late():
        with files.atomic_folder(tmp_path / "gen") as folder:
            files.write_new(folder / "x", b"ours")
            (tmp_path / "gen").mkdir()
            (tmp_path / "gen" / "x").write_bytes(b"theirs")

    with pytest.raises(UsageError, match="gen is not empty; give a new or empty folder"):
        late()
    assert tree(tmp_path) == {"gen/x": b"theirs"}


MACHINES = ("unshare", "-pfm", "--mount-proc")  # of its own: process numbers, and the identity below
APART = shutil.which("unshare") and not subprocess.run([*MACHINES, "true"], check=False, capture_output=True).returncode
HOLD = """
import sys
from pathlib import Path
from lookalike.base import files, machines
out = Path(sys.argv[1])
with files.lock(out), files.atomic(out / "x") as handle:
    handle.write(b"half")
    handle.flush()
    print(machines.this(), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Starts a process on a machine of another identity that holds a folder and writes a file in it."""
    started = []

    def start(folder):
        if not APART:
            pytest.skip("the system lets nobody make a machine of its own")
        (tmp_path / "boot").write_text("another boot")
        hide = f"mount --bind {tmp_path / 'boot'} {machines.BOOT}"
        environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [*MACHINES, "sh", "-c", f'{hide} && exec "$0" -c "$1" "$2"', sys.executable, HOLD, str(folder)]
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        assert started[-1].stdout.readline().strip() not in ("", machines.this())
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def aged(part: Path) -> None:
    """A part that was changed two days ago."""
    before = os.stat(part).st_mtime_ns - 2 * parts.DAY
    for path in (part, part / parts.LOCK, part / parts.WHOLE):
        if path.exists():
            os.utime(path, ns=(before, before))


def test_a_lock_of_another_machine_holds_and_its_part_stays(tmp_path, elsewhere):
    """While a run on another machine holds a folder nobody else gets it, and its part stays, whatever its age."""
    folder = tmp_path / "run"
    folder.mkdir()
    writer = elsewhere(folder)
    (part,) = [path for path in folder.iterdir() if parts.target_of(path.name)]
    aged(part)
    with pytest.raises(LockedError, match="is being written by another run"), files.lock(folder):
        pass
    parts.clear(folder)
    assert part.exists()
    writer.communicate("\n", timeout=30)
    with files.lock(folder):
        assert (folder / "x").read_bytes() == b"half"


def test_what_a_dead_run_of_another_machine_left_goes_after_a_day(tmp_path, elsewhere):
    """A killed run of another machine leaves its folder free, and its part for a day."""
    folder = tmp_path / "run"
    folder.mkdir()
    pid = elsewhere(folder).pid
    os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text()), signal.SIGKILL)
    (part,) = [path for path in folder.iterdir() if parts.target_of(path.name)]
    for _ in range(100):  # until the system has ended it
        with suppress(LockedError), files.lock(folder):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the lock of a killed run stays")
    assert part.exists()
    aged(part)
    parts.clear(folder)
    assert not part.exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_parts_of_other_machines_go_by_age_alone(tmp_path, monkeypatch, kind):
    """A part of another machine stays for a day after its last change; one of this machine goes at once."""
    for machine, stays in (("00000000", True), (machines.this(), False)):
        with monkeypatch.context() as patch:
            patch.setattr(machines, "this", lambda machine=machine: machine)
            made, descriptor = (parts.new_file if kind == "file" else parts.new_folder)(tmp_path / "a")
            os.close(descriptor)
        parts.clear(tmp_path)
        assert made.exists() == stays
        aged(made) if stays else None
        parts.clear(tmp_path)
        assert not made.exists()
    assert list(tmp_path.iterdir()) == []


def test_without_locks_parts_go_by_age(tmp_path, monkeypatch):
    """On a file system without locks a part of this machine too stays for a day after its last change."""
    part = dead_file(tmp_path / "a")

    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    parts.clear(tmp_path)
    assert part.exists()
    aged(part)
    parts.clear(tmp_path)
    assert not part.exists()
    said = pytest.raises(OutputError, match="lies on a file system without locks; give a folder on another one")
    with said, files.lock(tmp_path):
        pass


MOUNTS = """22 1 8:1 / / rw - ext4 /dev/vda rw
30 22 0:40 / /home rw,relatime - nfs4 server:/home rw,vers=4.2,local_lock=none,addr=10.0.0.1
31 30 0:41 / /home/old\\040data rw - nfs server:/old rw,vers=3,nolock,local_lock=all
32 22 0:42 / /mnt/ssh rw - fuse.sshfs host: rw,user_id=0
33 32 0:43 / /mnt/ssh/disk rw - ext4 /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("folder", "reach"),
    [
        ("/srv/x", True),
        ("/home/x", True),
        ("/home/old data/x", False),
        ("/home/old data2", True),
        ("/mnt/ssh", False),
        ("/mnt/ssh/disk/x", True),
    ],
)
def test_file_systems_whose_locks_end_at_the_machine_are_known(tmp_path, monkeypatch, folder, reach):
    """The mount that a folder lies on says whether its locks reach other machines."""
    (tmp_path / "mounts").write_text(MOUNTS.replace("\\\\", "\\"))
    monkeypatch.setattr(machines, "MOUNTS", tmp_path / "mounts")
    assert machines.locks_reach(Path(folder)) == reach


def test_where_locks_do_not_reach_the_record_of_another_machine_counts(tmp_path, monkeypatch):
    """A folder that another machine has on record is refused where locks do not reach, and taken where they do."""
    monkeypatch.setattr(machines, "locks_reach", lambda folder: False)
    with monkeypatch.context() as patch:
        patch.setattr(machines, "this", lambda: "00000000")
        with files.lock(tmp_path):
            record = (tmp_path / files.LOCK).read_bytes()
        assert record.startswith(b"00000000 ") and (tmp_path / files.LOCK).read_bytes() == b""
    (tmp_path / files.LOCK).write_bytes(record)  # as a killed run leaves it
    said = pytest.raises(LockedError, match=r"held by a run on .* no locks between machines; .* or remove .*\.lock")
    with said, files.lock(tmp_path):
        pass
    monkeypatch.setattr(machines, "locks_reach", lambda folder: True)
    with files.lock(tmp_path):
        pass


def test_a_folder_is_synced_without_the_whole_machine(tmp_path, monkeypatch):
    """A new folder is synced by its file system alone, or file by file where the system cannot; never the machine."""
    monkeypatch.setattr(os, "sync", lambda: pytest.fail("the whole machine was synced"))
    fsync, synced = os.fsync, []

    def counted(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    for there in (True, False):
        if not there:
            monkeypatch.setattr(files, "SYNCFS", None)
        with files.atomic_folder(tmp_path / str(there)) as folder:
            files.write_new(folder / "x", b"x")
        assert any(path.endswith("/x") for path in synced) == (not there)
