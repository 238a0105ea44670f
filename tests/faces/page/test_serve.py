"""The command and the page in a browser: from the address that is printed to a verdict, a map and a download."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import pytest
from accessible import faults
from page_served import serving
from playwright.sync_api import expect, sync_playwright

from lookalike.detect.model import Model
from lookalike.faces.page import serve
from lookalike.faces.page.served import Served

COMMAND = (sys.executable, "-c", "from lookalike.faces.cli import entry; entry()", "page")
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}"


@contextmanager
def started(*arguments):
    """The command in a process of its own, and the address that it printed."""
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().removeprefix("page: ").strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; a machine without it skips, but continuous integration must have it."""
    program = shutil.which("chromium")
    if program is None and not os.environ.get("CI"):
        pytest.skip("the page is opened in a browser: install Debian's package `chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def test_from_the_command_to_an_answer_and_the_end(runs):
    """The command prints an address on this machine that answers, and Ctrl-C ends it within ten seconds."""
    with started(runs[0], "--port", 0) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        host, port = address.removeprefix("http://").strip("/").split(":")
        with socket.create_connection((host, int(port)), 10) as asked:
            asked.sendall(f"GET /health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            assert asked.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130)
        assert "Traceback" not in process.stderr.read()


def test_H14_a_port_that_is_taken(runs):
    """The command says that the port cannot be used and what to do, with exit code 5."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        started(runs[0], "--port", taken.getsockname()[1]) as (end, _),
    ):
        assert end.wait(60) == 5
        assert "cannot be used: Address already in use; take another one (--port)" in end.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no run was given"),
        (("nowhere",), 4, "nowhere"),
        (("{0}", "{0}"), 2, "two runs are called three"),
    ],
    ids=["no run", "no folder", "twice the same"],
)
def test_what_the_command_refuses(runs, arguments, code, words):
    """No run, a folder without a model and two runs of one name are each one line."""
    with started(*(one.format(runs[0]) for one in arguments)) as (process, _):
        assert process.wait(60) == code
        said = process.stderr.read()
        assert words in said
        assert len(said.splitlines()) == 1


def test_another_address_needs_the_token(runs):
    """Where other machines can ask, the printed address holds a token."""
    with started(runs[0], "--port", 0, "--host", "0.0.0.0") as (_, address):
        assert "/?token=" in address
        assert len(address.partition("token=")[2]) >= 32


def test_H13_a_connection_without_a_request_is_closed(served, monkeypatch):
    """A connection that sends a head byte by byte is closed after the time that a head may take."""
    monkeypatch.setattr(serve, "PATIENCE", 0.5)
    with serving(served) as host, socket.create_connection((host.split(":")[0], int(host.split(":")[1])), 10) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: ")
        slow.settimeout(10)
        assert slow.recv(100) == b""


def test_a_verdict_in_the_browser(browser, served, digits, tmp_path):
    """Files that are chosen get verdict, map and nearest image; the slider flags more; a broken file says why."""
    names = []
    for name, data in (("three.png", digits[0]), ("eight.png", digits[1]), ("broken.png", b"no image")):
        (tmp_path / name).write_bytes(data)
        names.append(str(tmp_path / name))
    said = served[0].judge(digits[:2], pictures=False)
    with serving(served) as host:
        page, log = browser.new_page(), []
        page.on("console", lambda message: log.append(message.text))
        page.on("pageerror", lambda error: log.append(str(error)))
        page.goto(f"http://{host}/")
        page.set_input_files("#files", names)
        results = page.locator("article")
        expect(results).to_have_count(3)
        expect(results.nth(2).locator(".verdict")).to_have_text("not judged")
        expect(results.nth(2).locator(".words")).to_contain_text("the picture cannot be read")
        for i, one in enumerate(said):
            expect(results.nth(i).locator(".verdict")).to_have_text("Flagged" if one["flagged"] else "Looks like 3")
            expect(results.nth(i).locator("img")).to_have_count(3)
        page.locator("#rate").press("End")
        flagged = [one["p_value"] <= 0.5 for one in said]
        expect(page.locator("#counts")).to_have_text(f"2 images, {sum(flagged)} flagged.")
        expect(page.locator("#rate-said")).to_have_text("50 %")
        # the one line that may stand there is Chromium's own, of the status 422 of the broken file
        assert all("422" in line for line in log)
        page.close()


def test_generated_images_in_the_browser(browser, served, tmp_path):
    """With the keyboard alone: the tab, a class, images, and the archive that is downloaded."""
    with serving(served) as host:
        page = browser.new_page(viewport={"width": 360, "height": 740})
        page.goto(f"http://{host}/")
        page.select_option("#model", "both")
        expect(page.locator("#cannot-judge")).to_be_visible()
        page.locator("#tab-judge").press("ArrowRight")
        expect(page.locator("#tab-make")).to_be_focused()
        page.select_option("#class", "8")
        page.locator("#number").fill("5")
        page.locator("#seed").fill("7")
        page.locator("#number").press("Enter")
        expect(page.locator("#made img")).to_have_count(5)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        with page.expect_download() as waiting:
            page.locator("#download").press("Enter")
        file = tmp_path / "made.zip"
        waiting.value.save_as(file)
        with zipfile.ZipFile(file) as archive:
            assert archive.read("000004.png") == served[1].make("8", seed=7, n=5)[4]
        page.select_option("#to", "3")
        page.locator("#number").press("Enter")
        expect(page.locator("#made img")).to_have_count(1)
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, served, digits, scheme, tmp_path):
    """In light and in dark mode, axe-core finds no serious fault of accessibility on any of the three tabs."""
    for name, data in (("three.png", digits[0]), ("eight.png", digits[1]), ("broken.png", b"no image")):
        (tmp_path / name).write_bytes(data)
    with serving(served) as host:
        page = browser.new_page(color_scheme=scheme)
        page.goto(f"http://{host}/")
        page.set_input_files("#files", [str(path) for path in sorted(tmp_path.glob("*.png"))])
        expect(page.locator("article .verdict")).to_have_count(3)
        page.locator("#rate").press("End")  # one is flagged at this rate, one is not
        assert faults(page) == []
        page.select_option("#model", "both")
        page.locator("#tab-make").click()
        page.locator("#number").press("Enter")
        expect(page.locator("#made img")).to_have_count(16)
        assert faults(page) == []
        page.locator("#tab-report").click()
        expect(page.frame_locator("iframe").locator("h1")).to_be_visible()
        assert faults(page) == []
        page.close()


def test_H1_hostile_names_in_the_browser(browser, runs, digits, tmp_path):
    """A run, a class and a file with names that look like markup stand on the page as text, and nothing runs."""
    model = Model.load(runs[0])
    hostile = Model(model.detector, model.threshold, model.shape, {"known": (HOSTILE,), "extra_fakes": ()},
                    model.method, model.training)  # fmt: skip
    (tmp_path / "<b>x.png").write_bytes(digits[0])
    with serving([Served(HOSTILE, runs[0], hostile)]) as host:
        page, ran = browser.new_page(), []
        page.on("dialog", lambda dialog: ran.append(dialog.message))
        page.on("console", lambda message: ran.append(message.text))
        page.goto(f"http://{host}/")
        expect(page.locator("h1")).to_have_text(f"Is this {HOSTILE}?")
        page.set_input_files("#files", str(tmp_path / "<b>x.png"))
        expect(page.locator("article .verdict")).to_have_text(f"Looks like {HOSTILE}")
        expect(page.locator("article h2")).to_have_text("<b>x.png")
        assert page.locator("h1 img, h2 b, .verdict img").count() == 0
        page.locator("#tab-report").click()
        time.sleep(0.2)
        assert ran == []
        page.close()
