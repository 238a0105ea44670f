"""The documents: the site is built without a warning, every link leads somewhere, and what code blocks say is so."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import lookalike
from lookalike.faces.cli import app
from lookalike.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN_ELSEWHERE = {"README.md", "CONTRIBUTING.md", "backbones.md"}  # test_readme, test_project, features/test_export
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


class Links(HTMLParser):
    """The addresses that an HTML page leads to, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.to.append(value)
            if name == "id" and value:
                self.anchors.add(value)


def links(page: Path) -> Links:
    """The links of a page."""
    found = Links()
    found.feed(page.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` does, where each warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-c", "docs/site", ".", str(out)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_every_link_of_the_site_leads_somewhere(site):
    """Each address within the site is a file that is there, with the anchor; none asks another host while it loads."""
    pages = {path: links(path) for path in site.rglob("*.html")}
    missing = []
    for page, found in pages.items():
        for address in found.to:
            if re.match(r"(https?|mailto|data):", address):
                continue
            place, anchor = urldefrag(address)
            target = (page.parent / unquote(place.partition("?")[0])).resolve() if place else page
            if not target.exists() or (anchor and target in pages and unquote(anchor) not in pages[target].anchors):
                missing.append((page.relative_to(site).as_posix(), address))
    assert missing == []
    assert len(pages) > 20 and sum(len(found.to) for found in pages.values()) > 1000


def test_the_site_asks_no_other_host(site):
    """Styles, scripts and pictures of every page come from the site itself."""
    loaded = re.compile(r"<(?:script|img|iframe)[^>]* src=\"https?:|<link[^>]* rel=\"stylesheet\"[^>]* href=\"https?:")
    assert [page.name for page in site.rglob("*.html") if loaded.search(page.read_text(encoding="utf-8"))] == []


def test_the_reference_has_every_public_name(site):
    """Each name of the package's map stands in the reference, with the first sentence of its docstring."""
    text = (site / "docs/site/reference.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="lookalike\.(\w+)"', text))
    assert shown == set(lookalike.__all__) - {"METHODS"}


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, text) of every code block in a language."""
    found = [(page.name, match) for page in PAGES for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    return [(name, match[3]) for name, match in found if match[2] == language]


def commands() -> list[tuple[str, str]]:
    """(page, line) of every command of ours in the code blocks, without the words beside it."""
    joined = [(page, re.sub(r" *\\\n *", " ", text)) for page, text in blocks("")]
    lines = [(page, re.split(r" {2,}(?![-\\])| +#", line.strip().removeprefix("$ "))[0]) for page, text in joined
             for line in text.splitlines()]  # fmt: skip
    return [(page, line) for page, line in lines if line.startswith("lookalike ")]


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_of_the_documents_is_one(page, line):
    """The command has these flags, and takes these values; nothing runs."""
    app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)


def parts() -> dict[str, object]:
    """Every class and function of `game` and `methods` by its name, and every method by that of its variable."""
    names: dict[str, object] = {}
    for room in ("game", "methods"):
        package = importlib.import_module(f"lookalike.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"lookalike.{room}."):
            names |= vars(importlib.import_module(module.name))
    return names | {name.replace("-", "_"): method for name, method in METHODS.items()}


def excerpts() -> list[tuple[str, str, ast.Call]]:
    """(page, method, call) of every method that a page of a paper shows in code; `...` stands for what is left out."""
    shown = [
        (page, node)
        for page, text in blocks("python")
        if page not in RUN_ELSEWHERE
        for node in ast.parse(text.replace(", ...)", ")")).body
    ]
    assert all(isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) for _, node in shown)
    return [(page, node.targets[0].id, node.value) for page, node in shown]


@pytest.mark.parametrize(
    ("page", "name", "call"), excerpts(), ids=lambda value: value if isinstance(value, str) else "code"
)
def test_the_code_of_a_paper_is_the_method(page, name, call):
    """Each value that the page's excerpt gives an axis is the value that the method has."""
    method, names = METHODS[name.replace("_", "-")], parts()
    given = {word.arg: eval(compile(ast.Expression(word.value), page, "eval"), names) for word in call.keywords}
    assert given and all(getattr(method, axis) == value for axis, value in given.items())


def test_every_python_block_is_checked():
    """A Python block is an excerpt of methods, or is run by a test of its own."""
    checked = {page for page, _, _ in excerpts()}
    assert {page for page, _ in blocks("python")} == RUN_ELSEWHERE | checked
