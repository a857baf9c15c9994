"""Baselines and limits that reports name: kept for good, so that a report can be judged again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from detectors.decisions.limits import Limits
from detectors.profiles.baseline import Baseline
from stream.state.sqlite_errors import translated_errors

SCHEMA = """
CREATE TABLE IF NOT EXISTS baselines (
    fingerprint TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS limits (
    fingerprint TEXT PRIMARY KEY, body BLOB NOT NULL
) WITHOUT ROWID;
"""


class Archive:
    """Baselines and limits by fingerprint, in an open state file.

    A baseline is found by the fingerprint it was kept under: for one that 0.1.0 kept, that covered
    the constraints too.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, baselines: Iterable[Baseline], limits: Iterable[Limits]) -> None:
        """Keep baselines and limits; what is kept already stays. Belongs into a transaction."""
        bodies = [(baseline.fingerprint, baseline.encode()) for baseline in baselines]
        self._db.executemany("INSERT OR IGNORE INTO baselines VALUES (?, ?)", bodies)
        bodies = [(limit_set.fingerprint, limit_set.encode()) for limit_set in limits]
        self._db.executemany("INSERT OR IGNORE INTO limits VALUES (?, ?)", bodies)

    def baseline(self, fingerprint: str) -> Baseline | None:
        """The baseline that was kept under this fingerprint."""
        body = self._body("SELECT body FROM baselines WHERE fingerprint = ?", fingerprint)
        return None if body is None else Baseline.decode(body)

    def limits(self, fingerprint: str) -> Limits | None:
        """The limits with this fingerprint; ``None`` for a file of 0.1.0, which kept none."""
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'limits'").fetchone():
            return None
        body = self._body("SELECT body FROM limits WHERE fingerprint = ?", fingerprint)
        return None if body is None else Limits.decode(body)

    def _body(self, query: str, fingerprint: str) -> bytes | None:
        row = self._db.execute(query, (fingerprint,)).fetchone()
        return bytes(row[0]) if row else None


def read_baseline(path: Path, fingerprint: str) -> Baseline | None:
    """A baseline kept in the state at ``path``; may be read while a service owns the state.

    ``None`` if there is no such state or baseline.
    """
    if not path.exists():
        return None
    with translated_errors(path), closing(_read_only(path)) as db:
        return Archive(db).baseline(fingerprint)


def read_limits(path: Path, fingerprint: str) -> Limits | None:
    """Limits kept in the state at ``path``; may be read while a service owns the state.

    ``None`` if there is no such state or no such limits in it.
    """
    if not path.exists():
        return None
    with translated_errors(path), closing(_read_only(path)) as db:
        return Archive(db).limits(fingerprint)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
