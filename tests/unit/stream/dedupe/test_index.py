"""The ids that a job remembers are inherited, forgotten, or not kept at all."""

from __future__ import annotations

import pytest

from stream.dedupe.filter import Dedupe
from stream.dedupe.index import DEDUPE_OFF, IdIndex, RememberedIds
from stream.events import SeenIds
from tests.support.stores import MemoryIds


def index() -> IdIndex:
    return IdIndex(Dedupe(horizon="1s"), MemoryIds())


def test_a_child_inherits_the_ids_of_its_parents() -> None:
    ids = index()
    ids.take(
        [SeenIds("a", 0, b"12345678"), SeenIds("b", 0, b"abcdefgh"), SeenIds("b", 200, b"ABCDEFGH")]
    )
    ids.hand_down(("a", "b"), "c")
    assert ids.of("c") == (SeenIds("c", 0, b"12345678abcdefgh"), SeenIds("c", 200, b"ABCDEFGH"))
    ids.forget("c", 1_200)
    assert ids.of("c") == (SeenIds("c", 200, b"ABCDEFGH"),)
    assert ids.remembers("b")


def test_ids_of_ended_partitions_are_dropped_by_the_watermark() -> None:
    ids = index()
    ids.take([SeenIds("a", 0, b"12345678"), SeenIds("b", 0, b"abcdefgh")])
    ids.settle(["a"], 1_200)
    assert (ids.remembers("a"), ids.remembers("b")) == (False, True)


def test_no_id_is_forgotten_before_the_partition_has_a_mark() -> None:
    ids = index()
    ids.take([SeenIds("a", 0, b"12345678")])
    ids.forget("a", None)
    assert ids.remembers("a")


@pytest.mark.parametrize(("ids", "remembered"), [(index(), True), (DEDUPE_OFF, False)])
def test_without_dedupe_no_id_is_remembered(ids: RememberedIds, remembered: bool) -> None:
    ids.take([SeenIds("a", 0, b"12345678")])
    ids.hand_down(("a",), "b")
    ids.forget("a", 5)
    ids.settle(["a"], 5)
    assert [ids.remembers(name) for name in ("a", "b")] == [remembered] * 2
    assert [bool(ids.of(name)) for name in ("a", "b")] == [remembered] * 2
