"""The floor, a lower bound of the cost of counting: a typed envelope, Arrow's CSV reader, sorting,
a search of the edges, and value counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray


class Side(msgspec.Struct, gc=False):
    data: str


class Data(msgspec.Struct, gc=False):
    endpointInput: Side
    endpointOutput: Side


class FloorEvent(msgspec.Struct, gc=False):
    captureData: Data


def count(
    lines: Sequence[bytes],
    names: Sequence[str],
    types: dict[str, pa.DataType],
    edges: dict[str, NDArray[np.float64]],
) -> int:
    """Count all columns of capture lines, the prediction first; return the number of counts."""
    decode = msgspec.json.Decoder(FloorEvent).decode
    events = [decode(line).captureData for line in lines]
    text = "\n".join(
        [f"{event.endpointOutput.data},{event.endpointInput.data}" for event in events]
    )
    options = csv.ReadOptions(column_names=list(names), use_threads=False, block_size=1 << 24)
    table = csv.read_csv(
        pa.py_buffer(text.encode()), options, convert_options=csv.ConvertOptions(column_types=types)
    )
    counts = 0
    for name, column in zip(names, table.columns, strict=True):
        if name in edges:
            values = np.sort(column.to_numpy().astype(np.float64, copy=False))
            counts += len(np.diff(np.searchsorted(values, edges[name])))
        else:
            counts += len(pc.value_counts(column))
    return counts
