"""Rows that wait for labels, and commits of a store that has nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.aggregation.state import JobState
from stream.labels.rows import LABEL, PREDICTION, Rows
from stream.labels.store import Slice
from stream.state.identity import StateIdentity
from stream.state.labels.join_store import SqliteJoinStore
from stream.state.labels.quality_panes import SqliteQualityPanes
from stream.state.store import Store

DAY_MS = 86_400_000
IDENTITY = StateIdentity(job="job", source="jsonl /captures", window_ms=60_000, every_ms=60_000)


def waiting(
    slice_: Slice, ids: NDArray[np.uint64], generator: np.random.Generator | None = None
) -> Rows:
    """Rows of a slice with these ids, and random content."""
    generator = np.random.default_rng(1) if generator is None else generator
    rows = np.zeros(len(ids), PREDICTION if slice_.kind == "predictions" else LABEL)
    rows["id"] = ids
    rows["time_ms"] = slice_.start_ms + generator.integers(0, slice_.length_ms, len(ids))
    rows["value"] = generator.random(len(ids))
    rows["value"][generator.random(len(ids)) < 0.1] = np.nan
    for name in rows.dtype.names or ():
        if name not in {"id", "time_ms", "value"}:
            type_ = np.iinfo(rows.dtype[name])
            cells = generator.integers(type_.min, type_.max, len(ids), type_.dtype, endpoint=True)
            rows[name] = cells
    return rows


def random_ids(generator: np.random.Generator, number: int) -> NDArray[np.uint64]:
    """Hashes as those of ids."""
    return generator.integers(0, 1 << 64, number, dtype=np.uint64)


def commit(
    store: Store,
    joins: SqliteJoinStore | None = None,
    quality: SqliteQualityPanes | None = None,
) -> None:
    """Commit the waiting rows and quality panes of a store."""
    tables = [table for table in (joins, quality) if table is not None]
    store.commit(IDENTITY, JobState(), tables, [], {})
