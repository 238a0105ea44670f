"""All that is written for a user, by whoever writes it, under every fault of a disk or of another process.

`OUTPUTS` is the table of writers. A function of the source that writes and stands neither there nor in `ELSEWHERE`
fails a test, and so does one that stands there and writes no more. Each output is written in a child of this process,
which may be killed, or be given a small disk of its own.
"""

from __future__ import annotations

import ast
import csv
import ctypes
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from children import Changes, child, started
from official import in_turn
from PIL import Image

import lookalike
from lookalike.base import checkpoint, files, workers
from lookalike.base.cells import FORMULA, NUMBER
from lookalike.base.errors import LookalikeError
from lookalike.detect import onnx
from lookalike.faces import defects
from lookalike.faces.cli import main
from lookalike.studies import cluster
from lookalike.studies.study import Study
from lookalike.studies.tables import table
from lookalike.studies.tables.lines import COLUMNS
from lookalike.use import augment as filling
from lookalike.use import measure as measuring
from lookalike.use import shards

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
PACKAGE = Path(lookalike.__file__).parent
CLASS = "=cmd|' calc'!A0"  # a class that is a formula
ONE = ("--threads", 1)
SKIP = ("--on-bad", "skip", "--max-bad", 0.5)
GAN = (
    *("--images", 32, "--batch", 16, "--width", 2, "--z", 4, "--calibration", 0, "--test", 0, "--save-every", 16),
    *("--sample-every", 16, *ONE, *SKIP),
)
BOTH = ("--known", "a", "--known", CLASS)


# --- the table


@dataclass(frozen=True)
class Output:
    """Something that is written: by which functions, how, and whether in place of an older one.

    `make(place, out, variant)` writes below the folder `out` and returns an exit code; `place` has data and runs. Files
    that are not `together` have names of their own, and two writers at once may leave those of both. What `resumes`
    may be left in the middle. `full` is its exit code where nothing could be done on a full disk.
    """

    functions: tuple[str, ...]
    make: Callable[[Path, Path, int], int]
    replaces: bool = True
    together: bool = True
    resumes: bool = False
    full: int = 5


def said(*tokens: object) -> int:
    """The exit code of a command."""
    return main([str(token) for token in tokens])


def done(work: Callable[[], object]) -> int:
    """The exit code of a call, as the command line gives it."""
    try:
        work()
    except LookalikeError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


class Small(table.Table):
    """A table whose figures are there."""

    def __init__(self, variant: int) -> None:
        self.name, self.number = "p/1", variant

    row_names = method_names = ()

    def groups(self, study, rows, *, required):
        """One group of one cell that is done."""
        return {"": [Done()]}

    def lines(self, found):
        """One line, with a known class that is a formula."""
        return [dict.fromkeys(COLUMNS, self.number) | {"known": CLASS}]

    def page(self, found, lines):
        """Some text."""
        return f"# {self.number}\n" * 999


class Done:
    """A cell without a trial."""

    trials, method = (), "knn"

    def is_done(self, runs):
        """Always."""
        return True


def of_table(place, out, variant):
    """Writes a table without a training."""
    return done(lambda: table.run(Small(variant), Study(out / "runs"), out / "tables"))


def of_cluster(place, out, variant):
    """Writes what came back from another machine."""
    back = {"config.json": b"{}", "deep/x": bytes([variant]) * 9999}
    return done(lambda: cluster._write(files.make_folder(out / "trial"), back))


def of_shards(place, out, variant):
    """Writes rows as Parquet."""
    rows = [{"name": f"{i}.png", "class": CLASS, "score": i + variant / 2} for i in range(999)]

    def write():
        with files.atomic(out / "s.parquet") as handle, closing(shards._Table(handle)) as parquet:
            parquet.append(rows)

    return done(write)


def of_measure(place, out, variant):
    """Draws what `measure` found near, without the network that finds it."""
    near = SimpleNamespace(picture=bytes([variant]) * 9999, rows=[0], of=1)
    measuring.measure = lambda *_, **__: SimpleNamespace(nearest=near, json=dict)
    return said(
        *("measure", place / "gan", "--real", place / "data", "--nearest", out / "n.png", "--number", 5),
        *("--json", *ONE, *SKIP),
    )


