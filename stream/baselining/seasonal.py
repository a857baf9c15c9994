"""Counts training rows by the seasons of a calendar, whose values a column of times decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.fold import Fold
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from stream.baselining.chunk_columns import chunk_columns, combined
from stream.errors import ColumnsUnknown, DataError
from stream.formats.base import TimeConfig, TimeUnit
from stream.formats.timestamps import event_times, likely_unit

UNKNOWN_MS: Final = -1


class TimeColumn(msgspec.Struct, frozen=True):
    """The column of the times of rows, and the unit that they are written in."""

    name: str
    unit: TimeUnit = "iso"


class SeasonCount(NamedTuple):
    """Seasons, and the number of rows without a readable time, which are in none of them."""

    seasons: Seasons
    untimed: int


def count_seasons(
    chunks: Iterable[pa.Table], layout: Layout, calendar: Calendar, time: TimeColumn
) -> SeasonCount:
    """Count the rows of ``chunks`` by the season of their time.

    A row belongs to the season of the moment in its column of times: that of a window that begins
    then. Raises :class:`~stream.errors.ColumnsUnknown` if no chunk has that column, and
    :class:`~stream.errors.DataError` if no row has a time that can be read.
    """
    fold = Fold([layout])
    profiles: dict[Key, Profile] = {}
    untimed, example, names = 0, None, {}
    for chunk in chunks:
        names.update(dict.fromkeys(chunk.column_names))
        times = row_times(chunk, time)
        read = np.flatnonzero(times >= 0)
        untimed += chunk.num_rows - len(read)
        example = example or _unread(chunk, time, times)
        for key, profile in _by_key(fold, layout, calendar, chunk, times, read):
            profiles.setdefault(key, Profile(layout)).merge(profile)
    if time.name not in names:
        raise ColumnsUnknown("training data", "time", [time.name], list(names))
    if not profiles:
        option = "--time-unit"
        found = "no value" if example is None else likely_unit(example, time.unit, option)
        raise DataError(f"column {time.name}", f"no row has a time in it that can be read: {found}")
    for profile in profiles.values():
        profile.samples.clear()
    return SeasonCount(Seasons(calendar, profiles), untimed)


def row_times(chunk: pa.Table, time: TimeColumn) -> NDArray[np.int64]:
    """The time of each row in milliseconds, negative where it has none that can be read."""
    if time.name not in chunk.column_names:
        return np.full(chunk.num_rows, UNKNOWN_MS)
    texts = combined(chunk[time.name]).to_pylist()
    arrivals = np.full(chunk.num_rows, UNKNOWN_MS)
    return event_times(texts, TimeConfig(unit=time.unit), arrivals)


def _unread(chunk: pa.Table, time: TimeColumn, times: NDArray[np.int64]) -> str | None:
    """A text of the column that is no time; ``None`` without one."""
    if time.name not in chunk.column_names or (times >= 0).all():
        return None
    texts = combined(chunk[time.name]).filter(pa.array(times < 0)).drop_null()
    return texts[0].as_py() if len(texts) else None


def _by_key(
    fold: Fold,
    layout: Layout,
    calendar: Calendar,
    chunk: pa.Table,
    times: NDArray[np.int64],
    read: NDArray[np.intp],
) -> Iterator[tuple[Key, Profile]]:
    """The counts of the rows that have a time, by the key of the calendar."""
    positions, keys = calendar.keys(times[read])
    if not keys:
        return
    order = np.argsort(positions, kind="stable")
    rows = chunk.take(pa.array(read[order]))
    bounds = np.concatenate([[0], np.cumsum(np.bincount(positions, minlength=len(keys)))])
    profiles = fold.fold(chunk_columns(rows, layout), [0] * len(keys), bounds)
    yield from zip(keys, profiles, strict=True)
