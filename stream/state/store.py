"""The store: one SQLite file, one owner, one transaction for everything that belongs together."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.report import Signal, WindowReport
from stream.aggregation.state import STATE_VERSION, JobState
from stream.errors import StateIncompatible, StateUnwritable
from stream.events import DeadLetters, Output
from stream.state import event_ids as sqlite_ids
from stream.state.event_ids import SqliteIds
from stream.state.file_lock import FileLock
from stream.state.panes import SqlitePanes
from stream.state.sqlite_errors import told

Outgoing = WindowReport | Signal | DeadLetters
APPLICATION_ID = 0x64726674
"""Marks a database as a state of driftline: "drft"."""

_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS panes (model TEXT, variant TEXT, layout TEXT, start_ms INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (model, variant, layout, start_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS baselines (fingerprint TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (model TEXT, variant TEXT, start_ms INTEGER, revision INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (model, variant)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body BLOB NOT NULL, at_ms INTEGER);
CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""
    + sqlite_ids.SCHEMA
)
_VERSION = "Use the version of driftline that wrote it, or another state path"
_ACCEPT = "`--accept-change` closes the open windows as incomplete and goes on with the new one"
_NEWEST = """
INSERT INTO newest VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, variant) DO UPDATE
    SET start_ms = excluded.start_ms, revision = excluded.revision, body = excluded.body
    WHERE (excluded.start_ms, excluded.revision) >= (newest.start_ms, newest.revision)
