"""Translates the errors of SQLite into driftline's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.errors import StateUnreadable, StateUnwritable

RESTORE: Final = "Restore it from a backup, or start with another path"


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Context for statements on the file at ``path``.

    Raises ``StateUnwritable`` (disk full, permission denied) or ``StateUnreadable`` (damaged).
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StateUnwritable(str(path), str(error)) from error
    except sqlite3.DatabaseError as error:
        raise StateUnreadable(str(path), str(error), RESTORE) from error
