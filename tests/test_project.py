"""Promises about the project itself: what is packaged, what the source never does, what the documents say."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import os
import platform
import re
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lookalike.game.gan import GAN
from lookalike.game.nets.mlp import Mlp
from lookalike.game.source import Source
from lookalike.game.train import step
from lookalike.methods import METHODS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lookalike"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
REQUIREMENTS = [
    *PROJECT["project"]["dependencies"],
    *EXTRAS["mnist"],
    *EXTRAS["bench"],
    *EXTRAS["fuzz"],
    *EXTRAS["backbones"],
    *EXTRAS["onnx"],
    *EXTRAS["dicom"],
    *EXTRAS["heic"],
    *EXTRAS["imblearn"],
    *EXTRAS["page"],
    *EXTRAS["tensorboard"],
    *EXTRAS["wandb"],
    *EXTRAS["mlflow"],
    *EXTRAS["trackio"],
    *EXTRAS["hub"],
    *EXTRAS["cluster"],
    *EXTRAS["test"],
]


def name(requirement: str) -> str:
    """'numpy>=2.0' -> 'numpy'."""
    return re.match(r"[\w-]+", requirement)[0]


def load(path: Path) -> ModuleType:
    """Import a file that is not part of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number(version: str) -> tuple[int, ...]:
    """'2.13.0' -> (2, 13, 0)."""
    return tuple(map(int, version.split(".")))


# --- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without network and return its path."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    return next(folder.glob("*.whl"))


def metadata(wheel: Path) -> Message:
    """Return the wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_string(archive.read(name).decode())


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    """Every file of src/lookalike (templates and py.typed too) is in the wheel; tests and benchmarks are not."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {path.relative_to(ROOT / "src").as_posix() for path in files}
    assert "lookalike/py.typed" in packed
    assert any(re.fullmatch(r"lookalike/report/.*\.(html|j2|jinja)", name) for name in packed)


def test_a_users_install_pulls_only_the_runtime_dependencies(wheel: Path) -> None:
    """The unconditional requirements are the ten of the contract; every tool stands behind an extra."""
    required = metadata(wheel).get_all("Requires-Dist")
    plain = {line for line in required if "extra ==" not in line}
    assert plain == set(PROJECT["project"]["dependencies"])
    assert not {name(line) for line in plain} & {name(line) for extra in EXTRAS.values() for line in extra}


def of_a_plain_install() -> dict[str, int]:
    """The bytes of each package that a plain install brings, but for torch and what is compiled at run time."""
    sizes: dict[str, int] = {}
    wanted = [name(line) for line in PROJECT["project"]["dependencies"]]
    while wanted:
        package = canonicalize_name(wanted.pop())
        if package not in sizes:
            found = distribution(package)
            files = [Path(file.locate()) for file in found.files or () if file.suffix != ".pyc"]
            sizes[package] = sum(file.stat().st_size for file in files if file.exists())
            needs = [Requirement(line) for line in found.requires or ()]
            wanted += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return sizes


def test_a_plain_install_keeps_its_budget_of_disk() -> None:
    """All packages of a plain install take 450 MB at most beside torch, as CONTRIBUTING.md promises."""
    sizes = of_a_plain_install()
    assert sizes.pop("torch") > 100e6 and {"scipy", "sympy", "pydantic-core"} <= sizes.keys()
    assert 300e6 < sum(sizes.values()) < 450e6


