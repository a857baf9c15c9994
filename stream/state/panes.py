"""The stores of panes, periods and seasons in the state file, cached in memory if used lately."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.aggregation.panes import PaneId, PeriodId, SeasonId
from stream.state.sqlite_errors import reported_damage, translated_errors

CACHE_BYTES: Final = 64 << 20
"""The size of the cache, in addition to the panes that the next commit writes.

Twice the open windows of 10 models of 200 features in 12 panes.
"""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS panes (
    model TEXT, variant TEXT, layout TEXT, start_ms INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (model, variant, layout, start_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS periods (
    model TEXT, variant TEXT, layout TEXT, schedule_ms INTEGER, start_ms INTEGER,
    body BLOB NOT NULL, PRIMARY KEY (model, variant, layout, schedule_ms, start_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seasons (
    model TEXT, layout TEXT, season TEXT, body BLOB NOT NULL, PRIMARY KEY (model, layout, season)
) WITHOUT ROWID;
"""
Id = TypeVar("Id", PaneId, PeriodId, SeasonId)


class SqliteProfiles(Generic[Id]):
    """Profiles of the given layouts in one table, read from the store's file and cached.

    ``id_type`` has the columns of the table's key, and ``what`` is one row in words. Changes stay
    in memory until the next commit writes them.
    """

    def __init__(
        self,
        path: Path,
        db: sqlite3.Connection,
        layouts: Iterable[Layout],
        *,
        table: str,
        id_type: type[Id],
        what: str,
    ) -> None:
        self._path = path
        self._db = db
        self._layouts = {layout.fingerprint: layout for layout in layouts}
        self._id_type: type[Id] = id_type
        self._what = what
        names = id_type._fields
        where = " AND ".join(f"{name} = ?" for name in names)
        self._ids = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608  # names of constants
        self._bodies = f"SELECT body FROM {table}"  # noqa: S608
        self._select = f"{self._bodies} WHERE {where}"
        self._delete = f"DELETE FROM {table} WHERE {where}"  # noqa: S608
        marks = ", ".join("?" * (len(names) + 1))
        self._replace = f"REPLACE INTO {table} VALUES ({marks})"  # noqa: S608
        self._cache: OrderedDict[Id, Profile] = OrderedDict()
        self._changed: dict[Id, Profile | None] = {}

    def add_layout(self, layout: Layout) -> None:
        """Add a layout, so that profiles with it can be read."""
        self._layouts[layout.fingerprint] = layout

    def get(self, id_: Id, /) -> Profile | None:
        if id_ in self._changed:
            return self._changed[id_]
        if id_ in self._cache:
            self._cache.move_to_end(id_)
            return self._cache[id_]
        with translated_errors(self._path):
            row = self._db.execute(self._select, id_).fetchone()
        if row is None or id_.layout not in self._layouts:
            return None
        with reported_damage(self._path, f"a {self._what} of model {id_.model!r}"):
            self._cache[id_] = Profile.decode(row[0], self._layouts[id_.layout])
        return self._cache[id_]

    def put(self, id_: Id, profile: Profile, /) -> None:
        self._changed[id_] = profile
        self._cache.pop(id_, None)

    def drop(self, id_: Id, /) -> None:
        self._changed[id_] = None
        self._cache.pop(id_, None)

    def ids(self) -> Iterable[Id]:
        with translated_errors(self._path):
            rows = self._db.execute(self._ids).fetchall()
        with reported_damage(self._path, f"the list of {self._what}s"):
            found = [msgspec.convert(row, self._id_type) for row in rows]
        stored = dict.fromkeys(found) | dict.fromkeys(self._changed)
        return [
            id_
            for id_ in stored
            if id_.layout in self._layouts and self._changed.get(id_, True) is not None
        ]

    def rows(self) -> int:
        """Return the rows in all profiles of the file, counted from the profiles."""
        with translated_errors(self._path), reported_damage(self._path, f"a {self._what}"):
            return sum(Profile.rows_of(body) for (body,) in self._db.execute(self._bodies))

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes."""
        dropped = [key for key, profile in self._changed.items() if profile is None]
        kept = {key: profile for key, profile in self._changed.items() if profile is not None}
        bodies = [profile.encode() for profile in kept.values()]
        db.executemany(self._delete, dropped)
        db.executemany(self._replace, map(_row, kept, bodies))
        return sum(map(len, bodies))

    def written(self) -> None:
        """Note that the changes are committed: they may leave memory when the cache is full."""
        for id_, profile in self._changed.items():
            if profile is not None:
                self._cache[id_] = profile
        self._changed.clear()
        total = sum(profile.nbytes for profile in self._cache.values())
        while total > CACHE_BYTES and self._cache:
            total -= self._cache.popitem(last=False)[1].nbytes


def _row(key: PaneId | PeriodId | SeasonId, body: bytes) -> tuple[str | int | bytes, ...]:
    return (*key, body)


class SqlitePanes(SqliteProfiles[PaneId]):
    """The panes of this store."""

    def __init__(self, path: Path, db: sqlite3.Connection, layouts: Iterable[Layout]) -> None:
        super().__init__(path, db, layouts, table="panes", id_type=PaneId, what="pane")


class SqlitePeriods(SqliteProfiles[PeriodId]):
    """The sums of periods of this store."""

    def __init__(self, path: Path, db: sqlite3.Connection, layouts: Iterable[Layout]) -> None:
        super().__init__(path, db, layouts, table="periods", id_type=PeriodId, what="period")


class SqliteSeasons(SqliteProfiles[SeasonId]):
    """The counts of the seasons that this store's models learn."""

    def __init__(self, path: Path, db: sqlite3.Connection, layouts: Iterable[Layout]) -> None:
        super().__init__(path, db, layouts, table="seasons", id_type=SeasonId, what="season")
