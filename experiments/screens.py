"""Pictures of the page and the report for the documents: light, dark, and on a phone of 360 pixels.

    python experiments/screens.py

The detector `auto` learns the photographs of `lookalike demo`, in runs/screens. Chromium opens its page, gets a crop
with a drawn defect and one without, and then opens its report. The pictures go to docs/screens, each below 100 kB. It
needs the extra `test` and Chromium, and takes some minutes.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from lookalike.detect.model import Model
from lookalike.faces import defects
from lookalike.faces.demo import measured
from lookalike.faces.page.app import application
from lookalike.faces.page.served import Served
from lookalike.report import write
from lookalike.runs.settings import train_settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "screens"
KNOWN = "temple"
UNKNOWN = defects.DEFECTIVE.format(KNOWN)
CROPS = {"defect.png": f"{UNKNOWN}/003.png", "whole.png": f"{KNOWN}/003.png"}  # name on the page -> file
PATIENCE = 120_000  # milliseconds that an answer may take
MOST = 100_000  # bytes of a picture
SCREENS = {"light": ("light", 1000, 1050), "dark": ("dark", 1000, 1050), "phone": ("dark", 360, 780)}


def trained(out: Path) -> Path:
    """The run folder of the detector, measured on crops with a defect."""
    photographs, run = out / "photographs", out / f"{KNOWN}-{UNKNOWN}-auto"
    if not photographs.exists():
        defects.write(photographs)
    if not any(run.glob("evaluations/*.json")):
        settings, masks = train_settings(known=(KNOWN,), method="auto", test=0.3), photographs / defects.MASKS
        measured(photographs / defects.IMAGES, settings, UNKNOWN, out, lambda stage, done, of: None, masks=masks)
    return run


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The address of the run's page."""
    listening = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    one = Served(KNOWN, run, Model.load(run))
    server = uvicorn.Server(uvicorn.Config(application([one], [host]), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://{host}/"
    finally:
        server.should_exit = True
        thread.join()


def save(page: Page, name: str) -> None:
    """Writes what the page shows as WebP, as good as the size allows."""
    with Image.open(BytesIO(page.screenshot())) as shot:
        for quality in range(90, 0, -10):
            out = BytesIO()
            shot.save(out, "webp", quality=quality, method=6)
            if out.tell() < MOST:
                break
    DOCS.mkdir(exist_ok=True)
    (DOCS / f"{name}.webp").write_bytes(out.getvalue())


def pictures(browser: Browser, run: Path) -> None:
    """All pictures of a run's page and report."""
    folder = run.parent / "photographs" / defects.IMAGES
    crops = [
        FilePayload(name=name, mimeType="image/png", buffer=(folder / file).read_bytes())
        for name, file in CROPS.items()
    ]
    report = write([run], run / "report.html").resolve().as_uri()
    with served(run) as address:
        for name, (scheme, width, height) in SCREENS.items():
            page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
            page.goto(address)
            page.set_input_files("#files", crops)
            expect(page.locator("article:is(.flagged, .known)")).to_have_count(len(crops), timeout=PATIENCE)
            save(page, f"page-{name}")
            page.goto(report)
            save(page, f"report-{name}")
            page.close()


def main() -> None:
    """Trains, opens, writes."""
    run = trained(ROOT / "runs" / "screens")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        pictures(browser, run)
        browser.close()


if __name__ == "__main__":
    main()
