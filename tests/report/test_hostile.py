"""Names that try to become code, opened in a real browser: they stay text, and nothing is fetched or run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.base.errors import show
from lookalike.report import write

MakeRun = Callable[..., Path]
Read = Callable[[str], Any]

HOSTILE = {
    "H1-script": "<script>document.title='owned';alert(1)</script>",
    "H2-img": "<img src=x onerror=\"document.title='owned';alert(1)\">",
    "H2-svg": '"><svg onload="document.title=\'owned\'">',
    "H3-javascript": "javascript:alert(1)",
    "H4-template": "{{7*7}}{% raise %}${7*7}",
    "H5-separators": "a\u2028b\u2029c\x1b[31m\x00\n\u202e\udcff",
    "H5-comment": "--></style></title></textarea><b>bold",
    "H5-entity": "&lt;b&gt; &amp;amp; https://example.org/x",
    "H5-long": "<i>" + "x" * 4096,
}
TAGS = {
    *("a", "abbr", "b", "body", "br", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure"),
    *("h1", "h2", "h3", "h4", "head", "html", "img", "main", "meta", "p", "path", "pre", "section", "style", "summary"),
    *("svg", "table", "tbody", "td", "th", "title", "tr"),
}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)


def chromium() -> str:
    """The browser; a machine without it skips, but continuous integration must have it."""
    program = shutil.which("chromium")
    if program is None and not os.environ.get("CI"):
        pytest.skip("the report is opened in a browser: install Debian's package `chromium`")
    assert program, "continuous integration installs Debian's package `chromium`"
    return program


@pytest.fixture(scope="module")
def runs(make_run: MakeRun) -> list[Path]:
    """Two runs in which every text that a user or a file can name is hostile."""
    names = list(HOSTILE.values())
    made = [make_run(folder, known=names[1], unknown=names[2]) for folder in ("<b>run", "{{7*7}}")]
    for run in made:
        config = json.loads((run / "config.json").read_text())
        rows = {name: name for name in names}
        for part in ("settings", "method", "open_choices", "versions", "machine"):
            config[part] |= rows
        config["method"]["name"] = names[0]
        config["classes"] = {"known": names, "extra_fakes": names}
        config["command"] += " ".join(names)
        config["data"]["source"] = f"/data/{names[6].replace('/', '')}"
        (run / "config.json").write_text(json.dumps(config))
        figures = json.loads((run / "evaluations/8.json").read_text())
        figures |= {"known": names[:3], "unknown": names, "method": names[0], "parts_auc": dict.fromkeys(names, 0.5)}
        figures["auc"] |= {"value": None, "reason": names[0]}
        (run / "evaluations/8.json").write_text(json.dumps(figures))
        with np.load(run / "evaluations/8.npz") as old:
            arrays = dict(old)
        arrays["misses_name"], arrays["alarms_name"] = np.array(names[:6]), np.array(names[3:])
        np.savez(run / "evaluations/8.npz", **arrays)
        line = json.dumps({"step": 1, "images": 64} | {f"D.{name}": 1.0 for name in names})
        (run / "metrics.jsonl").write_text(f"{line}\n")
        twin = names[1].replace("/", "")
        (run / "samples/weak-000000320.png").rename(run / f"samples/{twin}-000000320.png")
    return made


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of both runs."""
    return write(runs, tmp_path_factory.mktemp("hostile") / "report.html")


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The page's DOM after headless Chromium has opened it, and what the browser logged."""
    program = chromium()
    profile = tmp_path_factory.mktemp("profile")
    command = [program, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=90, check=True)
    return done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_text_in_the_dom(name: str, browser: tuple[str, str], seen: Read) -> None:
    """The browser shows the name as text, control characters as escapes, wherever it stands."""
    shown = " ".join(show(name, 8192).split())
    assert seen(browser[0]).text.count(shown) >= 10


def test_H1_nothing_ran_in_the_browser(browser: tuple[str, str], seen: Read) -> None:
    """No script ran, no dialog opened, and the console stayed empty: not even the policy had to refuse anything."""
    dom, log = browser
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None
    assert title[1] == "&lt;b&gt;run, {{7*7}} – lookalike report"
    assert "CONSOLE" not in log
    assert "dialog" not in log.lower()
    assert {tag for tag, _ in seen(dom).tags} <= TAGS


def test_console_is_seen_by_this_test(tmp_path: Path) -> None:
    """A page with a refused script does log a CONSOLE line, so that its absence above means something."""
    program = chromium()
    page = tmp_path / "page.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\"><script>alert(1)</script>"
    )
    command = [program, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=90, check=True)
    assert b"CONSOLE" in done.stderr


def test_H6_no_request_is_possible(browser: tuple[str, str], seen: Read) -> None:
    """The policy forbids all but embedded pictures, and no attribute names anything outside the page."""
    tags = seen(browser[0]).tags
    policies = [values["content"] for tag, values in tags if values.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]
    for tag, values in tags:
        assert not [name for name in values if name.startswith("on")]
        assert values.get("src", "data:image/webp;base64,").startswith("data:image/webp;base64,")
        assert values.get("href", "#").startswith("#")
        assert not any("http://" in value or "https://" in value for value in values.values())
        assert "style" not in values, tag


def test_H6_page_holds_no_reference_to_the_outside(page: Path) -> None:
    """The style sheet imports nothing and the page has no script, frame, form or link element."""
    html = page.read_text("utf-8")
    assert not re.search(r"@import|url\(|<(script|iframe|object|embed|form|link|base)\b", html)