def test_the_metadata_names_licence_python_and_readme(wheel: Path) -> None:
    """Apache-2.0, Python from 3.11 on, and the README as the description."""
    facts = metadata(wheel)
    assert (facts["License-Expression"], facts["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert facts.get_payload().strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_every_requirement_has_a_floor_and_a_pinned_version() -> None:
    """Runtime and extra requirements say `>=`, and constraints.txt pins each at or above that floor."""
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    for requirement in REQUIREMENTS:
        if not requirement.startswith("lookalike["):
            package, floor = requirement.split(">=")
            assert number(pinned[package]) >= number(floor), package


# --- what the source never does

WRITES = re.compile(r"[wax+]")
MODULES = {"pickle", "joblib", "dill", "shelve", "marshal", "torchvision"}


def violations(code: str, *, writes_files: bool = False) -> list[str]:
    """Name each use of a forbidden function, module or switch in `code`; files.py alone may open a file to write."""
    found = []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                found += [f"import {alias.name}" for alias in names if alias.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                found.append(f"import {module}")
            case ast.ImportFrom(module="torch", names=names) if any(alias.name == "load" for alias in names):
                found.append("torch.load")
            case ast.Attribute(attr="LOAD_TRUNCATED_IMAGES") | ast.Attribute(value=ast.Name(id="torch"), attr="load"):
                found.append(ast.unparse(node))
            case ast.Assign(targets=[ast.Attribute(attr="MAX_IMAGE_PIXELS")], value=ast.Constant(value=None)):
                found.append("MAX_IMAGE_PIXELS = None")
            case ast.keyword(arg="shell" | "allow_pickle" as name, value=ast.Constant(value=True)):
                found.append(f"{name}=True")
            case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
                found.append(f"{name}()")
            case ast.Call(func=ast.Name(id="open") | ast.Attribute(attr="open"), args=args, keywords=keywords):
                modes = [*args[:2], *(keyword.value for keyword in keywords if keyword.arg == "mode")]
                texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
                if not writes_files and any(len(text) <= 3 and WRITES.search(text) for text in texts):
                    found.append("open() to write")
    return found


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path)",
        "from torch import load",
        "import pickle",
        "from joblib import dump",
        "import torchvision.datasets",
        "eval(text)",
        "exec(text)",
        "open(path, 'w')",
        "path.open('ab')",
        "open(path, mode='r+')",
        "run(line, shell=True)",
        "np.load(path, allow_pickle=True)",
        "ImageFile.LOAD_TRUNCATED_IMAGES = True",
        "Image.MAX_IMAGE_PIXELS = None",
    ],
)
def test_the_gate_sees_each_forbidden_use(code: str) -> None:
    """One line that does what the source must not do is one violation."""
    assert len(violations(code)) == 1


@pytest.mark.parametrize("code", ["net.eval()", "open(path)", "open(path, 'rb')", "np.load(path, allow_pickle=False)"])
def test_the_gate_lets_harmless_code_pass(code: str) -> None:
    """A network in evaluation mode and a file opened to read are no violations."""
    assert violations(code) == []


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_source_never_runs_data_nor_writes_outside_files(path: Path) -> None:
    """No pickle, eval, shell, lifted image limit, torchvision, or file opened to write outside files.py."""
    assert violations(path.read_text(encoding="utf-8"), writes_files=path == SOURCE / "base" / "files.py") == []


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module opens with what it is, and is not called utils."""
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "the first line says what the module is"
    assert path.stem not in {"utils", "helpers", "misc", "common"}


@pytest.mark.parametrize("module", ["faces.cli", "runs.settings", "base.errors", "base.files", "data"])
def test_the_light_modules_do_not_import_torch(module: str) -> None:
    """Importing what `--help` and `check` need leaves torch unloaded."""
    code = f"import sys, lookalike.{module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False"]


def test_help_does_not_import_torch() -> None:
    """`lookalike --help` names the commands, ends with code 0 and never loads torch, nor Ray."""
    code = "import sys; from lookalike.faces.cli import entry; sys.argv = ['lookalike', '--help']; entry()"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"lookalike.faces.cli", "cyclopts"} <= imported
    assert not {"torch", "ray"} & imported
    assert all(name in done.stdout for name in ("check", "train", "score", "evaluate", "report", "methods", "demo"))


# --- the commands of the workshop


def test_make_alone_lists_every_target() -> None:
    """`make` prints one line for each phony target, so that no target is unknown to who reads it."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    done = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=10)
    assert re.findall(r"^  make (\w+) +\S", done.stdout, re.MULTILINE) == phony
    assert {"demo", "test", "lint"} <= set(phony)


def test_ci_runs_style_and_tests_in_a_strict_shell() -> None:
    """.ci/run may be executed, is sound bash, stops at errors and calls the documented commands."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=10)
    text = script.read_text(encoding="utf-8")
    assert [line in text.splitlines() for line in ("set -euo pipefail", "make lint || lint=$?", "make test")] == [
        True
    ] * 3


# --- what the documents say


def test_every_ignored_lint_rule_has_its_reason() -> None:
    """Each entry of ruff's ignore lists stands on its own line with a comment of at least three words."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("[tool.ruff.lint]") :]
    reasons = dict(re.findall(r'^    "([A-Z]+\d*)",? *# (.+)$', block, re.MULTILINE))
    lint = PROJECT["tool"]["ruff"]["lint"]
    ignored = [*lint["ignore"], *(rule for rules in lint["per-file-ignores"].values() for rule in rules)]
    assert set(reasons) == set(ignored)
    assert len(re.findall(r'^    "[A-Z]+\d*",? *#', block, re.MULTILINE)) == len(ignored)
    assert [rule for rule, reason in reasons.items() if len(reason.split()) < 3] == []


