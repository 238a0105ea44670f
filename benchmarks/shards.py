"""Scores of many images by two machines of a Ray cluster as Parquet, beside those of one process: the rows are equal.

    python benchmarks/shards.py [--images N]

The images are those of benchmarks/beyond.py, one million of them, as an .npz file for the one process, and as PNGs in
Parquet shards for the cluster, which is two machines of one processor each on the loopback. Seconds are wall time.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from beyond import write
from lookalike import fit
from lookalike.data.arrays import numbered
from lookalike.detect.model import Model
from lookalike.runs.samples import png
from lookalike.use import scorefile, shards
from machine import save

SHARD = 5_000  # images of a shard


def as_shards(data: Path, folder: Path) -> None:
    """The images of an .npz file as PNGs in Parquet files."""
    folder.mkdir()
    with np.load(data) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    names = numbered(len(images))
    for i in range(0, len(images), SHARD):
        rows = slice(i, i + SHARD)
        files = [png(image[..., None]) for image in images[rows]]
        table = pa.table({"image": files, "name": names[rows], "class": list(map(str, labels[rows]))})
        parquet.write_table(table, folder / f"{i:08d}.parquet")


def sorted_rows(cells: dict[str, list[Any]]) -> list[np.ndarray]:
    """The columns of a table by the name of the image: name, class, score, p-value, flag."""
    kinds = {"name": str, "class": str, "score": np.float64, "p_value": np.float64, "flagged": bool}
    order = np.argsort(np.array(cells["name"]))
    return [np.array(cells[name], kind)[order] for name, kind in kinds.items()]


def from_csv(path: Path) -> dict[str, list[Any]]:
    """The columns of a score file."""
    with path.open(newline="") as handle:
        reader = csv.reader(handle)
        head = next(reader)
        columns = dict(zip(head, zip(*reader, strict=True), strict=True))
    return {name: list(values) for name, values in columns.items()} | {
        "flagged": [cell.lower() in ("true", "1") for cell in columns["flagged"]]
    }


def main() -> None:
    """Measures and saves."""
    from ray.cluster_utils import Cluster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    n = parser.parse_args().images
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  Ray's own name; its 15 waits for whatever else there is
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(data := folder / "digits.npz", n)
        fit("digits", known="3", method="pca", size="32,32", false_alarms=0.5, out=folder / "run")
        model, seconds = Model.load(folder / "run"), dict[str, float]()
        as_shards(data, folder / "shards")
        began = time.monotonic()
        scorefile.write(model, data, folder / "alone.csv")
        seconds["one process, wall s"] = round(time.monotonic() - began)
        print(seconds, flush=True)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        began = time.monotonic()
        shards.write(model, f"file://{folder / 'shards'}", folder / "both.parquet", address=cluster.address)
        seconds["two machines, wall s"] = round(time.monotonic() - began)
        cluster.shutdown()
        alone = sorted_rows(from_csv(folder / "alone.csv"))
        both = sorted_rows(parquet.read_table(folder / "both.parquet").to_pydict())
    same = [len(one) == len(other) and bool((one == other).all()) for one, other in zip(alone, both, strict=True)]
    save("shards", {"images": len(both[0]), **seconds, "rows equal in bits": all(same)})
    assert all(same), same


if __name__ == "__main__":
    main()
