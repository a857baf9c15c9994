"""The archive of baselines and limits that reports name, so that a report can be judged again."""

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

    A baseline is found by the fingerprint at the time it was archived; in 0.1.0 that covered the
    constraints too.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, baselines: Iterable[Baseline], limits: Iterable[Limits]) -> None:
        """Add baselines and limits unless they exist; to be called in a transaction."""
        bodies = [
            (name, body)
            for baseline in baselines
            for body in [baseline.encode()]
            for name in _names(baseline)
        ]
        self._db.executemany("INSERT OR IGNORE INTO baselines VALUES (?, ?)", bodies)
        bodies = [(limit_set.fingerprint, limit_set.encode()) for limit_set in limits]
        self._db.executemany("INSERT OR IGNORE INTO limits VALUES (?, ?)", bodies)

    def baseline(self, fingerprint: str) -> Baseline | None:
        """The baseline with this fingerprint; ``None`` if there is none."""
        body = self._body("SELECT body FROM baselines WHERE fingerprint = ?", fingerprint)
        return None if body is None else Baseline.decode(body)

    def limits(self, fingerprint: str) -> Limits | None:
        """The limits with this fingerprint; ``None`` if there are none, as in a file of 0.1.0."""
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'limits'").fetchone():
            return None
        body = self._body("SELECT body FROM limits WHERE fingerprint = ?", fingerprint)
        return None if body is None else Limits.decode(body)

    def _body(self, query: str, fingerprint: str) -> bytes | None:
        row = self._db.execute(query, (fingerprint,)).fetchone()
        return bytes(row[0]) if row else None


def _names(baseline: Baseline) -> list[str]:
    """What a baseline is archived by: its fingerprint, and with seasons also theirs beside it."""
    if baseline.seasons is None:
        return [baseline.fingerprint]
    return [baseline.fingerprint, _with_seasons(baseline.fingerprint, baseline.seasons.fingerprint)]


def _with_seasons(fingerprint: str, seasons: str) -> str:
    return f"{fingerprint}/{seasons}"


def read_baseline(path: Path, fingerprint: str, seasons: str = "") -> Baseline | None:
    """Return a baseline from the state at ``path``, which a service may own at the same time.

    ``seasons``: the fingerprint of its seasons, of which it may have had several. ``None`` if there
    is no such state or baseline.
    """
    if not path.exists():
        return None
    name = _with_seasons(fingerprint, seasons) if seasons else fingerprint
    with translated_errors(path), closing(_read_only(path)) as db:
        return Archive(db).baseline(name)


def read_limits(path: Path, fingerprint: str) -> Limits | None:
    """Return limits from the state at ``path``, which a service may own at the same time.

    ``None`` if there is no such state or no such limits in it.
    """
    if not path.exists():
        return None
    with translated_errors(path), closing(_read_only(path)) as db:
        return Archive(db).limits(fingerprint)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
