"""Files: whether the folder can be written, and how much room it has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sinks.jsonl import Jsonl
from stream.check.findings import Finding, told_bytes
from stream.check.setup import CheckContext

LITTLE = 1 << 30


def look(sink: Jsonl, setup: CheckContext) -> list[Finding]:  # noqa: ARG001  # all looks are called alike
    """Rights and room of the folder, or of the first one above it that is there."""
    return [room(f"jsonl {sink.path}", Path(sink.path))]


def room(where: str, path: Path) -> Finding:
    """Whether something can be written at ``path``, and how much."""
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    disk = shutil.disk_usage(there)
    if not os.access(there, os.W_OK) or not disk.total:
        return Finding(
            where,
            f"{there} cannot be written",
            "fault",
            "Give the service the right to write there",
        )
    if disk.free < LITTLE:
        return Finding(
            where,
            f"{told_bytes(disk.free)} free",
            "warning",
            "Make room: a full disk stops the service",
        )
    return Finding(where, f"{told_bytes(disk.free)} free")