def of_evaluate(place, out, variant):
    """Measures a run, which is a copy."""
    if not (out / "run").exists():
        shutil.copytree(place / "run", out / "run", ignore=shutil.ignore_patterns("*.lock"))
    return said("evaluate", out / "run", place / "data", *ONE, *SKIP)


def of_augment(name, place, out, variant):
    """Fills up a class, without the classifier that looks at what was made."""
    filling.judge = lambda *_: None
    return said(
        *("augment", place / "data", "--run", place / "gan", "--to", f"a={15 + variant}", "-o", out / name),
        *("--anyway", *ONE, *SKIP),
    )


def of_export(place, out, variant):
    """Writes a network and its card, without the seconds that ONNX takes."""
    onnx.as_onnx = lambda _: bytes([variant]) * 99_999
    return said("export", place / "gan", "-o", out / "x.onnx")


def of_defects(place, out, variant):
    """Writes a few crops."""
    defects.SOUND, defects.WITH_DEFECT = 3, 2
    return done(lambda: defects.write(out / "defects"))


OUTPUTS = {
    "scores": Output(
        ("use/scorefile.py:write",),
        lambda p, o, v: said("score", p / "run", p / "data", "-o", o / "s.csv", "--part", f"{v + 1}/2", *ONE, *SKIP),
        together=False,
    ),
    "pictures of scores": Output(
        ("use/scorefile.py:_pictures", "use/scorefile.py:_write_maps", "use/scorefile.py:rows_of"),
        lambda p, o, v: said(
            *("score", p / "run", p / "data", "-o", o / "s.csv", "--nearest", o / "near", "--heat-maps", o / "heat"),
            *("--part", f"{v + 1}/2", *ONE, *SKIP),
        ),
        replaces=False,
        together=False,
    ),
    "sub-classes": Output(
        ("use/leaffile.py:write",),
        lambda p, o, v: said("subclasses", p / f"split{v}", p / "data", "-o", o / "l.csv", *ONE, *SKIP),
    ),
    "generated images": Output(
        ("use/generate.py:_folder", "use/generate.py:_folder.write_block"),
        lambda p, o, v: said("generate", p / "gan", "-o", o / "made", "--number", 3, "--seed", v),
        replaces=False,
    ),
    "generated arrays": Output(
        ("use/generate.py:_npz", "faces/commands/make.py:generate"),
        lambda p, o, v: said(
            "generate", p / "gan", "-o", o / "g.npz", "--number", 9, "--seed", v, "--grid", o / "g.png"
        ),
        together=False,
    ),
    "filled classes": Output(("use/balanced.py:_folder",), partial(of_augment, "f"), replaces=False),
    "filled arrays": Output(("use/balanced.py:_npz",), partial(of_augment, "f.npz"), together=False),
    "nearest real images": Output(("faces/commands/measure.py:measure",), of_measure),
    "pairs": Output(
        ("use/pairs.py:_new_folder", "use/pairs.py:_write"),
        lambda p, o, v: said("pairs", p / "data", "--steps", 2, "--seed", v, "-o", o / "pairs", *ONE, *SKIP),
        replaces=False,
    ),
    "report": Output(
        ("report/__init__.py:write",), lambda p, o, v: said("report", p / ("run", "gan")[v], "-o", o / "r.html")
    ),
    "network": Output(("faces/commands/export.py:export", "report/card.py:write"), of_export, together=False),
    "evaluation": Output(("use/evaluate.py:evaluate",), of_evaluate),
    "bench": Output(
        (
            *("report/bench_detect.py:write", "studies/trial.py:FiguresTrial.work", "studies/detect/trial.py:_store"),
            *("runs/record.py:begin", "runs/record.py:_write_split", "runs/log.py:begin", "runs/log.py:add"),
        ),
        lambda p, o, v: said(
            *(
                "bench",
                "detect",
                p / "data",
                "--methods",
                "knn",
                "--seeds",
                v + 1,
                "--workers",
                1,
                "--runs",
                o / "runs",
            ),
            *("-o", o, "--size", "8,8", *SKIP),
        ),
        resumes=True,
        full=2,
    ),
    "bench of few images": Output(
        ("report/bench_shots.py:write",),
        lambda p, o, v: said(
            *("bench", "detect", p / "data", "--methods", "knn", "--seeds", 1, "--workers", 1, "--runs", o / "runs"),
            *("-o", o, "--size", "8,8", "--shots", v + 1, *SKIP),
        ),
        resumes=True,
        full=2,
    ),
    "training": Output(
        (
            *("runs/record.py:begin", "runs/record.py:_write_split", "runs/log.py:begin", "runs/log.py:add"),
            *("runs/samples.py:draw_samples", "runs/training.py:_Keeper._save", "runs/subclasses.py:write"),
            *(
                "base/checkpoint.py:write_tensors",
                "base/checkpoint.py:save_model",
                "base/checkpoint.py:save_checkpoint",
            ),
            "detect/model.py:Model.save",
        ),
        lambda p, o, v: said(
            *("train", p / "data", *BOTH, "--method", "splitting", "--split-at", 16, "--d-steps", 1, *GAN),
            *("--group", "[0-9]+", "--seed", v, "-o", o / "run"),
        ),
        replaces=False,
        resumes=True,
    ),
    "table": Output(("studies/tables/table.py:run",), of_table),
    "what a cluster gives back": Output(("studies/cluster.py:_write", "studies/cluster.py:_fill"), of_cluster),
    "scores of a cluster": Output(("use/shards.py:write", "use/shards.py:_Table.append"), of_shards),
    "images with defects": Output(
        ("faces/defects.py:write", "faces/defects.py:_save"),
        of_defects,
        replaces=False,
    ),
}

