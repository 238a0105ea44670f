"""This process as a part of a Ray cluster, which others start. Ray is loaded only here, and only where asked."""

from __future__ import annotations

import logging
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from lookalike.base import interrupts
from lookalike.base.errors import LostError, UsageError, install, show

AUTO = "auto"  # the cluster that this machine is a part of
PATIENCE = 10.0  # seconds that the head may be silent
RETRIES = 3  # of work whose process or machine is lost
ANSWER = 2.0  # seconds that the head may take to answer
GPU = "cuda"  # the device of which Ray picks the card
START = "start it with 'ray start --head' there, or join it with 'ray start --address=HOST:PORT'"


def check(address: str, device: str = "cpu") -> None:
    """Raises UsageError without the extra `cluster`, for a device with a number, and where nobody is at the address."""
    if device not in ("cpu", GPU):
        raise UsageError(f"with --cluster --device is cpu or {GPU}, as Ray picks the card; change {show(device)}")
    if find_spec("ray") is None:
        raise UsageError(f"--cluster needs the package ray; {install('cluster')}, or leave the flag out")
    if address != AUTO and not answers(host_and_port(address)):
        raise UsageError(f"no Ray cluster answers at {show(address)}; {START}")


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """Ray, as a part of the cluster, without its own lines. Raises UsageError."""
    check(address)
    with warnings.catch_warnings(), interrupts.handlers_kept():
        warnings.simplefilter("ignore")
        import ray

        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = "of this machine" if address == AUTO else f"at {show(address)}"
            raise UsageError(f"the Ray cluster {where} cannot be joined: {first_line(error)}; {START}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


class Head:
    """The head of the cluster, and whether it is there."""

    def __init__(self, ray: Any) -> None:
        self.address = host_and_port(ray.get_runtime_context().gcs_address)
        self.looked = self.heard = time.monotonic()

    def look(self) -> bool:
        """Looks once a second; says whether it looked and the head was there. Raises LostError.

        Ray itself would wait for a minute, and then end this process.
        """
        now = time.monotonic()
        if now < self.looked + 1:
            return False
        self.looked = now
        if answers(self.address):
            self.heard = time.monotonic()
            return True
        if now > self.heard + PATIENCE:
            where = f"{self.address[0]}:{self.address[1]}"
            raise LostError(
                f"the head of the cluster at {where} is lost; what has ended is kept; start it again, and run the same "
                "command again"
            )
        return False


def asked(ray: Any, threads: int, device: str) -> dict[str, int]:
    """What a piece of work asks of Ray: processors, as many as one machine can give, a GPU, and to be tried again."""
    largest = max((int(one["Resources"].get("CPU", 0)) for one in ray.nodes() if one["Alive"]), default=0)
    return {"num_cpus": min(threads, largest), "num_gpus": int(device == GPU), "max_retries": RETRIES}


def room(address: str, device: str) -> int:
    """How much work the cluster can do at once. Raises UsageError in the cases of `joined` and `room_of`."""
    with joined(address) as ray:
        return room_of(ray, device)


def room_of(ray: Any, device: str) -> int:
    """Processors of the cluster, or GPUs. Raises UsageError where it never can."""
    there = int(ray.cluster_resources().get("GPU" if device == GPU else "CPU", 0))
    if not there:
        raise UsageError(
            f"no machine of the cluster has a {'GPU' if device == GPU else 'CPU'} to give; add one that has"
        )
    return there


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of an address. Raises UsageError."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--cluster {show(address)} is no address; give HOST:PORT of the head, or {AUTO}")
    return host, int(port)


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(address, ANSWER):
        return True
    return False


def first_line(error: object) -> str:
    """The first line of what Ray says."""
    return show(str(error).strip().partition("\n")[0].rstrip("."))
