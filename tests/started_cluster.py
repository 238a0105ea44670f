"""A real Ray cluster of two machines on the loopback, for tests that compute on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.faces import cli

SOURCE = str(Path(cli.__file__).parents[2])


def started():
    """A cluster of two machines with a processor each, whose working folder is the root."""
    from ray.cluster_utils import Cluster

    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", SOURCE)
        patch.setenv("RAY_worker_niceness", "0")  # Ray's own 15 waits for whatever else the machine does
        patch.chdir("/")
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        found.add_node(num_cpus=1)
    assert Path.cwd() == before
    return found