MEMORY = "into memory, for one of the writers"
ELSEWHERE = {
    "base/files.py": "what all writers are made of: tests/base/test_files.py",
    "base/parts.py": "the parts of all writers: tests/base/test_parts.py",
    "base/store.py": "a cache: it can be computed again, and tests/base/test_store.py damages and fills it",
    "use/quality/cache.py:trained": "a cache of one classifier, written by write_tensors",
    "data/beyond.py:Place.write": "a cache of images: tests/data/test_beyond.py",
    "data/beyond.py:Writer._head": "the same cache",
    "data/load.py:_write": "the same cache",
    "studies/cluster.py:_signed": "an empty file, under a lock: tests/studies/test_cluster.py",
    "studies/cluster.py:_scratch": "a folder of a machine of a cluster, which goes with the trial",
    "report/bench_augment.py:write": "as the bench of detectors, but each trial trains a classifier for minutes",
    "studies/tables/photograph_trial.py:PhotographTrial.work": "one write_json beside a bench's figures",
    "runs/record.py:_note_changes": "config.json once more, when another version resumes: tests/runs/test_run.py, E10",
    "runs/tracking.py:_Following._give": "tracked.json, under the run's lock: tests/runs/test_tracking.py",
    "runs/trackers.py:_TensorBoard.__init__": "TensorBoard's own files, by TensorBoard",
    "faces/hub.py:pull": "a model's folder, whole or not at all: tests/faces/test_hub.py",
    "faces/hub.py:_write": "a folder of the system's that is sent and then goes",
    "base/forks.py:_Popen._launch": "what a new process is told, in memory",
    "faces/cli.py:_completion": "the shell's file of completions, by Cyclopts",
    "faces/cli.py:_run": "/dev/null",
    "faces/cli.py:_open_streams": "/dev/null",
    "runs/run.py:_run": "calls Model.save",
    "runs/training.py:_as_first": "calls a training's own save",
    "game/splitting.py:Splitting.split": "calls a training's own save",
    **dict.fromkeys(
        (
            *(
                "faces/page/served.py:zipped",
                "report/pictures.py:_data",
                "report/pictures.py:_drawn",
                "runs/samples.py:png",
            ),
            *("studies/tables/histograms.py:draw", "use/confusion.py:draw", "use/evaluate.py:_arrays"),
        ),
        MEMORY,
    ),
}
WRITE = re.compile(
    r"atomic(_folder)?|write_\w+|append_line|save\w*|new_(file|folder)|touch|copy(file|2|tree)|ParquetWriter|tofile|"
    r"(open_)?memmap|(sym|hard)link\w*|link|mkstemp|NamedTemporaryFile|to_(csv|parquet|pickle)|connect|writestr|"
    r"SummaryWriter|extractall|install_completion|dump"
)
OPENED = re.compile(r"""['"][rbt]*[wax+][rwabxt+]*['"]|O_(WRONLY|RDWR|CREAT)|\bNEW\b""")


