"""Does a change of the code change what a method learns? A hash of a short training for each method.

`python benchmarks/bits.py` trains every method for a few steps on scikit-learn's digits and writes the SHA-256 of its
weights and of its scores of 64 images. The bits hold for one machine and one version of torch. To compare two versions
of the code, run the file on the same machine with PYTHONPATH set to the `src` of each, and compare the two files.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import lookalike
import machine

TINY = {"size": "8,8", "images": 1024, "batch": 32, "search_steps": 5, "threads": 1, "seed": 0, "calibration": 0.2}


def names() -> list[str]:
    """Every method and baseline, as `lookalike methods` lists them."""
    done = subprocess.run(["lookalike", "methods", "--json"], check=True, capture_output=True, text=True)
    return [row["name"] for row in json.loads(done.stdout)]


def hashes(name: str, folder: Path) -> dict[str, str]:
    """SHA-256 of the weights, and of the scores of 64 images where the model scores."""
    gan = lookalike.METHODS.get(name)
    several = name.startswith("cnn") or (gan is not None and gan.per_class)
    known = ("3", "8") if several else ("3",)
    more = {"extra_fakes": ("8",)} if gan is not None and gan.needs_others else {}
    size = {} if gan is not None or name in ("pca", "knn") else {"size": "16,16"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # settings that a baseline does not use
        model = lookalike.fit("digits", known=known, method=name, out=folder, **{**TINY, **size, **more})
    weights = hashlib.sha256()
    for key, value in sorted(load_file(folder / "model.safetensors").items()):
        weights.update(f"{key} {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    images = lookalike.read("digits", size=model.size)
    scores = model.score(images.pixels[:64]).score
    return {"weights": weights.hexdigest()[:16], "scores": hashlib.sha256(scores.tobytes()).hexdigest()[:16]}


def main() -> None:
    """Trains all of them and saves the hashes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or names():
            found[name] = hashes(name, Path(folder) / name)
            print(f"{name:24} {found[name]['weights']} {found[name]['scores']}", flush=True)
    machine.save("bits", found)


if __name__ == "__main__":
    main()
