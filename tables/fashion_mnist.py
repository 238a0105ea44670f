"""The main job on all of Fashion-MNIST: four methods and two baselines on two look-alike pairs, several seeds.

    python tables/fashion_mnist.py --seeds 3

Resumable: finished runs are found and unfinished ones go on. The figures go to tables/results/fashion-mnist.csv and .md
with the command. The threshold comes from held-out training images; the test images only ever measure.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import multiprocessing
import statistics
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAIRS = (("Coat", "Shirt"), ("Ankle boot", "Sandal"))
METHODS = ("pca", "knn", "anogan", "mcgan", "noisegan", "vtgan")
COMMAND = "python tables/fashion_mnist.py --seeds {seeds}"


def cell(job: tuple[str, str, str, int, Path]) -> dict[str, Any]:
    """Trains and evaluates one method on one pair with one seed."""
    from lookalike.runs import run
    from lookalike.settings import train_settings
    from lookalike.use.evaluate import evaluate

    known, unknown, method, seed, folder = job
    against = (unknown,) if method == "mcgan" else ()
    # one thread each: two runs side by side use two cores better than one run does
    settings = train_settings(
        known=(known,), against=against, method=method, seed=seed, preset="small", calibration=0.1, threads=1
    )
    out = folder / f"{known}-{unknown}-{method}-{seed}".replace(" ", "-")
    run("fashion-mnist", settings, out, command=("python", "tables/fashion_mnist.py"))
    figures = evaluate(out, "fashion-mnist", unknown=unknown)
    print(f"{known} / {unknown} {method} seed {seed}: AUC {figures['auc']['value']:.4f}", flush=True)
    return figures | {"seed": seed}


def row(known: str, unknown: str, method: str, cells: list[dict[str, Any]]) -> dict[str, str]:
    """Mean and standard deviation over seeds of one method on one pair."""

    def over(values: list[float]) -> str:
        spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.3f}{spread}"

    parts = {
        part: over([c["parts_auc"][part] for c in cells]) if part in cells[0]["parts_auc"] else ""
        for part in ("R", "L_D", "realness")
    }
    return {
        "known": known,
        "unknown": unknown,
        "method": method,
        "seeds": str(len(cells)),
        "AUC": over([c["auc"]["value"] for c in cells]),
        **{f"AUC of {part}": text for part, text in parts.items()},
        "false alarms (0.05 allowed)": over([c["false_alarms"]["rate"] for c in cells]),
        "misses": over([c["misses"]["rate"] for c in cells]),
    }


def save(rows: list[dict[str, str]], seeds: int) -> None:
    """Writes the table as CSV and as Markdown."""
    command = COMMAND.format(seeds=seeds)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0], "command"], lineterminator="\n")
    writer.writeheader()
    writer.writerows([r | {"command": command} for r in rows])
    lines = [
        "# Fashion-MNIST, preset small: known against its look-alike",
        "",
        f"`{command}`: all training images of the known class, a tenth of them held out for the threshold; all",
        "1,000 + 1,000 official test images; mean ± standard deviation over seeds.",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
        *["| " + " | ".join(r.values()) + " |" for r in rows],
    ]
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "fashion-mnist.csv").write_text(text.getvalue())
    (HERE / "results" / "fashion-mnist.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    """Runs every cell, two at a time, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/fashion-mnist"), help="where the run folders go")
    arguments = parser.parse_args()
    # seeds outermost: an interrupted table has every row
    jobs = [
        (known, unknown, method, seed, arguments.runs)
        for seed, (known, unknown), method in itertools.product(range(arguments.seeds), PAIRS, METHODS)
    ]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        cells = pool.map(cell, jobs, chunksize=1)
    by_row = {
        (k, u, m): [c for c, j in zip(cells, jobs, strict=True) if j[:3] == (k, u, m)]
        for (k, u), m in itertools.product(PAIRS, METHODS)
    }
    save([row(*key, found) for key, found in by_row.items()], arguments.seeds)


if __name__ == "__main__":
    main()
