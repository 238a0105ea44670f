"""Pictures of a run as WebP data URIs; equal numbers always give equal bytes."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lookalike.base.errors import ModelError, show
from lookalike.base.files import open_regular
from lookalike.base.style import CALIBRATION, INK, KNOWN, STYLE, UNKNOWN
from lookalike.detect.auc import roc_curve_band
from lookalike.detect.heat import SPREADS, overlaid
from lookalike.runs.folder import Gallery, Scores
from lookalike.studies.claims import Estimate

WIDE, SMALL, DPI = (4.8, 3.2), (3.5, 2.8), 180  # inches, dots per inch
BINS, POINTS = 50, 300
EDGES, LINE = 1.1, 0.24  # inches: what surrounds lines of text in a picture, and each of them
GRID_PIXELS, GRID_SIDE = 1 << 24, 600  # the most pixels that are read, the least side after enlarging
COLOURS = 64  # of a plot, which has few beside those between its lines and the paper
SHARP, SHOWN, QUALITY = 96, 360, 80  # sides: up to this every pixel is kept; shown at most; how photographs are kept
THIN: dict[str, Any] = {"color": CALIBRATION, "linewidth": 0.7, "alpha": 0.6}  # a line among many
HEAT = mpl.colormaps["magma"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One image of a gallery; `views` are pictures with their alternative texts."""

    score: float
    name: str
    views: tuple[tuple[str, Markup], ...]


def histogram(scores: Scores, threshold: float | None) -> Markup:
    """Return a histogram of the scores by group, with the threshold; the last bin holds the largest 0.5 %."""
    groups = {"calibration": scores.calibration, "known": scores.known, "unknown": scores.unknown}
    edges = _edges(list(groups.values()), threshold)
    with _style():
        figure, axes = _canvas(WIDE, "score (larger: less like the known images)", "share of the group's images, %")
        for (name, values), colour in zip(groups.items(), (CALIBRATION, KNOWN, UNKNOWN), strict=True):
            heights = 100 * np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / max(1, len(values))
            outline = name == "calibration"
            label = f"{name} ({len(values)})"
            axes.stairs(heights, edges, fill=not outline, color=colour, alpha=1 if outline else 0.5, label=label)
        if threshold is not None:
            axes.axvline(threshold, color=INK, linestyle="--", label="threshold: flagged to the right")
        return _drawn(figure)


def groups(values: Mapping[str, npt.NDArray[np.float64]], x: str) -> Markup:
    """Return a histogram of the values `x` of two groups, as shares of each group."""
    edges = _edges(list(values.values()), None)
    with _style():
        figure, axes = _canvas(SMALL, x, "share of the group's images, %")
        for (name, mine), colour in zip(values.items(), (KNOWN, UNKNOWN), strict=True):
            heights = 100 * np.histogram(np.clip(mine, edges[0], edges[-1]), edges)[0] / max(1, len(mine))
            axes.stairs(heights, edges, fill=True, color=colour, alpha=0.5, label=f"{name} ({len(mine)})")
        return _drawn(figure)


def roc(scores: Scores, threshold: float | None) -> Markup:
    """Return the ROC curve with its pointwise 95 % band, the line of chance and the threshold's point."""
    band = roc_curve_band(scores.known, scores.unknown)
    with _style():
        figure, axes = _canvas(WIDE, "known images flagged (false alarms), %", "unknown images flagged, %")
        axes.fill_between(100 * band.fpr, 100 * band.low, 100 * band.high, color=KNOWN, alpha=0.2, linewidth=0)
        axes.plot(100 * band.fpr, 100 * band.tpr, color=KNOWN, label="ROC, with its 95 % band")
        axes.plot([0, 100], [0, 100], color="#aab2bd", linestyle=":", label="chance")
        if threshold is not None:
            flagged = [100 * np.mean(group > threshold) for group in (scores.known, scores.unknown)]
            axes.plot(*flagged, "o", color=INK, label="at the threshold")
        axes.set(xlim=(-1, 101), ylim=(-1, 101))
        return _drawn(figure)


def curves(columns: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, *, log: bool = False) -> Markup:
    """Return the columns over the images shown, as means of at most 300 points; D blue, G orange, twins dashed."""
    with _style():
        figure, axes = _canvas(SMALL, "images shown", title)
        drawn = Counter[str]()
        for name, (x, y) in columns.items():
            twin, _, own = name.rpartition("/")
            colour = {"D": KNOWN, "G": UNKNOWN}.get(own.partition(".")[0], CALIBRATION)
            style = ("--" if twin else "-", "-.", ":")[drawn[colour + twin] % 3]
            drawn[colour + twin] += 1
            label = _label(name)
            axes.plot(_thinned(x), _thinned(y), color=colour, linestyle=style, alpha=0.6 if twin else 1, label=label)
        if log and any(value > 0 for _, y in columns.values() for value in y):
            axes.set_yscale("log")
        return _drawn(figure, legend_columns=2 if max(map(len, columns)) < 18 else 1)


