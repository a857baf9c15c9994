"""What the order of the rows of training data says about their dependence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from detectors.profiles.baseline import Baseline
from detectors.profiles.dependence import Dependence
from detectors.profiles.fold import Fold
from detectors.statistics.evidence.block_tallies import (
    MOST_ROWS,
    TOGETHER,
    BlockTallies,
    block_length,
)
from detectors.statistics.evidence.tallies import TallyLayout
from stream.baselining.chunk_columns import chunk_columns
from stream.baselining.column_summary import shown

WINDOW: Final = 1_000
"""The rows of the window that is given as an example."""
MOST_TOLD: Final = 3
"""The largest number of features that have a sentence each."""


def dependence_of(chunks: Iterable[pa.Table], baseline: Baseline) -> Dependence:
    """The dependence of the rows of a baseline, from the first ``MOST_ROWS`` in their order.

    ``chunks`` are the training data as they were read for the baseline.
    """
    layout = TallyLayout(baseline)
    length = block_length(baseline.profile.rows)
    blocks, fold = BlockTallies(layout, length), Fold([baseline.layout])
    for table in _slices(chunks, length * TOGETHER):
        count = table.num_rows // length
        if count:
            columns = chunk_columns(table.slice(0, count * length), baseline.layout)
            profiles = fold.fold(columns, [0] * count, np.arange(count + 1) * length)
            blocks.add(np.stack([layout.tallies(profile.counts) for profile in profiles]))
    return blocks.dependence()


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
    """A sentence on each feature whose rows depend on their neighbours, or one on all.

    Nothing where rows are independent.
    """
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
    return lines


def _named(names: Sequence[str]) -> str:
    more = f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
    return f"'{shown(names[0])}'{more}"
