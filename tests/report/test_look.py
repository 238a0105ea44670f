"""The report in a browser: on a phone, in dark mode, on paper, and its words by hover."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accessible import faults
from playwright.sync_api import Browser, Page, sync_playwright

from lookalike.detect.auc import rate
from lookalike.report import GLOSSARY, write

KNOWN = ("three", "a-name-of-parts", "x" * 90)
CONFUSION = [[1031, 2, 3, 0], [1, 2008, 4, 4], [12, 19, 1, 3], [10, 16, 8, 1238]]
BEYOND = """() => [...document.querySelectorAll("main *")].filter(
  (one) => !one.closest(".wide") && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.tagName)"""
LINES = """() => [...document.querySelectorAll(".verdicts td")].map((cell) => {
  const range = document.createRange(); range.selectNodeContents(cell); return range.getClientRects().length; })"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; a machine without it skips, but continuous integration must have it."""
    program = shutil.which("chromium")
    if program is None and not os.environ.get("CI"):
        pytest.skip("the report is opened in a browser: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs that know three classes, one of which has a very long name."""
    runs = [make_run(name, classes={"known": list(KNOWN), "extra_fakes": []}) for name in ("one-noisegan", "y" * 80)]
    for run in runs:
        path = run / "evaluations/8.json"
        rates = {"accuracy": vars(rate(64, 108)), "accuracy_passed": vars(rate(60, 101))}
        told = {"known": KNOWN, "unknown": ["8"], "classes": rates | {"confusion": CONFUSION, "confusion_unknown": []}}
        path.write_text(json.dumps(json.loads(path.read_text()) | told | {"method": "noisegan"}))
    return write(runs, tmp_path_factory.mktemp("look") / "report.html")


@pytest.fixture
def phone(browser: Browser, report: Path) -> Iterator[Page]:
    """The report on a screen of 360 pixels, in dark mode."""
    opened = browser.new_page(viewport={"width": 360, "height": 800}, color_scheme="dark")
    opened.goto(report.as_uri())
    yield opened
    opened.close()


def style(page: Page, selector: str, name: str) -> Any:
    """A property of the first element, as the browser computes it."""
    return page.eval_on_selector(selector, f"(one) => getComputedStyle(one)['{name}']")


def brightness(colour: str) -> float:
    """The mean of the three numbers of a colour such as rgb(1, 2, 3)."""
    numbers = [float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    return sum(numbers) / 3


def test_nothing_is_wider_than_a_phone(phone: Page) -> None:
    """At 360 pixels only tables scroll, each inside itself, and the keyboard reaches them."""
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    assert phone.evaluate(BEYOND) == []
    wide = phone.locator(".wide")
    assert wide.count() == 3
    assert all(one.get_attribute("tabindex") == "0" and one.get_attribute("aria-label") for one in wide.all())


def test_numbers_and_short_names_stay_whole(phone: Page) -> None:
    """No number of the confusion matrix is broken over two lines, and no short name is broken inside a word."""
    lines = phone.evaluate(LINES)
    assert len(lines) == 2 * 4 * 5 and set(lines) == {1}
    assert phone.evaluate(LINES.replace(".verdicts td", ".wide tr td:nth-child(2)"))[:2] == [1, 1]  # "noisegan"


def test_dark_mode_and_paper(phone: Page) -> None:
    """In dark mode letters are bright on dark and plots are turned; printed, the page is dark on white again."""
    assert brightness(style(phone, "body", "backgroundColor")) < 40
    assert brightness(style(phone, "body", "color")) > 200
    assert "invert" in style(phone, ".plot", "filter")
    assert style(phone, ".case img", "filter") == "none"
    phone.emulate_media(media="print")
    assert brightness(style(phone, "body", "backgroundColor")) == 255
    assert brightness(style(phone, "body", "color")) < 60
    assert style(phone, ".plot", "filter") == "none"
    assert style(phone, ".wide", "overflowX") == "visible"


def test_terms_say_what_they_mean(phone: Page) -> None:
    """The AUC says what it means by hover: in the note and table of the comparison, and in both runs."""
    titles = [one.get_attribute("title") for one in phone.locator("abbr").all()]
    assert set(titles) == {GLOSSARY["AUC"]} and len(titles) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, report: Path, scheme: Any) -> None:
    """In light and in dark mode, axe-core finds no serious fault of accessibility in the report."""
    page = browser.new_page(color_scheme=scheme)
    page.goto(report.as_uri())
    assert faults(page) == []
    page.close()


def test_axe_sees_a_fault(browser: Browser) -> None:
    """A picture without a text in its place is a serious fault, so the check can fail."""
    page = browser.new_page()
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src=x></main>")
    assert [line.partition(":")[0] for line in faults(page)] == ["image-alt"]
    page.close()