def writes(call: ast.Call) -> bool:
    """Whether a call writes a file, or makes one."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return bool(
        WRITE.fullmatch(name) or (name in ("open", "fdopen", "ZipFile", "TarFile") and OPENED.search(ast.unparse(call)))
    )


def found() -> set[str]:
    """The functions of the source that write, as FILE:FUNCTION."""
    names = set()

    def look(node: ast.AST, file: str, inside: tuple[str, ...]) -> None:
        for one in ast.iter_child_nodes(node):
            named = isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if isinstance(one, ast.Call) and writes(one):
                names.add(f"{file}:{'.'.join(inside)}")
            look(one, file, (*inside, one.name) if named else inside)

    for path in PACKAGE.rglob("*.py"):
        look(ast.parse(path.read_text("utf-8")), path.relative_to(PACKAGE).as_posix(), ())
    return names


def test_each_function_that_writes_is_in_the_table():
    """A writer that the tables lack, or that writes no more, is named."""
    there = {name if name.partition(":")[0] not in ELSEWHERE else name.partition(":")[0] for name in found()}
    listed = {name for one in OUTPUTS.values() for name in one.functions}
    assert there - listed - set(ELSEWHERE) == set()
    assert (listed | set(ELSEWHERE)) - there == set()


@pytest.mark.parametrize(
    ("code", "is_one"),
    [
        ("open(p, 'w')", True), ("open(p, mode='r+b')", True), ("open(p)", False), ("open(p, 'rb')", False),
        ("os.open(p, os.O_RDONLY)", False), ("os.open(p, os.O_WRONLY)", True), ("p.write_text('x')", True),
        ("np.savez(p, x=x)", True), ("image.save(p)", True), ("files.atomic(p)", True), ("x.copy()", False),
        ("zipfile.ZipFile(p)", False), ("zipfile.ZipFile(p, 'w')", True), ("files.read_bytes(p)", False),
    ],
)  # fmt: skip
def test_what_counts_as_writing(code, is_one):
    """Files that are opened for writing, and calls that write, in whatever way."""
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and node.lineno == 1)
    assert writes(call) == is_one


# --- a child that writes


def written(output: Output, place: Path, out: Path, variant: int) -> list[object]:
    """The exit code of a writer, and its lines on standard error that are an error."""
    sys.stderr = told = io.StringIO()
    code = output.make(place, out, variant)
    return [code, [line for line in told.getvalue().splitlines() if line.startswith("error: ")]]


TIMES = re.compile(r"[\d.]+ (s|min|h)\b")


def timeless(value):
    """A value of a JSON file without what a clock or a command line says."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "seconds" not in k and k not in ("command", "date")}
    if isinstance(value, list):
        return [timeless(one) for one in value]
    return TIMES.sub("", value) if isinstance(value, str) else value


def content(path: Path) -> str:
    """What a file holds, without what a clock says."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        tensors, facts = checkpoint.read_tensors(path)
        return repr(timeless(facts)) + "".join(f"{name}{one.numpy().tobytes().hex()}" for name, one in tensors.items())
    if path.suffix in (".json", ".jsonl"):
        lines = data.splitlines() if path.suffix == ".jsonl" else [data]
        return repr([timeless(json.loads(line)) for line in lines])
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
        return repr([[cell for name, cell in zip(rows[0], row, strict=True) if name != "seconds"] for row in rows])
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return repr([(one, arrays[one].tobytes()) for one in arrays if "seconds" not in one])
    if path.suffix == ".html":
        assert data.endswith((b"</html>\n", b"</html>"))
        return re.sub(r"[0-9.]+", "0", re.sub("base64,[^\"']*", "", TIMES.sub("", data.decode("utf-8"))))
    return data.hex()


def contents(out: Path) -> dict[str, str]:
    """All files of a folder but locks; none of them is a part."""
    paths = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
    assert not list(out.rglob("*lookalike-part*"))
    return {str(path.relative_to(out)): content(path) for path in paths}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data of two classes, one image of which is damaged, and runs: a detector, a GAN, two of split classes."""
    there, draw = tmp_path_factory.mktemp("place"), np.random.default_rng(0)
    for k, name in enumerate(("a", CLASS)):
        (there / "data" / name).mkdir(parents=True)
        for i in range(14):
            pixels = (draw.integers(0, 120, (8, 8)) + 100 * k).astype(np.uint8)
            Image.fromarray(pixels).save(there / "data" / name / f"{'=-+@'[i % 4]}{i}.png")
    (there / "data" / "a" / "bad0.png").write_bytes(b"")
    data = there / "data"
    split = (*BOTH, "--method", "splitting", "--split-at", 16, "--d-steps", 1, *GAN)
    lines = (
        ("train", data, "--known", "a", "--method", "knn", "--size", "8,8", "--false-alarms", 0.4, *ONE, *SKIP),
        ("train", data, *BOTH, "--method", "cgan", *GAN),
        ("train", data, *split, "--seed", 0),
        ("train", data, *split, "--seed", 1),
    )
    for line, name in zip(lines, ("run", "gan", "split0", "split1"), strict=True):
        assert child(partial(said, *line, "-o", there / name)) == 0
    return there


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """Asks for the folder that holds an output in one of its variants, and how many changes of files it takes."""
    made: dict[tuple[str, int], tuple[Path, int]] = {}

    def ask(name: str, variant: int) -> tuple[Path, int]:
        if (name, variant) not in made:
            out = tmp_path_factory.mktemp("whole")
            ended, number = child(lambda: counted(OUTPUTS[name], place, out, variant))
            assert ended == [0, []], (ended, number)
            made[name, variant] = out, number
        return made[name, variant]

    return ask


