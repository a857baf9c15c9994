"""Creates a state file, and holds the lock on the file itself."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from detectors.phrases import counted
from stream.errors import StateLocked, StateUnreadable
from stream.state.sqlite_errors import RESTORE, translated_errors

APPLICATION_ID: Final = 0x64726674
"""Marks a database as a state of driftline: "drft"."""
SMALLEST_BYTES: Final = 512
"""The smallest database."""


def create(file: Path, schema: str) -> None:
    """Create a state without a commit: with its tables, or after a crash not at all.

    The file holds vocabularies, which are feature values: only its user may read it. SQLite gives
    the files that it creates next to it the same permissions. Raises ``OSError``, and
    ``StateUnwritable`` for a full disk.
    """
    new = Path(f"{file}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    with translated_errors(file), closing(sqlite3.connect(new)) as db:
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.executescript(schema)
    for suffix in ("-wal", "-shm"):  # of a state that was removed without them
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    new.replace(file)


def guarded(file: Path) -> int:
    """Return a descriptor of the state file that holds a lock on it.

    It must be opened before SQLite opens the file and closed after SQLite closes it, because
    closing any descriptor of a file releases the locks of SQLite on it. Raises ``StateLocked`` if
    another process has such a lock, ``StateUnreadable`` for a file that is empty or nearly so, and
    ``OSError``.
    """
    guard = os.open(file, os.O_RDWR)
    try:
        size = os.fstat(guard).st_size
        if size < SMALLEST_BYTES:  # SQLite takes such a file for a new database
            raise StateUnreadable(str(file), f"it has only {counted(size, 'byte')}", RESTORE)
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(guard)
        raise StateLocked(str(file)) from error
    except BaseException:
        os.close(guard)
        raise
    return guard
