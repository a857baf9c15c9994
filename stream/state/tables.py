"""The parts of the state that are written row by row, each in a table of its own."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple, Protocol

from detectors.profiles.layout import Layout
from stream.state.event_ids import SqliteIds
from stream.state.histories import SqliteHistories
from stream.state.labels.join_store import SqliteJoinStore
from stream.state.labels.quality_panes import SqliteQualityPanes
from stream.state.panes import SqlitePanes, SqlitePeriods, SqliteSeasons


class StateTable(Protocol):
    """A part of the state that remembers its changes until a commit writes them."""

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes."""
        ...

    def written(self) -> None:
        """Note that the changes are committed."""
        ...


class StateTables(NamedTuple):
    """All tables of an open state; a commit writes what has changed in each."""

    panes: SqlitePanes
    periods: SqlitePeriods
    seasons: SqliteSeasons
    histories: SqliteHistories
    ids: SqliteIds
    joins: SqliteJoinStore
    quality_panes: SqliteQualityPanes

    def add_layout(self, layout: Layout) -> None:
        """Let profiles have this layout, too."""
        self.panes.add_layout(layout)
        self.periods.add_layout(layout)
        self.seasons.add_layout(layout)
