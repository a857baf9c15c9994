"""Live check of the jsonl sink: write permission, and free disk space."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from sinks.jsonl import Jsonl
from stream.check.findings import Finding, format_size
from stream.check.setup import CheckContext

LITTLE_SPACE: Final = 1 << 30


def live_check(sink: Jsonl, context: CheckContext) -> list[Finding]:  # noqa: ARG001  # all live checks have one signature
    """Check permission and free space of the folder, or of its nearest existing parent."""
    return [disk_finding(f"jsonl {sink.path}", Path(sink.path))]


def disk_finding(subject: str, path: Path) -> Finding:
    """Return whether files can be written at ``path``, and the free space there."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    disk = shutil.disk_usage(existing)
    if not os.access(existing, os.W_OK) or not disk.total:
        advice = "Give the service write permission there"
        return Finding(subject, f"{existing} cannot be written to", "fault", advice)
    message = f"{format_size(disk.free)} free"
    if disk.free < LITTLE_SPACE:
        return Finding(subject, message, "warning", "Free some space: a full disk stops the job")
    return Finding(subject, message)
