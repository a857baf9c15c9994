"""Rows by model and pane: the groups that are counted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.profile import Profile
from stream.events import EventBatch, ModelKey, Sample
from stream.readers.plan import ReadingPlan


class RowGroups(NamedTuple):
    """``rows`` of a batch in the order of their groups; group ``g`` is ``rows[bounds[g]:bounds[g +
    1]]``, of ``model[g]`` and ``pane[g]``.

    ``in_place``: one group in the order of the batch.
    """

    rows: Ints
    bounds: Ints
    model: Ints
    pane: Ints
    in_place: bool


def grouped(
    batch: EventBatch, model: NDArray[np.int32], pane: Ints, late: NDArray[np.bool_]
) -> RowGroups:
    """Rows ordered by (model, pane), without those that are too late; rows of one group keep their
    order.
    """
    of_row, panes = model[batch.record].astype(np.int64), pane[batch.record]
    keep = ~late[batch.record]
    first = panes.min(initial=0) if not len(panes) else panes.min()
    if keep.all() and len(panes) and panes.max() == first and (of_row == of_row[0]).all():
        rows = np.arange(len(of_row))
        return RowGroups(rows, np.array([0, len(rows)]), of_row[:1], panes[:1], in_place=True)
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((panes[rows], of_row[rows]))]
    model_of, pane_of = of_row[rows], panes[rows]
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(model_of) != 0) | (np.diff(pane_of) != 0)
    begins = np.flatnonzero(new)
    return RowGroups(
        rows, np.append(begins, len(rows)), model_of[begins], pane_of[begins], in_place=False
    )


def taken(column: Column, rows: Ints) -> Column:
    """The cells of some rows."""
    if isinstance(column, Texts):
        return Texts(column.values.take(pa.array(rows)))
    return Numbers(
        column.values[rows], None if column.slots is None else column.slots[rows], column.integral
    )


def merged(profiles: list[tuple[ModelKey, int, Profile]]) -> list[tuple[ModelKey, int, Profile]]:
    """One profile a model and pane: batches of different shape may have met in one partial."""
    out: dict[tuple[ModelKey, int], Profile] = {}
    for key, pane_ms, profile in profiles:
        if (key, pane_ms) in out:
            out[key, pane_ms].merge(profile)
        else:
            out[key, pane_ms] = profile
    return [(key, pane_ms, profile) for (key, pane_ms), profile in out.items()]


def samples_of(
    plan: ReadingPlan, keys: Sequence[ModelKey], bounds: Ints, columns: Mapping[str, Column]
) -> list[Sample]:
    """The raw text of columns that have no bins yet, for each model that is still learning them."""
    parts: dict[ModelKey, list[pa.Table]] = {}
    for g, key in enumerate(keys):
        names = [name for name in plan.models[key.model].unlearned if name in columns]
        if names:
            start, rows = int(bounds[g]), int(bounds[g + 1] - bounds[g])
            table = pa.table({name: columns[name].values for name in names}).slice(start, rows)
            parts.setdefault(key, []).append(table)
    return [
        _sample(key, pa.concat_tables(tables).combine_chunks()) for key, tables in parts.items()
    ]


def _sample(key: ModelKey, table: pa.Table) -> Sample:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_table(table)
    return Sample(key, table.num_rows, sink.getvalue().to_pybytes())
