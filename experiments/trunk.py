"""One GAN that is conditional on the class against one GAN per class, with as many images in all.

    python experiments/trunk.py

Five digits of scikit-learn's are known, five unknown. The figures go to experiments/results/trunk.csv: for each method
and seed the AUC of known against unknown, the accuracy among the known classes, and seconds on one thread.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lines import mean, save

import lookalike
from lookalike.methods import METHODS

KNOWN = ("0", "1", "2", "3", "8")
SHOWN = 40_000  # images, to all GANs together
NAMES = ("anogan", "mcgan", "cgan", "acgan")
SEEDS = range(3)
FIGURES = ("AUC", "accuracy", "train s", "score s")


def line(method: str, seed: int, folder: Path) -> dict[str, str | int]:
    """One training, measured on the split's test part and on all other digits."""
    images = SHOWN if METHODS[method].per_class else SHOWN // len(KNOWN)
    lookalike.fit("digits", out=folder, known=KNOWN, method=method, seed=seed, size="8,8", images=images, threads=1)
    said = lookalike.evaluate(folder, "digits")
    figures = (said["auc"]["value"], said["classes"]["accuracy"]["rate"])
    found = dict(zip(FIGURES, [f"{figure:.3f}" for figure in figures], strict=False))
    found |= {f"{stage} s": f"{said['seconds'][stage]:.0f}" for stage in ("train", "score")}
    print(method, seed, found, flush=True)
    return {"method": method, "seed": seed, **found}


def main() -> None:
    """Measures every method with every seed and writes the table."""
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for method in NAMES:
            mine = [line(method, seed, Path(scratch) / f"{method}-{seed}") for seed in SEEDS]
            lines += [*mine, {"method": method, "seed": "mean", **mean(mine, FIGURES)}]
    save("trunk", lines)


if __name__ == "__main__":
    main()
