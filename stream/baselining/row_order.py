"""What the order of the rows of training data says about their dependence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.dependence import Dependence
from detectors.profiles.fold import Fold
from detectors.profiles.layout import Layout
from detectors.statistics.evidence.block_tallies import (
    MOST_ROWS,
    TOGETHER,
    BlockTallies,
    block_length,
)
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.seasonal import seasonal_tallies
from detectors.statistics.evidence.tallies import TallyLayout
from stream.baselining.chunk_columns import chunk_columns
from stream.baselining.column_summary import shown
from stream.baselining.seasonal import TimeColumn, row_times

WINDOW: Final = 1_000
"""The rows of the window that is given as an example."""
MOST_TOLD: Final = 3
"""The largest number of features that have a sentence each."""
INDEPENDENT: Final = (
    "rows do not depend on their neighbours in this order; where the file is shuffled, the first"
    " windows of the stream tell whether those of the stream do"
)


def dependence_of(
    chunks: Iterable[pa.Table], baseline: Baseline, time: TimeColumn | None = None
) -> Dependence:
    """The dependence of the rows of a baseline, from the first ``MOST_ROWS`` in their order.

    ``chunks`` are the training data as they were read for the baseline; with ``time`` they have
    that column too, and what the baseline's seasons differ by is no dependence.
    """
    layout = TallyLayout(baseline)
    length = block_length(baseline.profile.rows)
    seasons = _RowSeasons(layout, baseline, time)
    blocks = BlockTallies(layout, length, seasons.references)
    plain = Layout(baseline.layout.features)
    fold = Fold([plain])
    for table in _slices(chunks, length * TOGETHER):
        count = table.num_rows // length
        if count:
            whole = table.slice(0, count * length)
            columns = chunk_columns(whole, plain)
            profiles = fold.fold(columns, [0] * count, np.arange(count + 1) * length)
            tallies = np.stack([layout.tallies(profile.counts) for profile in profiles])
            blocks.add(tallies, seasons.rows(whole, length))
    return blocks.dependence()


class _RowSeasons:
    """Counts the rows of blocks by season, where a baseline has any and ``time`` is known.

    ``references``: what the rows of each are compared with; the last one is the whole baseline, for
    rows without a time.
    """

    def __init__(self, layout: TallyLayout, baseline: Baseline, time: TimeColumn | None) -> None:
        self.references: list[TallyReference] = []
        self._time, self._seasons = time, baseline.seasons
        self._place: dict[Key, int] = {}
        seasonal = seasonal_tallies(baseline)
        if seasonal is not None and baseline.seasons is not None and time is not None:
            self._place = {key: k for k, key in enumerate(baseline.seasons.profiles)}
            self.references = [*map(seasonal.of, self._place), layout.whole]

    def rows(self, table: pa.Table, length: int) -> Ints | None:
        """The rows of each block of ``length`` by season, ``int64[blocks, references]``; ``None``
        without seasons.
        """
        if self._seasons is None or self._time is None:
            return None
        times = row_times(table, self._time)
        read = np.flatnonzero(times >= 0)
        positions, found = self._seasons.calendar.keys(times[read])
        none = len(self._place)
        season = np.full(len(times), none)
        season[read] = np.array([self._place.get(key, none) for key in found], int)[positions]
        counts = np.zeros((len(times) // length, none + 1), np.int64)
        np.add.at(counts, (np.arange(len(times)) // length, season), 1)
        return counts


def _slices(chunks: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Tables of ``rows`` consecutive rows, and the rest, of the first :data:`MOST_ROWS`."""
    rest: pa.Table | None = None
    for number, chunk in enumerate(_first(chunks)):
        rest = pa.concat_tables([rest, chunk], promote_options="default") if number else chunk
        whole = rest.num_rows // rows * rows
        for start in range(0, whole, rows):
            yield rest.slice(start, rows)
        rest = rest.slice(whole)
    if rest is not None:
        yield rest


def _first(chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    left = MOST_ROWS
    for chunk in chunks:
        yield chunk.slice(0, left)
        left -= chunk.num_rows
        if left <= 0:
            return


def dependence_lines(dependence: Dependence) -> list[str]:
    """Sentences on the features whose rows depend on their neighbours, or one that none does."""
    names = list(dependence.factors)
    factors = dependence.factor(names, np.full(len(names), float(WINDOW))).tolist()
    said = [(name, WINDOW / factor) for name, factor in zip(names, factors, strict=True)]
    told = sorted(said, key=lambda each: each[1])
    lines = [
        f"rows of '{shown(name)}' depend on their neighbours: a window of {WINDOW:,} rows says as"
        f" much as {rows:,.0f} independent ones"
        for name, rows in told[:MOST_TOLD]
    ]
    if len(told) > MOST_TOLD:
        lines.append(f"so do those of {len(told) - MOST_TOLD:,} more columns, less strongly")
    if dependence.changing:
        lines.append(
            f"{_named(dependence.changing)} changes along the file, as where it is sorted: its"
            " order is not taken for that of the stream"
        )
    return lines or [INDEPENDENT]


def _named(names: Sequence[str]) -> str:
    more = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
    return f"'{shown(names[0])}'{more}"