def by_class(columns: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, limit: float) -> Markup:
    """Return a thin line for each class over the images shown, the one that ends lowest bold; shares of 1 as percent.

    The column of a whole G has the name "". A dashed line stands at `limit`.
    """
    least = min(columns, key=lambda name: columns[name][1][-1])
    with _style():
        figure, axes = _canvas(SMALL, "images shown", f"{title}, % of real images")
        for name, (x, y) in columns.items():
            label = _label(f"{name}, the lowest" if len(columns) > 1 else name or "all images of G")
            bold: dict[str, Any] = {"color": KNOWN, "linewidth": 2, "zorder": 3, "label": label}
            axes.plot(x, 100 * np.asarray(y), **(bold if name == least else THIN))
        axes.axhline(100 * limit, color=INK, linestyle="--", label="too little")
        axes.set_ylim(bottom=0)
        return _drawn(figure)


def by_number(lines: Mapping[str, Sequence[tuple[int, float, float]]], x: str, y: str) -> Markup:
    """Return a line for each name through its points (number, figure, deviation); numbers stand on a log axis."""
    numbers = sorted({number for points in lines.values() for number, _, _ in points})
    with _style():
        figure, axes = _canvas(WIDE, x, y)
        axes.set_xscale("log")
        for place, (name, points) in enumerate(lines.items()):
            at, mean, sd = zip(*points, strict=True) if points else ((), (), ())
            axes.errorbar(
                at, mean, sd, capsize=2, label=name, marker="os^Dv"[place % 5], markersize=4,
                linestyle=("-", "--", ":")[place // 10 % 3],
            )  # fmt: skip
        axes.set_xticks(numbers, [str(number) for number in numbers])
        axes.minorticks_off()
        return _drawn(figure, legend_columns=4)


def gains(ways: Mapping[str, Estimate], x: str) -> Markup:
    """Return a line for each way, the first on top: its gain in percentage points, with the interval, and zero."""
    colours = {"above 0": KNOWN, "below 0": UNKNOWN, "includes 0": CALIBRATION}
    with _style():
        figure, axes = _canvas((SMALL[0], EDGES + LINE * len(ways)), x, "")
        axes.axvline(0, color=INK, linewidth=0.8, linestyle="--")
        for where, colour in colours.items():
            if mine := {place: gain for place, gain in enumerate(ways.values()) if _where(gain) == where}:
                mean, low, high = 100 * np.array([gain[:3] for gain in mine.values()]).T
                axes.hlines(list(mine), low, high, color=colour)
                axes.plot(mean, list(mine), "o", color=colour, markersize=4, label=where)
        axes.set_yticks(range(len(ways)), list(ways))
        axes.set_ylim(len(ways) - 0.5, -0.5)
        return _drawn(figure, legend_columns=3)


def areas(methods: Mapping[str, tuple[float, float | None, float | None]]) -> Markup:
    """Return a line for each method, the first on top: its mean AUC, its interval if there is one, and chance."""
    bars = [(place, low, high) for place, (_, low, high) in enumerate(methods.values()) if low is not None]
    with _style():
        figure, axes = _canvas((WIDE[0], EDGES + LINE * len(methods)), "mean AUC", "")
        axes.axvline(0.5, color="#aab2bd", linestyle=":", label="chance")
        if bars:
            axes.hlines(*zip(*bars, strict=True), color=KNOWN, alpha=0.5, linewidth=3, label="95 % interval")
        axes.plot([mean for mean, _, _ in methods.values()], range(len(methods)), "o", color=INK, markersize=4)
        axes.set_yticks(range(len(methods)), list(methods))
        axes.set(ylim=(len(methods) - 0.5, -0.5), xlim=(None, 1.005))
        return _drawn(figure)


def _where(gain: Estimate) -> str:
    """Return where the interval lies; one without width is a small test part's, and tells nothing."""
    if not gain.low < gain.high:
        return "includes 0"
    return "above 0" if gain.low > 0 else "below 0" if gain.high < 0 else "includes 0"


def residual(query: Pixels, nearest: Pixels) -> npt.NDArray[np.float64]:
    """Return |x - nearest| of two (C, H, W) images in grey levels, averaged over the channels: float64 (H, W)."""
    difference = query.astype(np.float64) - nearest.astype(np.float64)
    return np.asarray(np.abs(difference).mean(axis=0), np.float64)


def brightest(gallery: Gallery) -> float:
    """Return the largest residual of all images, the top of their common scale."""
    if gallery.query is None or gallery.nearest is None:
        return 0.0
    return max((float(residual(*both).max()) for both in zip(gallery.query, gallery.nearest, strict=True)), default=0.0)


def cases(gallery: Gallery, top: float, most: int, *, spread: bool = False) -> Iterator[Case]:
    """Yield images with their nearest images and the residuals on a scale from 0 to `top`, where these exist.

    They are the first `most` of the gallery, or with `spread` as many of it at even distances.
    """
    there = len(gallery.name)
    places = np.linspace(0, there - 1, most).round().astype(int) if spread and there > most else range(min(there, most))
    for place in places:
        score, name = gallery.score[place], gallery.name[place]
        views = []
        if gallery.query is not None:
            views.append(("image", tile(gallery.query[place])))
        if gallery.query is not None and gallery.nearest is not None:
            views.append(("nearest image", tile(gallery.nearest[place])))
            views.append(("difference", heat(residual(gallery.query[place], gallery.nearest[place]), top)))
        if gallery.query is not None and gallery.maps is not None:
            over = overlaid(gallery.query[place].transpose(1, 2, 0), gallery.maps[place], SPREADS)
            views.append(("heat map over the image", _uri(Image.fromarray(over))))
        yield Case(float(score), name, tuple(views))


def heat(values: npt.NDArray[np.float64], top: float) -> Markup:
    """Return an (H, W) map in colours from dark for 0 to bright for `top`."""
    return _uri(Image.fromarray(HEAT(values / max(top, 1e-12), bytes=True)[..., :3]))


def tile(image: Pixels) -> Markup:
    """Return one (C, H, W) image, grey or RGB."""
    return _uri(Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))))


