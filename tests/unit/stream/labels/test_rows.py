"""The quick copies of rows equal NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.labels.rows import LABEL, PREDICTION, Rows, concatenated, distinct, taken

TYPES = [PREDICTION, LABEL, np.dtype([("id", "<u8"), ("time_ms", "<u4"), ("key", "<u2")])]


def random_rows(dtype: np.dtype[Any], number: int) -> Rows:
    body = np.random.default_rng(number).integers(0, 256, number * dtype.itemsize, np.uint8)
    return np.frombuffer(body.tobytes(), dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_are_taken_by_index_and_by_mask(dtype: np.dtype[Any]) -> None:
    rows = random_rows(dtype, 100)
    index = np.random.default_rng(1).integers(0, 100, 250)
    mask = rows["id"] % np.uint64(3) == 1
    for which in (index, mask, index[:0]):
        assert taken(rows, which).dtype == dtype
        assert taken(rows, which).tobytes() == rows[which].tobytes()
    taken(rows, index)["id"] = 0
    assert rows.tobytes() == random_rows(dtype, 100).tobytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("sizes", [(), (0, 0), (5,), (0, 7, 0), (3, 1, 4)])
def test_rows_are_concatenated(dtype: np.dtype[Any], sizes: tuple[int, ...]) -> None:
    parts = [random_rows(dtype, size) for size in sizes]
    expected = np.concatenate([np.empty(0, dtype), *parts])
    assert concatenated(parts, dtype).dtype == dtype
    assert concatenated(parts, dtype).tobytes() == expected.tobytes()


@pytest.mark.parametrize("number", [0, 1, 500])
def test_distinct_ids_are_those_of_numpy(number: int) -> None:
    ids = np.random.default_rng(2).integers(0, 200, number).astype(np.uint64)
    np.testing.assert_array_equal(distinct(ids), np.unique(ids))
