"""Duplicates are found exactly, however the log is cut into batches; what is remembered is bounded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.dedupe.filter import Dedupe, DuplicateFilter, hashes_of
from stream.dedupe.id_store import MemoryIds
from stream.dedupe.index import IdIndex
from stream.events import SeenIds

RULES = Dedupe(horizon="1s", most=1_000_000)
SLICE = 200

Event = tuple[str | None, int]
"""Id, and how far the mark goes on with it (ms)."""
logs = st.lists(
    st.tuples(st.sampled_from([None, "", *"abcdefgh"]), st.integers(0, 400)), max_size=60
)


def plain(log: list[Event]) -> list[bool]:
    """The definition: an id is a duplicate if it was accepted before, in a slice that ended less
    than a second before the mark."""
    accepted: dict[str, set[int]] = {}
    mark, out = 0, []
    for name, step in log:
        mark += step
        known = {start for start in accepted.get(name or "", set()) if start + SLICE + 1000 > mark}
        out.append(bool(name) and bool(known))
        if name and not known:
            accepted.setdefault(name, set()).add(mark // SLICE * SLICE)
    return out


def looked(log: list[Event], cuts: list[int], forget: bool) -> list[bool]:
    """The same in batches; with ``forget`` each batch has a reader of its own that knows what the
    others told."""
    marks = np.cumsum([step for _, step in log], dtype=np.int64)
    memory = IdIndex(RULES, MemoryIds())
    seen, out = DuplicateFilter(RULES, "p"), list[bool]()
    bounds = sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})
    for start, stop in pairwise(bounds):
        if forget:
            seen = DuplicateFilter(RULES, "p", memory.ids.of("p"))
        ids, has = hashes_of([name for name, _ in log[start:stop]])
        found = seen.look(ids, has, marks[start:stop])
        memory.take(found.fresh)
        memory.forget("p", int(marks[stop - 1]))
        out += found.duplicate.tolist()
    return out


@given(logs, st.lists(st.integers(1, 59)), st.booleans())
def test_what_is_a_duplicate_depends_on_the_log_alone(
    log: list[Event], cuts: list[int], forget: bool
) -> None:
    assert looked(log, cuts, forget) == plain(log)


def test_an_id_beyond_the_most_is_not_remembered_and_counted() -> None:
    rules = Dedupe(horizon="1s", most=1_000)
    seen = DuplicateFilter(rules, "p")
    ids, has = hashes_of([f"id {k}" for k in range(500)])
    found = seen.look(ids, has, np.zeros(500, np.int64))
    room = 1_000 // 7
    assert found.unremembered == 500 - room
    assert sum(len(one.ids) for one in found.fresh) == 8 * room
    again = seen.look(ids, has, np.zeros(500, np.int64))
    assert again.duplicate.sum() == room


def test_what_parents_knew_their_children_know() -> None:
    memory = IdIndex(RULES, MemoryIds())
    memory.take(
        [SeenIds("a", 0, b"12345678"), SeenIds("b", 0, b"abcdefgh"), SeenIds("b", 200, b"ABCDEFGH")]
    )
    memory.hand_down(("a", "b"), "c")
    assert memory.ids.of("c") == [
        SeenIds("c", 0, b"12345678abcdefgh"),
        SeenIds("c", 200, b"ABCDEFGH"),
    ]
    memory.forget("c", 1_200)
    assert memory.ids.of("c") == [SeenIds("c", 200, b"ABCDEFGH")]


def test_half_a_surrogate_pair_is_an_id_like_any_other() -> None:
    ids, has = hashes_of(["\ud800", "a", None, "\ud800"])
    assert ids[0] == ids[3] != ids[1]
    assert has.tolist() == [True, True, False, True]
