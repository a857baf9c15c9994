"""The state of a job in a file, read beside a running owner: nothing is locked, nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from stream.check.findings import Finding, Level, counted
from stream.errors import StateIncompatible
from stream.service.reconcile import ConfiguredJob, reconcile
from stream.state.sqlite_errors import translated_errors
from stream.state.stored import StoredState
from stream.state.stored import read_stored as read_stored_from


def read_stored(path: Path) -> StoredState | None:
    """The last commit in the file at ``path``; ``None`` if there is no file, or nothing was
    committed yet.

    Raises ``StateUnreadable`` or ``StateUnwritable`` as the service would.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    with translated_errors(path), closing(sqlite3.connect(_address(path), uri=True)) as db:
        return read_stored_from(db, path)


def belonging(where: str, stored: StoredState, configured: ConfiguredJob) -> Finding:
    """Whether ``driftline run`` would continue from this state, and where it stands; a change that
    may be accepted is a warning.
    """
    levels: list[tuple[Level, bool]] = [("fault", True), ("warning", False)]
    for level, accepted in levels:
        try:
            plan = reconcile(configured, stored, accepted)
        except StateIncompatible as error:
            return Finding(
                where,
                f"{error.field} was {error.stored}, the configuration says {error.configured}",
                level,
                error.advice,
            )
    accepted_so_far = counted(stored.state.ledger.total("accepted"), "event")
    changed = ", ".join(change.model for change in plan.limits_changes)
    limits = f"; new limits apply from the next window: {changed}" if changed else ""
    return Finding(where, f"{accepted_so_far} accepted so far{limits}")


def _address(path: Path) -> str:
    """Read-only; a file without a log beside it has no writer, and SQLite would make the log's
    files only to look at it.
    """
    alone = not Path(f"{path}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
