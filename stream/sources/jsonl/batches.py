"""Batches of the lines of a file."""

from __future__ import annotations

import numpy as np

from stream.events import Position, RawBatch
from stream.sources.lines import Lines


def lines_batch(
    *,
    partition: str,
    name: str,
    lines: Lines,
    origin: str,
    changed_ms: int,
    first: Position,
    following: Position,
) -> RawBatch:
    """Return the lines of a file, all with the time of its last change as their arrival."""
    return RawBatch(
        partition=partition,
        origin=origin,
        first=first,
        next=following,
        positions=[(name, start) for start in lines.starts],
        values=list(lines.values),
        arrival_ms=np.full(len(lines.values), changed_ms, np.int64),
    )


def end_batch(partition: str, first: Position, following: Position) -> RawBatch:
    """Return a batch without lines that reports the end of the log."""
    return RawBatch(
        partition=partition,
        origin="",
        first=first,
        next=following,
        positions=[],
        values=[],
        arrival_ms=np.empty(0, np.int64),
        at_end=True,
    )
