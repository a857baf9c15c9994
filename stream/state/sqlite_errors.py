"""Translates the errors of SQLite and of damaged content into driftline's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stream.errors import DriftlineError, StateUnreadable, StateUnwritable

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
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter for text
        raise StateUnreadable(str(path), str(error), RESTORE) from error


@contextmanager
def reported_damage(path: Path, subject: str) -> Iterator[None]:
    """Context for the decoding of ``subject``, which was read from the file at ``path``.

    Raises ``StateUnreadable`` whatever the decoding raises: bytes that were damaged may fail
    anywhere in it, and nothing else runs in such a context.
    """
    try:
        yield
    except (DriftlineError, sqlite3.Error):
        raise
    except Exception as error:
        reason = f"{subject} is damaged ({error or type(error).__name__})"
        raise StateUnreadable(str(path), reason, RESTORE) from error
