"""Small run folders in the layout of a real run, made of scikit-learn's digits."""

from __future__ import annotations

import base64
import io
import json
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from lookalike.detect.auc import auc, rate
from lookalike.report import write

MakeRun = Callable[..., Path]

BLOCKS = {"br", "dd", "dt", "div", "figcaption", "h1", "h2", "h3", "h4", "p", "pre", "td", "th", "title"}


class Seen(HTMLParser):
    """A page as its reader sees it: text with single spaces, tags with attributes, pictures by alternative text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.pictures: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self.parts).split())

    def handle_data(self, data: str) -> None:
        """Keep text, not style."""
        if not self.tags or self.tags[-1][0] != "style":
            self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag, its attributes, and a space where the eye sees one."""
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        self.parts.append(" " * (tag in BLOCKS))
        if tag == "img":
            self.pictures.append((values.get("alt", ""), values.get("src", "")))

    def decoded(self, alt: str) -> list[np.ndarray]:
        """The pixels of the pictures with this alternative text, (H, W) of grey ones."""
        data = [base64.b64decode(src.partition(",")[2]) for name, src in self.pictures if name == alt]
        there = [np.asarray(Image.open(io.BytesIO(one))) for one in data]
        return [one[..., 0] if (one == one[..., :1]).all() else one for one in there]


@pytest.fixture(scope="session")
def seen() -> Callable[[str], Seen]:
    """Read a page as its reader sees it."""
    return Seen


@pytest.fixture(scope="session")
def digits() -> dict[str, np.ndarray]:
    """Digits 3 and 8 as (N, 64) floats, with the reconstructions of a PCA of the threes, and their distances."""
    images, labels = load_digits(return_X_y=True)
    pca = PCA(6, random_state=0).fit(images[labels == 3])
    made = {str(digit): images[labels == digit] * 255 / 16 for digit in (3, 8)}
    near = {f"near {d}": np.clip(pca.inverse_transform(pca.transform(x * 16 / 255)), 0, 16) * 255 / 16
            for d, x in made.items()}  # fmt: skip
    return made | near | {f"score {d}": np.abs(made[d] - near[f"near {d}"]).sum(1) / 255 for d in made}


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory, digits: dict[str, np.ndarray]) -> MakeRun:
    """Make a new run folder of this name, its classes, method and seed as given; returns its path."""

    def make(
        name: str = "three", known: str = "3", unknown: str = "8", method: str = "vtgan", seed: int = 0, **config: Any
    ) -> Path:
        folder = tmp_path_factory.mktemp("runs") / name
        for part in ("evaluations", "samples"):
            (folder / part).mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(_config(known, unknown, method, seed) | config))
        _metrics(folder / "metrics.jsonl", twin=method == "vtgan")
        _samples(folder / "samples", twin=method == "vtgan", digits=digits)
        _evaluation(folder / "evaluations" / "8", known, unknown, method, digits)
        return folder

    return make


