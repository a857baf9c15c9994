"""The store: one SQLite file with one owner, in which each commit is a single transaction."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from detectors.decisions.limits import Limits
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.aggregation.state import JobState
from stream.errors import StateUnreadable, StateUnwritable
from stream.events import DeadLetters, Output
from stream.state import archive, event_ids, histories
from stream.state import panes as profiles
from stream.state.event_ids import SqliteIds
from stream.state.file_lock import FileLock
from stream.state.histories import SqliteHistories
from stream.state.identity import StateIdentity
from stream.state.labels import join_store, quality_panes, waiting_slice
from stream.state.labels.join_store import JoinSizes, SqliteJoinStore
from stream.state.labels.quality_panes import SqliteQualityPanes
from stream.state.panes import SqlitePanes, SqlitePeriods, SqliteSeasons
from stream.state.sqlite_errors import reported_damage, translated_errors
from stream.state.state_file import APPLICATION_ID, create, guarded
from stream.state.stored import StoredState, read_stored
from stream.state.tables import StateTable, StateTables

Outgoing = WindowReport | Signal | QualityReport | ScheduleReport | DeadLetters
_SCHEMA: Final = (
    """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (
    model TEXT, variant TEXT, start_ms INTEGER, revision INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (model, variant)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest_quality (
    model TEXT, variant TEXT, judged INTEGER, start_ms INTEGER, revision INTEGER,
    body BLOB NOT NULL, PRIMARY KEY (model, variant, judged)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body BLOB NOT NULL, at_ms INTEGER
);
CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
"""
    + profiles.SCHEMA
    + histories.SCHEMA
    + archive.SCHEMA
    + event_ids.SCHEMA
    + waiting_slice.SCHEMA
    + quality_panes.SCHEMA
)
_NEWEST: Final = """
INSERT INTO newest VALUES (?, ?, ?, ?, ?) ON CONFLICT (model, variant) DO UPDATE
    SET start_ms = excluded.start_ms, revision = excluded.revision, body = excluded.body
    WHERE (excluded.start_ms, excluded.revision) >= (newest.start_ms, newest.revision)
"""
_NEWEST_QUALITY: Final = """
INSERT INTO newest_quality VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (model, variant, judged) DO UPDATE
    SET start_ms = excluded.start_ms, revision = excluded.revision, body = excluded.body
    WHERE (excluded.start_ms, excluded.revision)
        >= (newest_quality.start_ms, newest_quality.revision)
"""
_TYPES: Final[dict[str, type[Outgoing]]] = {
    "report": WindowReport,
    "signal": Signal,
    "quality": QualityReport,
    "schedule": ScheduleReport,
    "dead": DeadLetters,
}
_KIND_OF: Final = {type_: kind for kind, type_ in _TYPES.items()}
_OF_A_GENERATION: Final = (
    "meta",
    "panes",
    "periods",
    "histories",
    "seasons",
    "newest",
    "newest_quality",
    "ids",
    "quality_panes",
)
"""The tables that are emptied when a job begins anew."""
_LAST_SEQ: Final = (1 << 63) - 1


class OutboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the outbox: its number, its encoded ``size`` in bytes, and when it was committed.

    Numbers rise; a sink's cursor is the number of the last item that is settled.
    """

    seq: int
    item: Outgoing
    size: int
    at_ms: int


class Store:
    """Owns the state file while it is open.

    A lock next to the file refuses a second owner; with ``lock``, the caller holds it already. A
    lock on the file itself refuses one that comes by a hard link, or after the first was removed.
    The file is in WAL mode with ``synchronous=FULL``: a commit that returned survives a crash of
    the process and of the machine, and one that did not return never happened.

    Raises ``StateLocked``, ``StateUnreadable`` (another program's database, damaged, empty) and
    ``StateUnwritable`` (disk full: the transaction is rolled back and the file stays as it was).
    """

    def __init__(self, path: Path, lock: FileLock | None = None) -> None:
        self.path = path
        self.written_bytes = 0
        self._lock = FileLock(path) if lock is None else None
        self._guard = -1
        try:
            file = Path(os.path.realpath(path))
            if not file.exists():
                create(file, _SCHEMA)
            self._guard = guarded(file)
            self._open()
        except OSError as error:
            self._unlock()
            raise StateUnwritable(str(path), error.strerror or str(error)) from error
        except BaseException:
            self._unlock()
            raise

    def _open(self) -> None:
        with translated_errors(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._claim_file()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._add_commit_times()

    def _claim_file(self) -> None:
        """Mark a new file as driftline's; refuse the database of another program."""
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        has_tables = self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and has_tables:
            reason = "it is another program's database"
            raise StateUnreadable(str(self.path), reason, "Choose another path")
        self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")

    def _add_commit_times(self) -> None:
        """Add the column of commit times to an outbox of an earlier version."""
        columns = {name for _, name, *_ in self._db.execute("PRAGMA table_info(outbox)")}
        if "at_ms" not in columns:
            self._db.execute("ALTER TABLE outbox ADD COLUMN at_ms INTEGER")

    def close(self) -> None:
        """Close the file and release the store's own lock; safe to call twice."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._guard >= 0:  # after SQLite's own locks: closing any descriptor releases them
            os.close(self._guard)
            self._guard = -1
        if self._lock is not None:
            self._lock.close()

    def snapshot(self) -> bytes:
        """Return the content of the file as of the last commit."""
        with translated_errors(self.path):
            return self._db.serialize()

    def load(self) -> StoredState | None:
        """Return the last commit; ``None`` if nothing was committed yet.

        Raises ``StateUnreadable`` if it is damaged or was written by another version.
        """
        with translated_errors(self.path):
            return read_stored(self._db, self.path)

    def generation(self) -> str | None:
        """Return the generation of the reports; ``None`` before the job has begun.

        It is empty for the first generation, and for a state of 0.1.0.
        """
        with translated_errors(self.path):
            query = "SELECT name, body FROM meta WHERE name IN ('generation', 'identity')"
            rows: dict[str, bytes] = dict(self._db.execute(query).fetchall())
        if not rows:
            return None
        return bytes(rows.get("generation", b"")).decode(errors="replace")

    def begin(self, generation: str) -> None:
        """Forget positions, counts, episodes, event ids and labels: it begins as ``generation``.

        Baselines and limits that reports name are kept, and so are the undelivered items.
        """
        with translated_errors(self.path), self._transaction() as db:
            for table in _OF_A_GENERATION:
                db.execute(f"DELETE FROM {table}")  # noqa: S608  # the names are constants
            join_store.clear(db)
            row = ("generation", generation.encode())
            db.execute("INSERT INTO meta VALUES (?, ?)", row)

    def commit(
        self,
        identity: StateIdentity,
        state: JobState,
        tables: Iterable[StateTable],
        outputs: Sequence[Output],
        cursors: Mapping[str, int],
        takes: Mapping[str, tuple[type[Outgoing], ...]] | None = None,
    ) -> list[OutboxItem]:
        """Write everything in one transaction; returns the outgoing items with their numbers.

        Of ``tables`` the changes are written. ``cursors`` maps each sink to its cursor, ``takes``
        to the types it takes (without it every sink takes all). An item leaves the outbox once the
        cursors of all sinks that take it have passed it.
        """
        parts = tuple(tables)
        with translated_errors(self.path), self._transaction() as db:
            encoded = state.encode()
            rows = [("identity", msgspec.msgpack.encode(identity)), ("state", encoded)]
            db.executemany("REPLACE INTO meta VALUES (?, ?)", rows)
            written = len(encoded) + sum(part.write(db) for part in parts)
            now_ms = int(time.time() * 1000)
            numbered = [_put(db, item, now_ms) for item in outputs if isinstance(item, Outgoing)]
            _keep_newest(db, numbered)
            db.execute("DELETE FROM cursors")
            db.executemany("INSERT INTO cursors VALUES (?, ?)", cursors.items())
            _trim_outbox(db, cursors, takes)
        for part in parts:
            part.written()
        self.written_bytes = written
        return numbered

    def keep(self, baselines: Iterable[Baseline], limits: Iterable[Limits]) -> None:
        """Archive baselines and limits, so that reports may name them."""
        with translated_errors(self.path), self._transaction() as db:
            archive.Archive(db).add(baselines, limits)

    def outbox(self) -> list[OutboxItem]:
        """Return the items that at least one sink may not have delivered yet, oldest first."""
        now_ms = int(time.time() * 1000)
        query = "SELECT seq, kind, body, coalesce(at_ms, ?) FROM outbox ORDER BY seq"
        with translated_errors(self.path), reported_damage(self.path, "the outbox"):
            return [
                OutboxItem(
                    seq=seq,
                    item=msgspec.msgpack.decode(body, type=_TYPES[kind]),
                    size=len(body),
                    at_ms=int(at_ms),
                )
                for seq, kind, body, at_ms in self._db.execute(query, (now_ms,))
            ]

    def cursors(self) -> dict[str, int]:
        """Return the cursor of each sink."""
        with translated_errors(self.path), reported_damage(self.path, "the list of cursors"):
            rows = self._db.execute("SELECT sink, seq FROM cursors").fetchall()
            return msgspec.convert(dict(rows), dict[str, int])

    def last_seq(self) -> int:
        """Return the highest number ever given; the cursor of a new sink starts there."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        return int(row[0]) if row else 0

    def newest(self) -> list[WindowReport]:
        """Return the newest report of each model and variant."""
        with translated_errors(self.path), reported_damage(self.path, "the newest reports"):
            rows = self._db.execute("SELECT body FROM newest ORDER BY model, variant").fetchall()
            return [msgspec.msgpack.decode(body, type=WindowReport) for (body,) in rows]

    def newest_quality(self) -> list[QualityReport]:
        """Return the newest quality report of each model and variant, and the newest judged one.

        In order of model, variant and window; a report that is both is returned once.
        """
        query = "SELECT body FROM newest_quality ORDER BY model, variant, start_ms, revision"
        with translated_errors(self.path), reported_damage(self.path, "the newest quality reports"):
            rows = self._db.execute(query).fetchall()
            reports = [msgspec.msgpack.decode(body, type=QualityReport) for (body,) in rows]
        return list({report.id: report for report in reports}.values())

    def tables(self, layouts: Iterable[Layout]) -> StateTables:
        """Open all tables; profiles are those that have one of these layouts."""
        known = tuple(layouts)
        return StateTables(
            panes=self.panes(known),
            periods=self.periods(known),
            seasons=self.seasons(known),
            histories=self.histories(),
            ids=self.ids(),
            joins=self.joins(),
            quality_panes=self.quality_panes(),
        )

    def panes(self, layouts: Iterable[Layout]) -> SqlitePanes:
        """Open the panes of this store that have one of these layouts."""
        return SqlitePanes(self.path, self._db, layouts)

    def periods(self, layouts: Iterable[Layout]) -> SqlitePeriods:
        """Open the sums of periods of this store that have one of these layouts."""
        return SqlitePeriods(self.path, self._db, layouts)

    def seasons(self, layouts: Iterable[Layout]) -> SqliteSeasons:
        """Open the counts of the seasons of this store that have one of these layouts."""
        return SqliteSeasons(self.path, self._db, layouts)

    def histories(self) -> SqliteHistories:
        """Open the histories of this store."""
        return SqliteHistories(self.path, self._db)

    def ids(self) -> SqliteIds:
        """Open the event ids that this store remembers."""
        return SqliteIds(self.path, self._db)

    def joins(self, sizes: JoinSizes | None = None) -> SqliteJoinStore:
        """Open the predictions and labels that wait for each other."""
        return SqliteJoinStore(self.path, self._db, sizes)

    def quality_panes(self) -> SqliteQualityPanes:
        """Open the quality panes of this store."""
        return SqliteQualityPanes(self.path, self._db)

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


def is_state(content: bytes) -> bool:
    """Return whether this is the content of a state file of driftline."""
    application = int.from_bytes(content[68:72], "big")
    return content.startswith(b"SQLite format 3\0") and application == APPLICATION_ID


def _put(db: sqlite3.Connection, item: Outgoing, now_ms: int) -> OutboxItem:
    body = msgspec.msgpack.encode(item)
    query = "INSERT INTO outbox (kind, body, at_ms) VALUES (?, ?, ?)"
    seq = db.execute(query, (_KIND_OF[type(item)], body, now_ms)).lastrowid
    return OutboxItem(seq=int(seq or 0), item=item, size=len(body), at_ms=now_ms)


def _keep_newest(db: sqlite3.Connection, items: Sequence[OutboxItem]) -> None:
    """Keep the newest reports of each model and variant, and the newest quality that was judged."""
    newest: dict[tuple[str | int, ...], WindowReport | QualityReport] = {}
    for item in items:
        report = item.item
        if isinstance(report, WindowReport | QualityReport):
            for key in _keys(report):
                last = newest.get(key)
                if last is None or _age(report) >= _age(last):
                    newest[key] = report
    for key, report in newest.items():
        query = _NEWEST if isinstance(report, WindowReport) else _NEWEST_QUALITY
        db.execute(query, (*key, *_age(report), msgspec.msgpack.encode(report)))


def _keys(report: WindowReport | QualityReport) -> list[tuple[str | int, ...]]:
    """Return the keys of the rows whose newest report it may be."""
    key = (report.model, report.variant)
    if isinstance(report, WindowReport):
        return [] if report.in_silence else [key]
    return [(*key, 0)] if report.state == "awaiting labels" else [(*key, 0), (*key, 1)]


def _age(report: WindowReport | QualityReport) -> tuple[int, int]:
    return report.start_ms, report.revision


def _trim_outbox(
    db: sqlite3.Connection,
    cursors: Mapping[str, int],
    takes: Mapping[str, tuple[type[Outgoing], ...]] | None,
) -> None:
    """Delete the items that are settled for all sinks that take them."""
    for kind, type_ in _TYPES.items():
        done = [seq for sink, seq in cursors.items() if takes is None or type_ in takes[sink]]
        query = "DELETE FROM outbox WHERE kind = ? AND seq <= ?"
        db.execute(query, (kind, min(done, default=_LAST_SEQ)))
