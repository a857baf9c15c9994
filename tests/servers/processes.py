"""What the kernel says of processes: children, ends, and who of them reads."""

from __future__ import annotations

import time
from pathlib import Path


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still run; zombies are none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return sorted(found)


def readers(pid: int) -> list[int]:
    """The reader processes of a service."""
    return [child for child in children(pid) if "spawn_main" in _command(child)]


def gone(pids: list[int], timeout_s: float = 15.0) -> bool:
    """True if none of these processes is left; waits for it."""
    deadline = time.monotonic() + timeout_s
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def address_space(pid: int) -> int:
    """Bytes of a process's address space now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * 4096


def _command(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""
