"""Child processes, as the kernel lists them."""

from __future__ import annotations

import time
from pathlib import Path


def children(pid: int) -> list[int]:
    """The running child processes of a process; zombies do not count."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                pids.append(int(entry.name))
    return sorted(pids)


def have_ended(pids: list[int], timeout_s: float = 15.0) -> bool:
    """Wait until none of these processes exists; return whether that happened in time."""
    deadline = time.monotonic() + timeout_s
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
