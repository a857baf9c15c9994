"""Raw batches for tests that care about few of their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream.events import RawBatch


def raw_batch(
    values: Sequence[bytes | None],
    partition: str = "p",
    *,
    origin: str = "topic",
    first: int = 0,
    arrival_ms: int = -1,
    **fields: Any,
) -> RawBatch:
    """A raw batch with these values at consecutive offsets, which all arrived at the same time."""
    count = len(values)
    return RawBatch(
        partition=partition,
        origin=origin,
        first=first,
        next=first + count,
        positions=range(first, first + count),
        values=list(values),
        arrival_ms=np.full(count, arrival_ms, np.int64),
        **fields,
    )