def test_every_ignored_warning_has_its_reason() -> None:
    """Warnings are errors; each exception in pytest's list ends with a comment."""
    first, *exceptions = PROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]
    assert first == "error"
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert sum(bool(re.match(r"""    ["']ignore:.*["'], # \w""", line)) for line in lines) == len(exceptions)


def test_every_dependency_has_its_reason_in_contributing() -> None:
    """CONTRIBUTING.md's tables give one row, with a reason, to each requirement of the package and its extras."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^\| `([\w-]+)` +\| (\S.*) \|$", text, re.MULTILINE))
    assert list(reasons) == [name(line) for line in REQUIREMENTS if not line.startswith("lookalike[")]
    assert all(len(reason.split()) >= 3 for reason in reasons.values())


def test_the_recipe_for_a_paper_in_one_file_trains(tmp_path: Path) -> None:
    """The example of CONTRIBUTING.md is a module as it stands: its stream mirrors, and its method takes a step."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (tmp_path / "mirrorgan.py").write_text(
        textwrap.dedent(re.search(r"( +)```python\n(.*?)\n\1```", text, re.DOTALL)[2])
    )
    recipe = load(tmp_path / "mirrorgan.py")
    images = torch.arange(48, dtype=torch.uint8).reshape(4, 1, 3, 4)
    source = Source(images, torch.zeros(4, dtype=torch.int64), None, seed=0)
    gan = GAN(recipe.mirrorgan.but(net=Mlp(width=8, layers=1)), (1, 3, 4))
    drawn = recipe.Mirrored().draw(gan, source, 4)
    assert drawn.x.sort(dim=0).values.equal(images.flip(-1).float() / 127.5 - 1)
    assert all(map(math.isfinite, step(gan, source, 0, 4).values()))


def test_the_methods_table_of_the_readme_equals_methods() -> None:
    """The first table under README.md's heading "Methods" has one row for each entry of METHODS, in order."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Methods\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([\w-]+)`", section, re.MULTILINE) == list(METHODS)


def test_the_changelog_and_the_citation_name_the_version() -> None:
    """CHANGELOG.md has a section for, and CITATION.cff states, the version of pyproject.toml."""
    version = PROJECT["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def repository_files() -> list[Path]:
    """Return every file of the repository; environments, caches and run folders are not part of it."""
    skipped = re.compile(r"(^|/)(\.(?!ci/)[^/]*|__pycache__)/|^(build|dist|runs)/")
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped.search(f"{path.relative_to(ROOT)}")]


def test_no_file_names_a_path_of_this_machine_or_a_package_index() -> None:
    """No file holds the path of this checkout, a path below this user's home, or the address of a package index."""
    local = "|".join(re.escape(str(path)) for path in (ROOT, Path.home() / "x"))[:-1]
    gate = re.compile(rf"{local}|https?://\S+/(simple|whl)\b".encode())
    assert gate.search(f"see {ROOT}/README.md".encode())
    assert [path for path in repository_files() if gate.search(path.read_bytes())] == []


# --- benchmarks


def test_a_benchmark_saves_its_figures_with_the_machines_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The saved file holds name, command, figures and facts, and neither the host's nor the user's name."""
    machine = load(ROOT / "benchmarks" / "machine.py")
    monkeypatch.setattr(machine, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["/somewhere/step.py", "--steps", "5"])
    saved = json.loads(machine.save("step", {"ratio": 1.02}).read_text())
    assert saved["results"] == {"ratio": 1.02}
    assert (saved["name"], saved["command"]) == ("step", "python benchmarks/step.py --steps 5")
    assert saved["machine"] == machine.facts()
    assert {"cpu", "cores", "threads", "platform", "python", "versions", "date"} == saved["machine"].keys()
    assert platform.node() not in json.dumps(saved)
