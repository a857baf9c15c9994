"""Collects the raw rows that the baseline of a model is learned from, until there are enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from stream.aggregation.state import ModelState
from stream.event_time import LearningRule
from stream.events import Sample

SLICES: Final = 24
"""The parts of ``at_least`` that each give the same number of rows: of a day, one an hour."""


def collect(model: ModelState, samples: Sequence[Sample], rule: LearningRule) -> None:
    """Keep the rows of a model's samples that its baseline is learned from.

    Without ``at_least_ms`` those are the first ``rows``. With it, each slice of that time gives the
    first of its own: a baseline of a day then holds the night as well as the morning, and the state
    holds about ``rows`` however many events there are.
    """
    if not samples:
        return
    if model.sampled_since_ms is None:
        # The newest pane: a single event that is dated far back does not shorten the time.
        model.sampled_since_ms = max(sample.pane_ms for sample in samples)
    for sample in samples:
        _keep(model, sample, rule)


def is_due(model: ModelState, rule: LearningRule, watermark_ms: int | None) -> bool:
    """Return whether enough rows are collected, and over a time that is long enough."""
    if model.sampled_rows < rule.rows:
        return False
    if not rule.at_least_ms:
        return True
    since_ms = model.sampled_since_ms
    if since_ms is None or watermark_ms is None:
        return False
    return watermark_ms >= since_ms + rule.at_least_ms


def _keep(model: ModelState, sample: Sample, rule: LearningRule) -> None:
    part, most = _slice(sample.pane_ms, rule)
    # A state of 0.1.0 has rows without slices: they are those of the only one.
    before = model.sampled_slices.get(part, 0 if rule.at_least_ms else model.sampled_rows)
    rows = min(sample.rows, most - before)
    if rows <= 0:
        return
    model.samples.append(sample.data if rows == sample.rows else _first(sample.data, rows))
    model.sampled_rows += rows
    model.sampled_slices[part] = before + rows


def _slice(pane_ms: int, rule: LearningRule) -> tuple[int, int]:
    """Return the slice of a pane, and the largest number of rows that it gives."""
    if not rule.at_least_ms:
        return 0, rule.rows
    return pane_ms * SLICES // rule.at_least_ms, -(-rule.rows // SLICES)


def _first(data: bytes, rows: int) -> bytes:
    """Return the first rows of an Arrow IPC stream, as one."""
    table = pa.ipc.open_stream(data).read_all().slice(0, rows)
    out = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)
    content: bytes = out.getvalue().to_pybytes()
    return content
