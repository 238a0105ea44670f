"""Which machine this is, and whether the locks of a folder hold between machines."""

from __future__ import annotations

import os
import platform
from functools import cache
from hashlib import sha256
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")  # containers of one machine share it, and its locks
MOUNTS = Path("/proc/self/mountinfo")
ALWAYS_LOCAL = ("9p", "virtiofs", "vboxsf", "fuse.sshfs", "fuse.vmhgfs-fuse")  # file systems
LOCAL_WITH = {  # file systems whose locks are local with one of these options
    "nfs": {"nolock", "local_lock=all", "local_lock=flock"},
    "nfs4": {"nolock", "local_lock=all", "local_lock=flock"},
    "cifs": {"nobrl", "nolock"},
    "smb3": {"nobrl", "nolock"},
    "lustre": {"localflock"},
}


@cache
def this() -> str:
    """8 hex digits of this machine, which differ after it has started again."""
    try:
        boot = BOOT.read_text("ascii")
    except OSError:
        boot = platform.node()
    return sha256(boot.encode()).hexdigest()[:8]


def locks_reach(folder: Path) -> bool:
    """Whether a lock in `folder` is one for every machine that has the folder, as far as the system says."""
    try:
        lines = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return True
    place, best, reach = os.path.realpath(folder), "", True
    for line in lines:
        mount, _, system = line.partition(" - ")
        point = mount.split()[4].replace(r"\040", " ")
        if not f"{place}/".startswith(point.rstrip("/") + "/") or len(point) < len(best):
            continue
        kind, *_, options = system.split()
        best = point
        reach = kind not in ALWAYS_LOCAL and not LOCAL_WITH.get(kind, set()) & set(options.split(","))
    return reach