"""
_KINDS: dict[str, type[Outgoing]] = {"report": WindowReport, "signal": Signal, "dead": DeadLetters}
_LAST = (1 << 63) - 1
_KIND_OF = {kind: name for name, kind in _KINDS.items()}


class StateIdentity(msgspec.Struct, frozen=True):
    """What a state belongs to. ``source``: what its positions are positions in. ``configured``:
    fingerprint of the configured baseline of each model (empty: learned), also of models that were
    watched once.
    """

    job: str
    source: str
    window_ms: int
    every_ms: int
    version: int = STATE_VERSION
    configured: dict[str, str] = {}


class OutboxItem(NamedTuple):
    """An item of the outbox, its bytes, and when it was committed. Numbers rise, and a sink's
    cursor is the last one it delivered.
    """

    seq: int
    item: Outgoing
    size: int
    at_ms: int


class Store:
    """Owns the state file for as long as it is open: a lock beside it refuses a second owner
    (``lock``: who opens the store holds it).

    WAL, ``synchronous=FULL``: what :meth:`commit` returned from survives a crash of the process and
    of the machine; what it did not return from never happened. Raises ``StateLocked``,
    ``StateIncompatible`` (not ours, damaged, another version) and ``StateUnwritable`` (full disk:
    the transaction is rolled back and the file stays as it was).
    """

    def __init__(self, path: Path, lock: FileLock | None = None) -> None:
        self.path, self.written_bytes = path, 0
        self._lock = FileLock(path) if lock is None else None
        try:
            path.touch(
                0o600
            )  # it holds vocabularies, which are feature values; SQLite gives its other files the same rights
            self._open()
        except OSError as error:
            self._unlock()
            raise StateUnwritable(str(path), error.strerror or str(error)) from error
        except BaseException:
            self._unlock()
            raise

    def _open(self) -> None:
        with told(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._ours()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            if "at_ms" not in {
                column for _, column, *_ in self._db.execute("PRAGMA table_info(outbox)")
            }:
                self._db.execute(
                    "ALTER TABLE outbox ADD COLUMN at_ms INTEGER"
                )  # a file of an older driftline

    def _ours(self) -> None:
        """Mark a new file as ours; refuse one with tables that is not."""
        (found,) = self._db.execute("PRAGMA application_id").fetchone()
        if found != APPLICATION_ID and self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise StateIncompatible(
                "file",
                f"{self.path}: another program's database",
                "a state file of driftline",
                "Choose another path",
            )
        self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")

    def close(self) -> None:
        """Close the file and give up its own lock; safe to call twice."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def snapshot(self) -> bytes:
        """The file as the last commit left it."""
        with told(self.path):
            return self._db.serialize()

    def load(self, identity: StateIdentity, accept_change: bool = False) -> JobState:
        """The committed state, or a new one. Raises ``StateIncompatible`` naming the field that
        differs.

        ``accept_change``: another baseline or window is no difference.
        """
        stored = self._meta("identity")
        if stored is None:
            return JobState()
        try:
            compare(msgspec.msgpack.decode(stored, type=StateIdentity), identity, accept_change)
            return JobState.decode(self._meta("state") or b"")
        except msgspec.MsgspecError as error:
            raise StateIncompatible(
                "content", "something unreadable", f"that of version {STATE_VERSION}", str(error)
            ) from error

    def commit(
        self,
        identity: StateIdentity,
        state: JobState,
        panes: SqlitePanes,
        outputs: Sequence[Output],
        cursors: Mapping[str, int],
        takes: Mapping[str, tuple[type[Outgoing], ...]] | None = None,
        ids: SqliteIds | None = None,
    ) -> list[OutboxItem]:
        """Write everything in one transaction; returns the outgoing items with their numbers.

        An item leaves the outbox when the cursors of all sinks that take it are past it (``takes``,
        by sink; without it each takes all).
        """
        parts: list[SqlitePanes | SqliteIds] = [panes] if ids is None else [panes, ids]
        with told(self.path), self._transaction() as db:
            db.execute(
                "REPLACE INTO meta VALUES ('identity', ?)", (msgspec.msgpack.encode(identity),)
            )
            encoded = state.encode()
            db.execute("REPLACE INTO meta VALUES ('state', ?)", (encoded,))
            written = len(encoded) + sum(part.write(db) for part in parts)
            now_ms = int(time.time() * 1000)
            numbered = [_put(db, item, now_ms) for item in outputs if isinstance(item, Outgoing)]
            db.execute("DELETE FROM cursors")
            db.executemany("INSERT INTO cursors VALUES (?, ?)", cursors.items())
            for name, kind in _KINDS.items():
                taking = [
                    seq for sink, seq in cursors.items() if takes is None or kind in takes[sink]
                ]
                db.execute(
                    "DELETE FROM outbox WHERE kind = ? AND seq <= ?",
                    (name, min(taking, default=_LAST)),
                )
        for part in parts:
            part.written()
        self.written_bytes = written
        return numbered

    def identity(self) -> StateIdentity | None:
        """What the stored state belongs to; ``None`` if nothing was committed yet."""
        stored = self._meta("identity")
        return msgspec.msgpack.decode(stored, type=StateIdentity) if stored else None

    def outbox(self) -> list[OutboxItem]:
        """What some sink may not have delivered yet, oldest first."""
        now_ms = int(time.time() * 1000)
        rows = self._db.execute(
            "SELECT seq, kind, body, coalesce(at_ms, ?) FROM outbox ORDER BY seq", (now_ms,)
        ).fetchall()
        return [
            OutboxItem(seq, msgspec.msgpack.decode(body, type=_KINDS[kind]), len(body), at)
            for seq, kind, body, at in rows
        ]

    def cursors(self) -> dict[str, int]:
        """The last number that each sink delivered."""
        return dict(self._db.execute("SELECT sink, seq FROM cursors").fetchall())

    def last_seq(self) -> int:
        """The highest number ever given; a sink that is new begins behind it."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        return int(row[0]) if row else 0

    def newest(self) -> list[WindowReport]:
        """The newest report of each model and variant."""
        rows = self._db.execute("SELECT body FROM newest ORDER BY model, variant").fetchall()
        return [msgspec.msgpack.decode(body, type=WindowReport) for (body,) in rows]

    def keep_baseline(self, baseline: Baseline) -> None:
        """Keep a baseline for ever: reports name it by its fingerprint."""
        with told(self.path), self._transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO baselines VALUES (?, ?)",
                (baseline.fingerprint, baseline.encode()),
            )

    def baseline(self, fingerprint: str) -> Baseline | None:
        """A kept baseline."""
        row = self._db.execute(
            "SELECT body FROM baselines WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return Baseline.decode(row[0]) if row else None

    def panes(self, layouts: Iterable[Layout]) -> SqlitePanes:
        """The panes of this store that have one of these layouts."""
        return SqlitePanes(self.path, self._db, layouts)

    def ids(self) -> SqliteIds:
        """The ids that are remembered in this store."""
        return SqliteIds(self.path, self._db)

    def _meta(self, name: str) -> bytes | None:
        with told(self.path):
            row = self._db.execute("SELECT body FROM meta WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _put(db: sqlite3.Connection, item: Outgoing, now_ms: int) -> OutboxItem:
    body = msgspec.msgpack.encode(item)
    seq = db.execute(
        "INSERT INTO outbox (kind, body, at_ms) VALUES (?, ?, ?)",
        (_KIND_OF[type(item)], body, now_ms),
    ).lastrowid
    if isinstance(item, WindowReport):
        db.execute(_NEWEST, (item.model, item.variant, item.start_ms, item.revision, body))
    return OutboxItem(int(seq or 0), item, len(body), now_ms)


def is_ours(content: bytes) -> bool:
    """Whether this is the content of a state file of driftline."""
    return (
        content.startswith(b"SQLite format 3\0")
        and int.from_bytes(content[68:72], "big") == APPLICATION_ID
    )


def compare(stored: StateIdentity, configured: StateIdentity, accept_change: bool) -> None:
    """Raise ``StateIncompatible`` for the first thing in which a stored state belongs to another
    configuration.

    With ``accept_change`` the length of windows and the baselines may differ.
    """
    other = (
        "Use another `job` name or state path for the new configuration, or go back to the old one"
    )
    for field in ("version", "job", "source", "window_ms", "every_ms"):
        before, now = getattr(stored, field), getattr(configured, field)
        may_change = field in ("window_ms", "every_ms")
        if before != now and not (accept_change and may_change):
            advice = _ACCEPT if may_change else _VERSION if field == "version" else other
            raise StateIncompatible(field, str(before), str(now), advice)
    for model, fingerprint in configured.configured.items():
        before = stored.configured.get(model, fingerprint)
        if before != fingerprint and not accept_change:
            what = f"baseline of model {model!r}"
            raise StateIncompatible(what, before or "learned", fingerprint or "learned", _ACCEPT)


def read_baseline(path: Path, fingerprint: str) -> Baseline | None:
    """A baseline that the state at ``path`` keeps; reads beside a running owner. ``None`` if there
    is no such state or baseline.
    """
    if not path.exists():
        return None
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        row = db.execute(
            "SELECT body FROM baselines WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
    finally:
        db.close()
    return Baseline.decode(row[0]) if row else None
