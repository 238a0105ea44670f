"""What `auto` should be made of: single scores and their means, for classes that no table pairs with the known one.

    lookalike table vtgan-2021/1 --seeds 1
    python experiments/auto_study.py

It reads the trainings of that table (seed 0). Known images are those that the trainings held out, unknown ones are
training images of other classes: no test image is looked at. Of each known class the three other classes count that are
hardest for the mean of the single baselines; the papers' pairs are left out. A GAN's score is scaled by the very images
that it is measured on, which favours it a little. The figures go to experiments/results/auto-study.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from lines import save

from lookalike.base.arrays import Floats, Pixels
from lookalike.data import Images, read, split
from lookalike.detect.auc import area
from lookalike.detect.model import Model
from lookalike.detect.scale import Scale
from lookalike.studies.detect.trial import CALIBRATION, DetectorTrial

KNOWN = {
    "fashion-mnist": ("Ankle boot", "Sandal", "Coat", "Shirt", "Pullover"),
    "mnist-5k": ("3", "8", "7", "9"),
}
PAIRED = (  # in a paper's table: never looked at here
    {"Ankle boot", "Sandal"}, {"Coat", "Shirt"}, {"Coat", "Pullover"}, {"3", "8"}, {"7", "9"}, {"9", "4"},
)  # fmt: skip
BASELINES = ("knn", "lof", "pca", "iforest-pca")  # beside rotation, which auto holds
GANS = ("anogan", "noisegan", "vtgan")
HARDEST, MOST = 3, 300  # other classes per known class, images of each
ByName = dict[str, Floats]


def baseline_scores(models: dict[str, Model], pixels: Pixels) -> ByName:
    """The scores of auto, of its parts and of the other baselines."""
    auto = models["auto"].score(pixels)
    parts = {f"auto's {name}": score for name, score in auto.parts.items()}
    return {"auto": auto.score} | parts | {name: models[name].score(pixels).score for name in BASELINES}


def gan_scores(models: dict[str, Model], pixels: Pixels) -> ByName:
    """V(x) and how little real D finds an image, of each GAN."""
    said = {name: models[name].score(pixels) for name in GANS}
    return {f"{name} V": s.score for name, s in said.items()} | {
        f"{name} D": -s.parts["realness"] for name, s in said.items()
    }


def together(auto: ByName, gans: ByName, scales: dict[str, Scale]) -> ByName:
    """auto with one more score, and with all of them; auto's own are on one scale already."""
    own = [score for name, score in auto.items() if name.startswith("auto's ")]
    more = {name: scales[name](score) for name, score in gans.items()}
    each: ByName = {f"auto + {name}": np.mean([*own, score], axis=0) for name, score in more.items()}
    return each | {"auto + all": np.mean([*own, *more.values()], axis=0)}


def one_class(images: Images, data: str, known: str, runs: Path) -> list[dict[str, str | float]]:
    """AUC of every score against the hardest other classes."""
    trials = {m: DetectorTrial(data, m, 0, known=(known,)) for m in ("auto", *BASELINES, *GANS)}
    models = {m: Model.load(trial.folder(runs)) for m, trial in trials.items()}
    rows = split(images, test=0.2, calibration=CALIBRATION, seed=0).calibration
    held = images.pixels[rows[images.labels[rows] == images.classes.index(known)]][:MOST]
    train = images.select(~np.asarray(images.test))
    others = {
        name: train.of(name).pixels[:MOST] for name in images.classes if name != known and {name, known} not in PAIRED
    }
    of_held_out, of_others = baseline_scores(models, held), {o: baseline_scores(models, x) for o, x in others.items()}
    aucs = {
        other: {name: area(of_held_out[name], scores[name]) for name in scores} for other, scores in of_others.items()
    }
    hardest = sorted(others, key=lambda other: sum(aucs[other][name] for name in BASELINES))[:HARDEST]
    own = gan_scores(models, held)
    scales = {name: Scale.of(score) for name, score in own.items()}
    own |= together(of_held_out, own, scales)
    for other in hardest:
        said = gan_scores(models, others[other])
        said |= together(of_others[other], said, scales)
        aucs[other] |= {name: area(own[name], score) for name, score in said.items()}
    print(f"{data}: {known} against {', '.join(hardest)}", flush=True)
    return [{"data": data, "known": known, "unknown": other, **aucs[other]} for other in hardest]


def main() -> None:
    """Measures every class and writes the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("runs/trainings"), help="as lookalike table")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    lines: list[dict[str, str | float]] = []
    for data, classes in KNOWN.items():
        images = read(data, size=(32, 32))
        lines += [line for known in classes for line in one_class(images, data, known, runs)]
    names = [name for name in lines[0] if name not in ("data", "known", "unknown")]
    measured = list(lines)
    for data in (*KNOWN, "both"):
        mine = [line for line in measured if data in (line["data"], "both")]
        means: dict[str, str | float] = {name: float(np.mean([line[name] for line in mine])) for name in names}
        lines.append({"data": data, "known": "mean", "unknown": "", **means})
    save("auto-study", [{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in line.items()} for line in lines])


if __name__ == "__main__":
    main()
