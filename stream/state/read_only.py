"""Opens a state file that a service may own at the same time, without writing to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def open_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read.

    A file without a write-ahead log has no writer; SQLite would create the log only to read it.
    """
    immutable = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{immutable}", uri=True)
