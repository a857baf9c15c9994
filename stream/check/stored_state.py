"""The state of a job in a file, read beside a running owner: nothing is locked, nothing is written."""

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
    """What was committed last: whose it is, the state of the job, and the baseline that each model
    counts with.
    """

    identity: StateIdentity
    state: JobState
    baselines: Mapping[str, Baseline]


def read_stored(path: Path) -> StoredState | None:
    """The last commit in the file at ``path``; ``None`` if there is no file, or nothing was
    committed yet.

    Raises ``StateIncompatible`` or ``StateUnwritable`` as the service would, and
    ``msgspec.MsgspecError`` for another version's content.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    with told(path), closing(sqlite3.connect(_address(path), uri=True)) as db:
        rows: dict[str, bytes] = dict(
            db.execute("SELECT name, body FROM meta WHERE name IN ('identity', 'state')").fetchall()
        )
        kept: dict[str, bytes] = dict(
            db.execute("SELECT fingerprint, body FROM baselines").fetchall()
        )
    if len(rows) < 2:
        return None
    state = JobState.decode(rows["state"])
    baselines = {
        name: Baseline.decode(kept[one.baseline])
        for name, one in state.models.items()
        if one.baseline in kept
    }
    return StoredState(
        msgspec.msgpack.decode(rows["identity"], type=StateIdentity), state, baselines
    )


def belonging(where: str, stored: StoredState, configured: StateIdentity) -> Finding:
    """Whether ``driftline run`` would go on from this state, and where it stands; a change that may
    be accepted is a warning.
    """
    levels: list[tuple[Level, bool]] = [("fault", True), ("warning", False)]
    for level, accepted in levels:
        try:
            compare(stored.identity, configured, accepted)
        except StateIncompatible as error:
            return Finding(
                where,
                f"{error.field} was {error.stored}, the configuration says {error.configured}",
                level,
                error.advice,
            )
    return Finding(
        where, f"{counted(stored.state.ledger.total('accepted'), 'event')} accepted so far"
    )


def _address(path: Path) -> str:
    """Read-only; a file without a log beside it has no writer, and SQLite would make the log's
    files only to look at it.
    """
    alone = not Path(f"{path}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
