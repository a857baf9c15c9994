"""Collects the raw rows that the baseline of a model is learned from, until there are enough."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from stream.aggregation.state import ModelState
from stream.event_time import LearningRule
from stream.events import Sample

SLICES: Final = 24
"""The parts of ``at_least`` that each give the same number of rows, of a day one an hour; or its
panes, if those are fewer."""


def collect(model: ModelState, sample: Sample, rule: LearningRule, every_ms: int) -> None:
    """Keep the rows of a sample that the model's baseline is learned from.

    Without ``at_least_ms`` those are the first ``rows`` of all. With it, each slice of time gives
    the first of its own: a baseline of a day then holds the night as well as the morning, and the
    state holds about ``rows`` however many events there are.
    """
    part, most = 0, rule.rows
    if rule.at_least_ms:
        slice_ms, slices = _slices(rule, every_ms)
        part, most = sample.pane_ms // slice_ms, -(-rule.rows // slices)
    # A state of 0.1.0 has rows without slices: they are those of the only one.
    before = model.sampled_slices.get(part, 0 if rule.at_least_ms else model.sampled_rows)
    rows = min(sample.rows, most - before)
    if rows <= 0:
        return
    model.samples.append(sample.data if rows == sample.rows else _first(sample.data, rows))
    model.sampled_rows += rows
    model.sampled_slices[part] = before + rows


def is_due(model: ModelState, rule: LearningRule, every_ms: int) -> bool:
    """Return whether there are enough rows, from slices that together are long enough.

    The slices with rows are counted: neither how events come together nor a single one that is
    dated far back shortens the time. Two more than ``at_least_ms`` has are needed, because the
    first and the last may be parts.
    """
    if model.sampled_rows < rule.rows:
        return False
    return not rule.at_least_ms or len(model.sampled_slices) >= _slices(rule, every_ms)[1] + 2


def _slices(rule: LearningRule, every_ms: int) -> tuple[int, int]:
    """Return the length of a slice, and how many the time has."""
    slice_ms = max(rule.at_least_ms // SLICES, every_ms)
    return slice_ms, -(-rule.at_least_ms // slice_ms)


def _first(data: bytes, rows: int) -> bytes:
    """Return the first rows of an Arrow IPC stream, as one."""
    table = pa.ipc.open_stream(data).read_all().slice(0, rows)
    out = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)
    content: bytes = out.getvalue().to_pybytes()
    return content
