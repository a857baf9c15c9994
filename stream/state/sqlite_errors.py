"""What SQLite has to complain about, in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.errors import StateIncompatible, StateUnwritable

RESTORE: Final = "Restore it from a backup or start with another path"


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Around statements on the file at ``path``: raises ``StateUnwritable`` (full, no rights) or
    ``StateIncompatible`` (damaged).
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StateUnwritable(str(path), str(error)) from error
    except sqlite3.DatabaseError as error:
        raise StateIncompatible(
            "file", f"{path}: {error}", "a state file of driftline", RESTORE
        ) from error