def counted(output, place, out, variant, until=None):
    """What a writer ends with, and how many changes of files it made; it is killed before the change `until`."""
    changes = Changes(until, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return [written(output, place, out, variant), changes.number]


EACH = pytest.mark.parametrize("name", OUTPUTS)


@pytest.fixture(autouse=True, scope="module")
def in_one_process():
    """Trials are done in the process that writes, so that a kill meets them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "_spread", in_turn)
        yield


def begun(whole, name, out):
    """A folder with an older output, if one may stay; returns what it holds."""
    if OUTPUTS[name].replaces:
        shutil.copytree(whole(name, 0)[0], out, dirs_exist_ok=True)
    return contents(out)


def unlike(there, wanted):
    """The names of wanted files that are not there, or differ; others may stay of an earlier output."""
    return sorted(name for name in wanted if there.get(name) != wanted[name])


def of_either(there, *wanted):
    """Each file is as in one of the contents: nobody sees a half."""
    for name, text in there.items():
        assert text in [one.get(name) for one in wanted], name


def clean(out, variant, name, place, whole):
    """The same command again ends in what an undisturbed one writes, and leaves no part."""
    if not OUTPUTS[name].replaces and all((out / one).exists() for one in contents(whole(name, variant)[0])):
        return  # it was whole before the kill came
    assert child(lambda: written(OUTPUTS[name], place, out, variant)) == [0, []]
    assert unlike(contents(out), contents(whole(name, variant)[0])) == []


# --- the faults


@EACH
def test_H7_no_cell_is_a_formula(name, whole):
    """Every cell of every CSV file is a number, or begins with nothing that a spreadsheet runs."""
    for path in whole(name, 0)[0].rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert cells and not [one for one in cells if one.startswith(FORMULA) and not is_number(one)]


def is_number(cell):
    """Whether a spreadsheet reads a cell as a number, as 1e-05 too."""
    return bool(NUMBER.fullmatch(cell) or re.fullmatch(r"[+-]?\d+(\.\d+)?e[+-]?\d+", cell))


FREE = re.compile("have [0-9]{9,}")  # bytes, of another disk
SHARES = ("0 %", "50 %")  # of what the output takes


@pytest.mark.parametrize("lack", [*SHARES, "inodes"])
@EACH
def test_F1_F20_a_full_disk_is_one_line_and_leaves_what_was_there(name, lack, place, whole, tmp_path):
    """On a full disk: exit code 5, one line, every file old or new; and with room the same command succeeds."""
    old, new = contents(whole(name, 0)[0]), contents(whole(name, 1)[0])
    whole_size = sum(path.stat().st_size for path in whole(name, 1)[0].rglob("*") if path.is_file())

    def fill(out):
        before = begun(whole, name, out)
        if lack == "inodes":
            for i in range(10**6):
                try:
                    (tmp_path / f"out/.filler{i}").touch()
                except OSError:
                    break
        else:
            disk = os.statvfs(out)
            room = int(lack.split()[0]) * whole_size // 100
            with (out / ".filler").open("wb") as file:
                file.write(bytes(max(0, disk.f_bavail * disk.f_frsize - room)))
        return before

    def on_a_small_disk():
        out = small_disk(tmp_path / "out", "nr_inodes=2000" if lack == "inodes" else "size=64m")
        before = fill(out)
        code, errors = written(OUTPUTS[name], place, out, 1)
        for path in out.glob(".filler*"):
            path.unlink()
        there = contents(out)
        if not OUTPUTS[name].resumes:
            of_either(there, before, new, old)
        again = written(OUTPUTS[name], place, out, 1) if code else [0, []]
        return [code, errors, unlike(contents(out), new), again]

    code, errors, unequal, again = child(on_a_small_disk)
    assert (unequal, again) == ([], [0, []]), (code, errors)
    assert code in (0, 5, OUTPUTS[name].full), errors
    assert not code or (len(errors) == 1 and "no space for" in errors[0] and not FREE.search(errors[0])), errors
    assert code or lack != "0 %"


def small_disk(out, options):
    """A disk of its own in this child, where the system allows that; else a limit on the size of each file."""
    out.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) == 0 and libc.mount(b"none", b"/", None, 0x44000, None) == 0:  # private, below /
        assert libc.mount(b"tmpfs", os.fsencode(out), b"tmpfs", 0, options.encode()) == 0
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
    return out


@EACH
def test_F10_a_link_in_the_place_of_a_file_is_not_written_through(name, place, whole, tmp_path):
    """Each file of an output in turn is a link to a file of the user's, which stays as it is."""
    names = sorted(contents(whole(name, 0)[0]))
    for i, one in enumerate({Path(name).name: name for name in names}.values()):  # one of each name
        out, precious = tmp_path / f"out{i}", tmp_path / f"precious{i}"
        out.mkdir()
        precious.write_bytes(b"mine")
        begun(whole, name, out)
        (out / one).parent.mkdir(parents=True, exist_ok=True)
        (out / one).unlink(missing_ok=True)
        (out / one).symlink_to(precious)
        code, errors = child(partial(written, OUTPUTS[name], place, out, 1))
        assert precious.read_bytes() == b"mine", one
        assert code == 0 or (code in (2, 3, 4, 5) and len(errors) == 1), (one, code, errors)
        assert not list(out.rglob("*lookalike-part*"))


@pytest.mark.parametrize("when", [1, 3, "last"])
@EACH
def test_E2_F13_F18_a_kill_leaves_every_file_old_or_new(name, when, place, whole, tmp_path):
    """Killed before a change of a file: each file is old or new, and the same command succeeds and leaves no part."""
    old = {} if OUTPUTS[name].resumes else begun(whole, name, tmp_path)  # what is done already changes no file
    new, number = whole(name, 1)
    until = number if when == "last" else max(1, number * when // 4)
    ended = child(lambda: counted(OUTPUTS[name], place, tmp_path, 1, until))
    assert ended == -signal.SIGKILL or (
        when == "last" and ended[0] == [0, []]
    )  # with an older output it has less to do
    there = {
        str(path.relative_to(tmp_path)): content(path)
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != ".lock" and "lookalike-part" not in str(path)
    }
    if not OUTPUTS[name].resumes:
        of_either(there, old, contents(new))
    clean(tmp_path, 1, name, place, whole)


@EACH
def test_F11_two_writers_leave_the_whole_output_of_one(name, place, whole, tmp_path):
    """Two that write at once, each in its own way: what stays is that of one of them, and the other is told."""
    begun(whole, name, tmp_path)
    waits = [started(partial(written, OUTPUTS[name], place, tmp_path, v)) for v in (0, 1)]
    codes = [wait() for wait in waits]
    wanted = [contents(whole(name, variant)[0]) for variant in (0, 1)]
    assert [code for code, _ in codes].count(0) >= 1, codes
    assert all(code in (0, 2, 5, 8) and len(errors) == (code != 0) for code, errors in codes), codes
    there = contents(tmp_path)
    assert not OUTPUTS[name].together or any(one.items() <= there.items() for one in wanted), codes
    of_either(there, *wanted)