def _config(known: str, unknown: str, method: str, seed: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "command": f"/home/somebody/.venv/bin/lookalike train digits --known {shlex.quote(known)} --method {method}"
        " -o /home/somebody/runs/coat --config=/home/somebody/coat.toml",
        "settings": {"method": method, "seed": seed, "search": {"steps": 200, "lr": 0.05}, "width": 32, "ema": None},
        "method": {"name": method, "losses": ["minimax"], "z_dim": 100},
        "open_choices": {"residual": "sum", "lam": 0.2, "features": "output of the first max-pool", "twin_latent": 400},
        "versions": {"lookalike": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.0"},
        "machine": {"threads": 2, "cpu": "x86_64"},
        "classes": {"known": [known], "extra_fakes": []},
        "data": {
            "source": "/home/somebody/data/digits",
            "shape": [1, 8, 8],
            "train": 120,
            "calibration": 30,
            "extra_fakes": 0,
            "skipped": 2,
        },
    }


def _metrics(path: Path, *, twin: bool) -> None:
    draw, lines = np.random.default_rng(0), []
    for step in range(1, 41):
        values: dict[str, float] = {"step": step, "images": 64 * step, "seconds": 0.1 * step}
        for prefix in ("", "weak/") if twin else ("",):
            values |= {f"{prefix}D.minimax": 0.9 + 0.5 / step + 0.1 * draw.normal(),
                       f"{prefix}G.minimax": 1.1 + 0.1 * draw.normal(),
                       f"{prefix}D.gradient_norm": float(np.exp(draw.normal() / 3)),
                       f"{prefix}G.gradient_norm": float(np.exp(draw.normal() / 3 - 1)),
                       f"{prefix}D.accuracy": 0.7 + 0.1 * draw.random()}  # fmt: skip
        lines.append(json.dumps(values))
    path.write_text("\n".join(lines) + "\n")


def _samples(folder: Path, *, twin: bool, digits: dict[str, np.ndarray]) -> None:
    draw = np.random.default_rng(1)
    secret = PngInfo()
    secret.add_text("Comment", "GPS 47.3769 N 8.5417 E")
    for place in range(8):
        for prefix, noise in (("", 160 - 20 * place), ("weak-", 160 - 10 * place))[: 1 + twin]:
            images = digits["3"][:16] + noise * draw.normal(size=(16, 64))
            grid = np.clip(images, 0, 255).reshape(4, 4, 8, 8).swapaxes(1, 2).reshape(32, 32).astype(np.uint8)
            Image.fromarray(grid).save(
                folder / f"{prefix}{320 * (place + 1):09d}.png", pnginfo=secret, icc_profile=b"profile"
            )


def _evaluation(stem: Path, known: str, unknown: str, method: str, digits: dict[str, np.ndarray]) -> None:
    scores = {digit: digits[f"score {digit}"] for digit in ("3", "8")}
    calibration, test = scores["3"][:60], scores["3"][60:]
    threshold = float(np.quantile(calibration, 0.95))
    alarms, misses = int((test > threshold).sum()), int((scores["8"] <= threshold).sum())
    arrays = {"known_scores": test, "unknown_scores": scores["8"], "calibration_scores": calibration}
    for kind, digit, order in (("misses", "8", np.argsort(scores["8"])), ("alarms", "3", 60 + np.argsort(-test))):
        worst = order[:6]
        arrays |= {
            f"{kind}_query": digits[digit][worst].reshape(-1, 1, 8, 8).astype(np.uint8),
            f"{kind}_nearest": digits[f"near {digit}"][worst].reshape(-1, 1, 8, 8).astype(np.uint8),
            f"{kind}_score": scores[digit][worst],
            f"{kind}_name": np.array([f"{unknown if digit == '8' else known}/{place:05d}.png" for place in worst]),
        }
    np.savez(stem.with_suffix(".npz"), **arrays)
    area = auc(test, scores["8"])
    stem.with_suffix(".json").write_text(json.dumps({
        "known": [known], "unknown": [unknown], "method": method, "n_known": len(test), "n_unknown": len(scores["8"]),
        "excluded": 0, "allowed": 0.05, "threshold": threshold,
        "auc": {"value": area.value, "low": area.low, "high": area.high, "level": 0.95, "resamples": 2000},
        "false_alarms": vars(rate(alarms, len(test))), "misses": vars(rate(misses, len(scores["8"]))),
        "seconds": {"train": 41.3, "score": 2.34}, "parts_auc": {"R": 0.91, "L_D": 0.66, "realness": 0.5},
    }))  # fmt: skip


@pytest.fixture(scope="session")
def run(make_run: MakeRun) -> Path:
    """A run that no test may change."""
    return make_run()


@pytest.fixture(scope="session")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of `run`."""
    return write([run], tmp_path_factory.mktemp("page") / "report.html").read_text("utf-8")
