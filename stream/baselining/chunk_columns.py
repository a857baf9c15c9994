"""The columns of a chunk of training data, as the features of a layout read them."""

from __future__ import annotations

import pyarrow as pa

from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.layout import Feature, Layout


def chunk_columns(chunk: pa.Table, layout: Layout) -> dict[str, Column]:
    """The columns of a table of texts that are features of the layout."""
    return {
        feature.name: _column(combined(chunk[feature.name]), feature)
        for feature in layout.features
        if feature.name in chunk.column_names
    }


def combined(column: pa.ChunkedArray) -> pa.StringArray:
    """The column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _column(text: pa.StringArray, feature: Feature) -> Column:
    if not feature.numeric:
        return Texts(text)
    return numbers_from_text(text, feature.type == "Integral", feature.cell_reading)
