"""Live check of the state of a job in a file: without a lock, and without writing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from detectors.phrases import counted
from stream.check.findings import Finding, FindingLevel
from stream.errors import StateIncompatible
from stream.service.reconcile import ConfiguredJob, reconcile
from stream.state.read_only import open_read_only
from stream.state.sqlite_errors import translated_errors
from stream.state.stored import StoredState, read_stored


def read_stored_file(path: Path) -> StoredState | None:
    """Read the last commit of the file at ``path``.

    ``None`` if there is no file, or nothing was committed yet. Raises ``StateUnreadable`` or
    ``StateUnwritable`` as the service would.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    with translated_errors(path), closing(open_read_only(path)) as db:
        return read_stored(db, path)


def ownership_finding(subject: str, stored: StoredState, configured: ConfiguredJob) -> Finding:
    """Return a finding on whether ``driftline run`` would continue from this state.

    A change that ``--accept-change`` accepts is a warning.
    """
    levels: list[tuple[FindingLevel, bool]] = [("fault", True), ("warning", False)]
    for level, accept_change in levels:
        try:
            plan = reconcile(configured, stored, accept_change)
        except StateIncompatible as error:
            message = f"{error.field} was {error.stored}, configured is {error.configured}"
            return Finding(subject, message, level, error.advice)
    accepted = counted(stored.state.ledger.total("accepted"), "event")
    changed = ", ".join(change.model for change in plan.limits_changes)
    limits = f"; new limits apply from the next window: {changed}" if changed else ""
    return Finding(subject, f"{accepted} accepted so far{limits}")
