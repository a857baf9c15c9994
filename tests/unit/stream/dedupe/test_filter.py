"""Duplicates are detected exactly, however the log is divided into batches; memory is bounded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.profiles.hashing import hashed
from stream.dedupe.filter import SLICES, Dedupe, DuplicateFilter, hashes_of
from stream.dedupe.index import IdIndex
from tests.oracle import hash_of
from tests.support.stores import MemoryIds

RULES = Dedupe(horizon="1s", most=1_000_000)
HORIZON_MS = 1_000
SLICE_MS = 200

Event = tuple[str | None, int]
"""An id, and the milliseconds by which the event advances the mark."""
logs = st.lists(
    st.tuples(st.sampled_from([None, "", *"abcdefgh"]), st.integers(0, 400)), max_size=60
)


def duplicates_by_definition(log: list[Event]) -> list[bool]:
    """Find the duplicates: ids accepted before, in a slice that ended less than a horizon
    before the mark.
    """
    accepted: dict[str, set[int]] = {}
    mark = 0
    duplicates = []
    for id_, step in log:
        mark += step
        slices = accepted.setdefault(id_ or "", set())
        known = any(start + SLICE_MS + HORIZON_MS > mark for start in slices)
        duplicates.append(bool(id_) and known)
        if id_ and not known:
            slices.add(mark // SLICE_MS * SLICE_MS)
    return duplicates


def duplicates_in_batches(log: list[Event], cuts: list[int], restarts: bool) -> list[bool]:
    """Find the duplicates by the filter, in batches; with ``restarts``, each batch has a reader
    that starts from the stored ids.
    """
    marks = np.cumsum([step for _, step in log], dtype=np.int64)
    index = IdIndex(RULES, MemoryIds())
    known_ids = DuplicateFilter(RULES, "p")
    duplicates = list[bool]()
    bounds = sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})
    for start, stop in pairwise(bounds):
        if restarts:
            known_ids = DuplicateFilter(RULES, "p", index.of("p"))
        ids, has_id = hashes_of([id_ for id_, _ in log[start:stop]])
        result = known_ids.find(ids, has_id, marks[start:stop])
        index.take(result.new_ids)
        index.forget("p", int(marks[stop - 1]))
        duplicates += result.duplicate.tolist()
    return duplicates


@given(logs, st.lists(st.integers(1, 59)), st.booleans())
def test_duplicates_depend_on_the_log_alone(
    log: list[Event], cuts: list[int], restarts: bool
) -> None:
    assert duplicates_in_batches(log, cuts, restarts) == duplicates_by_definition(log)


def test_ids_beyond_the_limit_are_counted_and_not_remembered() -> None:
    known_ids = DuplicateFilter(Dedupe(horizon="1s", most=1_000), "p")
    ids, has_id = hashes_of([f"id {k}" for k in range(500)])
    first = known_ids.find(ids, has_id, np.zeros(500, np.int64))
    capacity = 1_000 // (SLICES + 2)
    assert first.unremembered == 500 - capacity
    assert sum(len(seen.ids) for seen in first.new_ids) == 8 * capacity
    second = known_ids.find(ids, has_id, np.zeros(500, np.int64))
    assert second.duplicate.sum() == capacity


def test_half_a_surrogate_pair_is_an_id_like_any_other() -> None:
    ids, has_id = hashes_of(["\ud800", "a", None, "\ud800"])
    assert ids[0] == ids[3] != ids[1]
    assert has_id.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    "ids",
    [
        ["0123abcd", "0123abce", "é23abcd", "\x00" * 8],
        ["a"],
        ["a", "bc", "", "é", "a"],
        ["", ""],
        [f"{k:032x}" for k in range(0, 10**30, 10**28)],
        ["x" * 100_000, "y" * 100_000],
    ],
)
def test_the_hash_is_the_documented_one_whether_lengths_are_equal_or_not(ids: list[str]) -> None:
    hashes, has_id = hashes_of(ids)
    assert hashes.tolist() == [hash_of(id_) for id_ in ids]
    assert has_id.tolist() == [id_ != "" for id_ in ids]
    assert hashed(pa.array(["skipped", *ids]).slice(1)).tolist() == hashes.tolist()
