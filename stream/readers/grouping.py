"""Groups the rows of a batch by model and pane, so that each group is counted at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.profile import Profile
from stream.events import EventBatch, ModelKey, Sample
from stream.readers.plan import ReadingPlan


class RowGroups(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The ``rows`` of a batch, ordered by group.

    Group ``g`` has the rows ``rows[bounds[g]:bounds[g + 1]]`` of ``model[g]`` and ``pane_ms[g]``.
    ``in_place``: there is one group, which is the whole batch in its own order.
    """

    rows: Ints
    bounds: Ints
    model: Ints
    pane_ms: Ints
    in_place: bool


def group_rows(
    batch: EventBatch, model: NDArray[np.int32], pane_ms: Ints, uncounted: NDArray[np.bool_]
) -> RowGroups:
    """Order the rows of a batch by (model, pane), without those of uncounted records.

    ``model``, ``pane_ms`` and ``uncounted`` have one entry per record. Rows of one group keep their
    order.
    """
    model_of, pane_of = model[batch.record].astype(np.int64), pane_ms[batch.record]
    counted = ~uncounted[batch.record]
    if len(counted) and counted.all() and _constant(pane_of) and _constant(model_of):
        rows = np.arange(len(counted))
        bounds = np.array([0, len(rows)])
        return RowGroups(
            rows=rows, bounds=bounds, model=model_of[:1], pane_ms=pane_of[:1], in_place=True
        )
    rows = np.flatnonzero(counted)
    rows = rows[np.lexsort((pane_of[rows], model_of[rows]))]
    model_of, pane_of = model_of[rows], pane_of[rows]
    is_first = np.ones(len(rows), bool)
    is_first[1:] = (np.diff(model_of) != 0) | (np.diff(pane_of) != 0)
    starts = np.flatnonzero(is_first)
    bounds = np.append(starts, len(rows))
    return RowGroups(
        rows=rows, bounds=bounds, model=model_of[starts], pane_ms=pane_of[starts], in_place=False
    )


def _constant(values: Ints) -> bool:
    return bool((values == values[0]).all())


def take_rows(column: Column, rows: Ints) -> Column:
    """Return the cells of some rows, in their order."""
    if isinstance(column, Texts):
        return Texts(column.values.take(pa.array(rows)))
    slots = None if column.slots is None else column.slots[rows]
    return Numbers(column.values[rows], slots, column.integral)


def merge_by_pane(
    profiles: Sequence[tuple[ModelKey, int, Profile]],
) -> list[tuple[ModelKey, int, Profile]]:
    """Return one profile per model and pane: batches of several schemas may share a pane."""
    merged: dict[tuple[ModelKey, int], Profile] = {}
    for key, pane_ms, profile in profiles:
        if (key, pane_ms) in merged:
            merged[key, pane_ms].merge(profile)
        else:
            merged[key, pane_ms] = profile
    return [(key, pane_ms, profile) for (key, pane_ms), profile in merged.items()]


def samples_of(
    plan: ReadingPlan, keys: Sequence[ModelKey], groups: RowGroups, columns: Mapping[str, Column]
) -> list[Sample]:
    """Return the raw text of columns without bins, by pane of each model that still learns them."""
    samples: list[Sample] = []
    for g, (key, pane_ms) in enumerate(zip(keys, groups.pane_ms.tolist(), strict=True)):
        names = [name for name in plan.models[key.model].unlearned if name in columns]
        if names:
            start, rows = int(groups.bounds[g]), int(groups.bounds[g + 1] - groups.bounds[g])
            table = pa.table({name: columns[name].values for name in names}).slice(start, rows)
            samples.append(_sample(key, pane_ms, table.combine_chunks()))
    return samples


def _sample(key: ModelKey, pane_ms: int, table: pa.Table) -> Sample:
    stream = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(stream, table.schema, options=options) as writer:
        writer.write_table(table)
    return Sample(key, pane_ms, table.num_rows, stream.getvalue().to_pybytes())