def sample_grid(path: Path) -> Markup:
    """Return a grid of the run, decoded and encoded again so that only its pixels enter the page; enlarged if small."""
    try:
        with open_regular(path) as handle, Image.open(handle, formats=("PNG",)) as image:
            if image.width * image.height > GRID_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels, more than {GRID_PIXELS}")
            times = max(1, GRID_SIDE // max(image.size))
            plain = image.convert("L" if image.mode in {"1", "L"} else "RGB")
            large = plain.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)
            return _data(large, lossless=True) if times > 1 else _data(large, quality=QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelError(f"{show(path)} cannot be read: {show(error)}; remove it, or train again") from error


def _edges(groups: Sequence[npt.NDArray[np.float64]], threshold: float | None) -> npt.NDArray[np.float64]:
    scores = np.concatenate([*groups, [] if threshold is None else [threshold]])
    if not len(scores):
        return np.linspace(0.0, 1.0, BINS + 1)
    low, high = scores.min(), max(np.quantile(scores, 0.995), scores.min() if threshold is None else threshold)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _label(name: str) -> str:
    """Return a name as a label of a curve."""
    text = show(name, 40).encode("ascii", "backslashreplace").decode()  # the font has ASCII only
    # A dollar sign would start mathtext, and a label that starts with "_" would be hidden.
    return " " + text.replace("$", r"\$")


def _thinned(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the means of equally long groups of values; a last group that is too short joins the one before."""
    width = -(-len(values) // POINTS)
    starts = np.arange(0, len(values) - width + 1, width)
    return np.add.reduceat(np.asarray(values), starts) / np.diff([*starts, len(values)])


def _style() -> Any:
    """Return the report's own style, whatever the user's matplotlibrc says."""
    return matplotlib.style.context(["default", STYLE])


def _canvas(size: tuple[float, float], x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _drawn(figure: Figure, legend_columns: int = 2) -> Markup:
    if any(axes.get_legend_handles_labels()[0] for axes in figure.axes):
        figure.legend(loc="outside upper left", ncols=legend_columns)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    with Image.open(data) as drawn:
        few = drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    return _data(few.convert("RGB"), lossless=True)


def _uri(image: Image.Image) -> Markup:
    """Return a small image pixel by pixel, and a photograph with a longer side of at most `SHOWN` pixels."""
    plain = image if image.mode in {"L", "RGB"} else image.convert("RGB")
    if max(plain.size) <= SHARP:
        return _data(plain, lossless=True)
    plain.thumbnail((SHOWN, SHOWN))
    return _data(plain, quality=QUALITY)


def _data(image: Image.Image, **how: Any) -> Markup:
    data = io.BytesIO()
    image.info.clear()  # no text, EXIF or profile enters the page
    image.save(data, format="WEBP", method=4, **how)
    return Markup("data:image/webp;base64," + base64.b64encode(data.getvalue()).decode("ascii"))  # noqa: S704 - base64
