"""The state of a job in a file, read alongside a running owner: takes no lock, writes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from detectors.profiles.baseline import Baseline
from stream.aggregation.state import JobState
from stream.check.findings import Finding, Level, counted
from stream.errors import StateIncompatible
from stream.state.sqlite_errors import told
from stream.state.store import StateIdentity, compare


class StoredState(NamedTuple):
    """The last commit: the job that it belongs to, its state, and the baseline of each model."""

    identity: StateIdentity
    state: JobState
    baselines: Mapping[str, Baseline]


def read_stored(path: Path) -> StoredState | None:
    """Read the last commit of the file at ``path``.

    ``None`` if there is no file, or nothing was committed yet. Raises ``StateIncompatible`` or
    ``StateUnwritable`` as the service would, and ``msgspec.MsgspecError`` for the content of
    another version.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    with told(path), closing(sqlite3.connect(_address(path), uri=True)) as db:
        query = "SELECT name, body FROM meta WHERE name IN ('identity', 'state')"
        rows: dict[str, bytes] = dict(db.execute(query).fetchall())
        query = "SELECT fingerprint, body FROM baselines"
        bodies: dict[str, bytes] = dict(db.execute(query).fetchall())
    if len(rows) < 2:
        return None
    state = JobState.decode(rows["state"])
    baselines = {
        name: Baseline.decode(bodies[model.baseline])
        for name, model in state.models.items()
        if model.baseline in bodies
    }
    identity = msgspec.msgpack.decode(rows["identity"], type=StateIdentity)
    return StoredState(identity, state, baselines)


def ownership_finding(subject: str, stored: StoredState, configured: StateIdentity) -> Finding:
    """Return whether ``driftline run`` would continue from this state, and its progress.

    A change that ``--accept-change`` accepts is a warning.
    """
    levels: list[tuple[Level, bool]] = [("fault", True), ("warning", False)]
    for level, accept_change in levels:
        try:
            compare(stored.identity, configured, accept_change)
        except StateIncompatible as error:
            message = f"{error.field} was {error.stored}, the configuration says {error.configured}"
            return Finding(subject, message, level, error.advice)
    accepted = counted(stored.state.ledger.total("accepted"), "event")
    return Finding(subject, f"{accepted} accepted so far")


def _address(path: Path) -> str:
    """The read-only address of a file.

    A file without a write-ahead log has no writer; SQLite would create the log only to read it.
    """
    immutable = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    return f"{path.absolute().as_uri()}?mode=ro{immutable}"
