"""The command line: help, JSON, configuration files, refusals, streams, and what is imported (rows G1 to G14)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from clean_failure import assert_clean_failure, tree
from tiny import call, settings, train

import lookalike
from lookalike.base import files
from lookalike.detect.baselines import BASELINES, CLASSIFIERS
from lookalike.faces import cli
from lookalike.faces.commands import detect as commands
from lookalike.methods import METHODS
from lookalike.methods.papers import BIBTEX


def run_python(code, **options):
    """A fresh Python that runs `code`."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)


# --- help and lists


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_has_help(name, capsys):
    """--help names the command, its sentence and its settings on standard output."""
    code, said, err = call(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert f"lookalike {name}" in said
    assert cli.COMMANDS[name].split(" ")[0] in said
    assert " ".join(cli.MORE.get(name, "").split()[:9]) in " ".join(said.split())
    assert ("--false-alarms" in said) == (name == "train")
    assert ("--json" in said) == (name not in ("bench", "page"))  # commands, and a page


@pytest.mark.parametrize("name", cli.BENCHES)
def test_each_benchmark_has_help(name, capsys):
    """--help of a command below bench names it, its sentence and its settings."""
    code, said, err = call(capsys, "bench", name, "--help")
    assert (code, err) == (0, "")
    assert f"lookalike bench {name}" in said and "--json" in said and "--methods" in said
    assert cli.BENCHES[name].split("?")[0] in said


@pytest.mark.parametrize("name", ["train", "evaluate", "table", "bench detect"])
def test_help_shows_a_default_only_where_something_is_chosen(name, capsys):
    """Numbers and words are shown as a default; an empty list, None and a switch that is off are not."""
    said = call(capsys, *name.split(), "--help")[1]
    assert "()]" not in said
    assert "STR..." in said and "default: False" not in said and "default: None" not in said
    if name == "train":
        assert (
            "[default: 0]" in said
            and "[default: auto]" in said
            and "[default: 0.05]" in said
            and "[default: yes]" in said
        )


def test_help_lists_all_commands(capsys):
    """The first page has each command with its sentence, and --config."""
    code, said, err = call(capsys, "--help")
    assert (code, err) == (0, "")
    words = " ".join(said.split())
    for name, sentence in cli.COMMANDS.items():
        assert name in words and sentence.split(",")[0][:40] in words


def test_completion_is_installed_for_a_shell(tmp_path, monkeypatch, capsys):
    """`--install-completion` writes a script that names the commands, has the shell load it, and says where it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / ".local/share/bash-completion/completions/lookalike"
    code, said, err = call(capsys, "--install-completion", "--shell", "bash")
    assert (code, err) == (0, "")
    assert said == f"written: {script}; open a new terminal to use it\n"
    assert {"train", "evaluate", "--false-alarms"} <= set(re.findall(r"[\w-]+", script.read_text()))
    assert str(script) in (tmp_path / ".bashrc").read_text()


def test_completion_of_an_unknown_shell_is_refused(tmp_path, monkeypatch, capsys):
    """Where the shell cannot be told, one line says how to name it, and nothing is written."""

    def unknown():
        raise cli.ShellDetectionError

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(cli, "detect_shell", unknown)
    assert call(capsys, "--install-completion") == (
        2,
        "",
        "error: this shell is not known; name it with --shell bash, zsh, fish or powershell\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_package_runs_as_a_module(capsys):
    """`python -m lookalike` prints what the command prints."""
    command = [sys.executable, "-m", "lookalike", "cite", "pca"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == call(capsys, "cite", "pca")


def test_version(capsys):
    """--version prints the installed version."""
    from importlib.metadata import version

    assert call(capsys, "--version") == (0, f"{version('lookalike')}\n", "")


def test_G14_help_imports_neither_torch_nor_numpy_nor_pydantic(tmp_path):
    """--help and --version load none of the heavy packages, and need neither a home folder nor a network."""
    code = (
        "import sys\nfrom lookalike.faces.cli import main\n"
        "assert main(['--help']) == 0 and main(['--version']) == 0\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'sklearn', 'PIL'} & set(sys.modules)), file=sys.stderr)"
    )
    home = {"HOME": str(tmp_path / "none"), "PATH": os.environ["PATH"]}
    paths = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    done = run_python(code, env={**home, **paths})
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_importing_the_package_loads_nothing_heavy():
    """`import lookalike` and dir() are quick; a wrong name is an AttributeError."""
    code = "import sys, lookalike; dir(lookalike); print({'torch', 'numpy'} & set(sys.modules))"
    assert run_python(code).stdout == "set()\n"
    assert dir(lookalike) == sorted(lookalike.__all__)
    assert all(getattr(lookalike, name) is not None for name in lookalike.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        lookalike.nonsense  # noqa: B018


def test_methods_are_listed_with_their_papers(capsys):
    """Text and JSON name the six methods; JSON holds each one's axes."""
    code, said, err = call(capsys, "methods")
    assert (code, err) == (0, "")
    rows = json.loads(call(capsys, "methods", "--json")[1])
    names = [*METHODS, *BASELINES, *CLASSIFIERS]
    assert [row["name"] for row in rows] == names and all(name in said for name in names)
    assert {row["name"]: row["paper"] for row in rows if row["axes"]} == {m.name: m.paper for m in METHODS.values()}


@pytest.mark.parametrize("name", [*METHODS, *BASELINES, *CLASSIFIERS])
def test_describe_and_cite(name, capsys):
    """A method in sentences on one screen, and its paper's BibTeX; JSON is the row of `methods`."""
    (row,) = [row for row in json.loads(call(capsys, "methods", "--json")[1]) if row["name"] == name]
    code, said, err = call(capsys, "describe", name)
    assert (code, err) == (0, "")
    assert said.startswith(f"{name}  ({row['paper']})") and row["summary"] in said and len(said.splitlines()) <= 26
    assert "=" not in said.split("\n\n")[-1]  # no Python values
    assert json.loads(call(capsys, "describe", name, "--json")[1]) == row
    assert call(capsys, "cite", name) == (0, BIBTEX[row["paper"]] + "\n", "")


def test_describe_shows_the_values_that_train_takes(capsys):
    """Step sizes, G's class weight and points of splits are those of the preset: train's own, or the published ones."""
    said = " ".join(call(capsys, "describe", "splitting")[1].split())
    assert "preset small, two classes of 32 x 32 images, 12,000 shown to each GAN" in said
    assert "step size 0.001, beta_1 0, beta_2 0.9 step sizes fall" in said and "split after 1,874 shown" in said
    assert "G's of weight" not in said
    said = call(capsys, "describe", "splitting", "--preset", "paper")[1]
    assert "G's of weight 0.1" in said and "step size 0.0002" in said and "split after 46,860 shown" in said


# --- results go to standard output, all else to standard error


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of anogan."""
    out = tmp_path_factory.mktemp("run") / "run"
    assert cli.main(train(out)) == 0
    return out


def test_train_json_equals_the_files(run, capsys):
    """`train --json` prints one object whose values are those of model.json and the metrics; nothing else."""
    code, said, err = call(capsys, *train(run, "--json"))
    card = files.read_json(run / "model.json")
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert (code, err) == (0, "")
    assert json.loads(said) == {
        "run": str(run),
        "method": "anogan",
        "known": card["classes"]["known"],
        "threshold": card["threshold"],
        "false_alarms": card["training"]["false_alarms"],
        "seconds": last["seconds"],
        "counts": card["training"]["counts"],
    }


def test_check_report_and_score_json(run, tmp_path, capsys):
    """JSON of `check` counts the classes, of `report` names the page, of `score` counts the lines of the file."""
    counts = json.loads(call(capsys, "check", "digits", "--json")[1])
    assert sum(counts["classes"].values()) == 1797 and counts["classes"]["3"] == 183
    page = json.loads(call(capsys, "report", run, "-o", tmp_path / "r.html", "--json")[1])
    assert page == {"report": str(tmp_path / "r.html")} and (tmp_path / "r.html").stat().st_size > 10_000
    scored = json.loads(call(capsys, "score", run, "digits", "-o", tmp_path / "s.jsonl", "--json")[1])
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert scored == {
        "out": str(tmp_path / "s.jsonl"), "images": 1797, "flagged": sum(row["flagged"] for row in rows), "skipped": 0,
        "odd": {},
    }  # fmt: skip


def test_progress_never_reaches_standard_output(run, tmp_path, monkeypatch, capsys):
    """On a terminal the bar goes to standard error; --json on standard output is nothing but JSON."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    code, said, err = call(capsys, *train(tmp_path / "run", "--json"))
    assert code == 0
    assert json.loads(said)["run"] == str(tmp_path / "run")
    assert "calibrating" in err or "training" in err


def test_text_for_people(run, capsys):
    """`train` prints the run, the threshold with what it promises, and the next command."""
    card = files.read_json(run / "model.json")
    first, second, third = call(capsys, *train(run))[1].splitlines()
    assert re.fullmatch(rf"{re.escape(str(run))}: anogan has learnt 3 from 117 images in \d+ s", first)
    assert second == (
        f"threshold {card['threshold']:.6g}, set by 29 calibration images: at most 5 % false alarms are expected"
    )
    assert third == f"next: lookalike score {run} IMAGES -o scores.csv"


@pytest.mark.parametrize("argv", [["--version"], ["cite", "pca"]], ids=["by Rich", "by print"])
def test_E26_a_closed_standard_output_is_no_error(argv):
    """`lookalike --version | true` ends with 0 and says nothing on standard error."""
    code = f"import sys; from lookalike.faces.cli import main; sys.exit(main({argv}))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


# --- configuration files


CONFIG = (
    'known = ["3"]\nmethod = "anogan"\nsize = [8, 8]\nwidth = 4\nz = 8\nimages = 128\nsearch_steps = 5\nthreads = 1\n'
)


def configured(tmp_path, text, *more, name="run.toml"):
    """The command that trains by a TOML file with this text."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ["train", "digits", "-o", str(tmp_path / "run"), "--config", str(path), *more]


def recorded(tmp_path):
    """The settings that the run recorded."""
    return files.read_json(tmp_path / "run" / "config.json")["settings"]


@pytest.mark.parametrize("spelling", [("search_steps", "z"), ("search-steps", "z")])
def test_a_configuration_file_is_used(spelling, tmp_path, capsys):
    """Its values are the run's, spelt with underscores or dashes; a pair of numbers is a size."""
    code, _, err = call(capsys, *configured(tmp_path, CONFIG.replace("search_steps", spelling[0])))
    assert (code, err) == (0, "")
    expected = {"known": ["3"], "method": "anogan", "size": "8,8", "width": 4, "z": 8, "images": 128, "search_steps": 5}
    assert {name: recorded(tmp_path)[name] for name in expected} == expected


def test_flags_win_over_the_file(tmp_path, capsys):
    """A flag replaces the file's value, also a list; --config may come first."""
    argv = configured(tmp_path, CONFIG, "--width", "3", "--known", "5", "--size", "8,12")
    argv = [*argv[4:6], *argv[:4], *argv[6:]]
    assert argv[0] == "--config"
    assert call(capsys, *argv)[0] == 0
    assert {name: recorded(tmp_path)[name] for name in ("width", "known", "size", "z")} == {
        "width": 3, "known": ["5"], "size": "8,12", "z": 8,
    }  # fmt: skip


def test_a_file_is_forgotten_after_its_command(tmp_path, capsys):
    """A later command in the same process does not read it."""
    assert call(capsys, *configured(tmp_path, CONFIG))[0] == 0
    (tmp_path / "run.toml").unlink()
    assert call(capsys, "methods")[0] == 0


BAD_FILES = {
    "G1 unknown key": ("knwon = ['3']\n", ["knwon", "did you mean known?"]),
    "G1 another": ("known = ['3']\nlearning_rate = 0.1\n", ["learning_rate", "no setting is called"]),
    "G2 wrong type": ("known = ['3']\nwidth = 'four'\n", ["--width", "four", "integer"]),
    "G2 not a number": ("known = ['3']\nlr = nan\n", ["--lr", "nan"]),
    "G2 infinite": ("known = ['3']\nlr = inf\n", ["--lr", "inf"]),
    "G2 out of range": ("known = ['3']\nbatch = 1\n", ["--batch", "1"]),
    "G2 three sides": ("known = ['3']\nsize = [8, 8, 8]\n", ["size"]),
    "G2 no known class": ("width = 4\n", ["known"]),
    "G3 a key twice": ("width = 4\nwidth = 5\n", ["run.toml", "TOML"]),
    "G4 deep nesting": ("known = " + "[" * 5000, ["run.toml", "TOML"]),
    "G8 10 MB": ("# " + "x" * 10_000_000, ["run.toml", "larger than 1048576 bytes"]),
    "a table": ("known = ['3']\n[train]\nwidth = 4\n", ["run.toml", "[train]", "without tables"]),
    "no TOML": ("known: [3]\n", ["run.toml", "TOML"]),
    "no UTF-8": (b"known = '\xff'\n", ["run.toml", "TOML"]),
    "G12 contradiction": ("known = ['3']\nmethod = 'mcgan'\n", ["mcgan", "--extra-fakes"]),
    "G9 a class to load": ("known = ['3']\nmethod = 'os.system'\n", ["--method", "os.system"]),
}


@pytest.mark.parametrize(("text", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_configuration_file_is_refused(text, words, tmp_path, capsys):
    """Exit 2, one line that names the key or the file; no run folder."""
    argv = configured(tmp_path, text)
    assert_clean_failure(capsys, argv, 2, *words, kept=tmp_path)
    assert set(tree(tmp_path)) == {"run.toml"}


def test_a_missing_configuration_file_is_named(tmp_path, capsys):
    """Exit 2 for a file that is not there, or is a folder; its name is escaped."""
    for name in ("no\n.toml", "."):
        argv = ["train", "digits", "-o", str(tmp_path / "run"), "--config", str(tmp_path / name)]
        assert_clean_failure(capsys, argv, 2, str(tmp_path), "TOML", kept=tmp_path)


# --- refusals


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["trian", "digits"], ["trian", "train"]),
        (["train", "digits", "-o", "RUN", "--knwon", "3"], ["--knwon", "--known"]),
        (["train", "digits", "--known", "3"], ["--out"]),
        (["train", "-o", "RUN", "--known", "3"], ["DATA"]),
        (["train", "digits", "-o", "RUN"], ["--known"]),
        (
            ["train", "digits", "-o", "RUN", "--known", "3", "--known", "8", "--extra-fakes", "8", "--method", "mcgan"],
            ["8"],
        ),
        (["train", "digits", "-o", "RUN", "--known", "3", "--extra-fakes", "8"], ["--extra-fakes", "auto"]),
        (["train", "digits", "-o", "RUN", "--known", "3", "--grey=maybe"], ["--grey"]),
        (["train", "digits", "extra", "-o", "RUN", "--known", "3"], ["extra"]),
        (["describe", "vtgam"], ["vtgam", "vtgan"]),
        (["check", "digits", "--size", "banana"], ["banana", "H,W"]),
        (["check", "digits", "--value-range", "2,1"], ["2,1", "LOW,HIGH"]),
        (["check", "digits", "--on-bad", "ignore"], ["ignore", "skip"]),
        (["score", "RUN", "digits", "-o", "s.csv", "--on-bad", "ignore"], ["ignore", "skip"]),
        (["report"], ["run folder"]),
        (["report", "nowhere"], ["nowhere", "not a run folder"]),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_G1_G12_what_cannot_be_meant_is_refused(argv, words, tmp_path, capsys, monkeypatch):
    """Unknown commands, flags and values exit with 2 and one line that names them, often with the likely meaning."""
    monkeypatch.chdir(tmp_path)
    assert_clean_failure(capsys, argv, 2, *words, kept=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["train", "nowhere", "-o", "RUN", "--known", "3"], 3, ["nowhere", "digits, mnist-5k, fashion-mnist"]),
        (["train", "digits", "-o", "RUN", "--known", "three"], 3, ["no class 'three'", "'0', '1'"]),
        (["check", "nowhere\x1b[31m"], 3, ["nowhere\\x1b[31m"]),
        (["score", "RUN", "digits", "-o", "s.csv"], 4, ["RUN", "model"]),
        (["evaluate", "RUN", "digits"], 4, ["RUN", "model"]),
    ],
)
def test_data_and_models_that_are_not_there(argv, code, words, tmp_path, capsys, monkeypatch):
    """Exit 3 for data, 4 for a model; the name is escaped, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert_clean_failure(capsys, argv, code, *words, kept=tmp_path)
    assert not list(tmp_path.iterdir())


def test_F3_an_output_that_is_a_file(tmp_path, capsys):
    """-o naming a file exits with 5 before the first step, and the file stays."""
    (tmp_path / "run").write_text("mine")
    assert_clean_failure(capsys, train(tmp_path / "run"), 5, tmp_path / "run", "a file is in the way", kept=tmp_path)


def test_E22_running_out_of_memory_says_what_to_make_smaller(tmp_path, capsys, monkeypatch):
    """A refused allocation exits with 7 and names the settings to lower."""
    from lookalike.runs import plan

    def refused(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory")

    for raised in (refused, lambda *_: (_ for _ in ()).throw(MemoryError)):
        monkeypatch.setattr(plan, "make", raised)
        assert_clean_failure(capsys, train(tmp_path / "run"), 7, "--batch", kept=tmp_path)


def test_a_bug_of_ours_says_so_and_debug_shows_where(capsys, monkeypatch):
    """An unforeseen error exits with 1 in one line; with --debug its traceback comes first."""

    def broken():
        raise ZeroDivisionError("1 / 0")

    monkeypatch.setattr(commands, "_methods", broken)
    code, said, err = call(capsys, "methods")
    assert (code, said) == (1, "")
    assert err == (
        "error: ZeroDivisionError('1 / 0'): this is a bug in lookalike; please report it with the output of --debug\n"
    )
    code, _, err = call(capsys, "--debug", "methods")
    assert code == 1 and err.startswith("Traceback") and err.splitlines()[-1].startswith("error: ZeroDivisionError")


def test_known_takes_commas_repetition_and_a_name_with_a_comma(tmp_path, capsys):
    """--known 3,5 and --known 3 --known 5 give the same model of two classes; a class "a,b" can be named."""
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (240, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.repeat(["a,b", "c"], 120))
    keys = []
    for name, flags in {"one": ["--known", "a,b"], "two": ["--known", "a,b", "--known", "c"]}.items():
        argv = [*train(tmp_path / name, method="pca", data=tmp_path / "x.npz")]
        place = argv.index("--known")
        argv[place : place + 2] = flags
        assert call(capsys, *argv)[0] == 0
        keys.append(files.read_json(tmp_path / name / "model.json")["classes"]["known"])
    assert keys == [["a,b"], ["a,b", "c"]]
    for name, flags in {"commas": ["--known", "3,5"], "twice": ["--known", "3", "--known", "5"]}.items():
        argv = train(tmp_path / name, method="pca")
        place = argv.index("--known")
        argv[place : place + 2] = flags
        assert call(capsys, *argv)[0] == 0
    assert (tmp_path / "commas" / "model.safetensors").read_bytes() == (
        tmp_path / "twice" / "model.safetensors"
    ).read_bytes()
    assert sorted(path.name for path in (tmp_path / "twice" / "classes").iterdir()) == ["3", "5"]


def test_the_tiny_settings_are_what_the_tests_say():
    """The command line of the tests gives the settings of the tests."""
    assert train("X")[:5] == ["train", "digits", "-o", "X", "--known"]
    assert settings()["images"] == 256 and settings()["threads"] == 1
