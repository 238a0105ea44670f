"""Figure 1 of kplus1-2020 on fresh seeds: the ten Gaussians on a circle, as Mode GAN learns them.

    python experiments/circle.py

The settings of `lookalike table kplus1-2020/gaussians --preset small`, whose length was doubled after seeds 0 to 4 had
been looked at. So these are seeds 5 to 7, of which nothing was chosen. The figures go to
experiments/results/circle.csv: the divergence of 50,000 generated points from the average of the classes and from the
mode, by how much they are nearer to the mode, and the means with Student's 95 % interval. The trainings stay in
runs/trainings. About two minutes each on one core.
"""

from __future__ import annotations

from pathlib import Path

from lines import Line, measured, save

from lookalike.studies.claims import mean
from lookalike.studies.tables.circle_trial import CircleTrial

RUNS, SEEDS = Path("runs/trainings"), range(5, 8)


def main() -> None:
    """Measures every seed and writes the table."""
    figures = measured([CircleTrial("", "mode", seed) for seed in SEEDS], RUNS)
    average, mode = ([one[f"kl_to_{name}"] for one in figures] for name in ("real", "mode"))
    nearer = [one - other for one, other in zip(average, mode, strict=True)]
    columns = {"from_average": average, "from_mode": mode, "nearer_to_mode_by": nearer}
    lines: list[Line] = [
        {"seed": seed, **{name: f"{values[i]:.4f}" for name, values in columns.items()}} for i, seed in enumerate(SEEDS)
    ]
    for bound in ("mean", "low", "high"):
        found = {name: f"{getattr(mean(values), bound):.4f}" for name, values in columns.items()}
        lines.append({"seed": bound, **found})
    save("circle", lines)


if __name__ == "__main__":
    main()
