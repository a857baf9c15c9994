"""The store of quality panes equals a dictionary, through commits, failures and reopening."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detectors.quality.counts import QualityCounts
from stream.aggregation.quality_panes import QualityPane, QualityPaneId, QualityPanes
from stream.errors import StateUnreadable
from stream.state.labels import quality_panes
from stream.state.store import Store
from tests.support.stores import MemoryQualityPanes
from tests.support.waiting import commit

PANES = [QualityPaneId(m, v, k * 60_000) for m in "ab" for v in ("v1", "é") for k in range(-1, 5)]
FIRST = PANES[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "job.sqlite")
    yield opened
    opened.close()


def pane(seed: int) -> QualityPane:
    """A pane with random content."""
    choice = random.Random(seed)
    cells = np.array(sorted(choice.sample(range(1 << 40), choice.randrange(5))), np.int64)
    counts = np.array([choice.randrange(1, 1 << 40) for _ in cells], np.int64)
    sums = {"squares": choice.randrange(-(1 << 1_100), 1 << 1_100), "negative": -1}
    return QualityPane(
        predictions=choice.randrange(1 << 40),
        labelled=choice.randrange(1 << 40),
        counts=QualityCounts(cells, counts, sums, {"cost": choice.randbytes(9)}),
        predicted=QualityCounts(cells[:2], counts[:2]),
        revision=choice.randrange(-1, 3),
        judged=choice.random() < 0.5,
        drifted=choice.random() < 0.5,
        estimator=choice.choice(("", "f75dde9f0f7b17b6")),
    )


def fields(content: QualityPane | None) -> object:
    """Everything in a pane."""
    if content is None:
        return None
    counts = [
        (c.cells.tolist(), c.counts.tolist(), c.sums, c.custom)
        for c in (content.counts, content.predicted)
    ]
    flags = (content.revision, content.judged, content.drifted, content.estimator)
    return content.predictions, content.labelled, counts, flags


def assert_equal(panes: QualityPanes, expected: QualityPanes) -> None:
    for name in PANES:
        assert fields(panes.get(name)) == fields(expected.get(name))
    for time_ms in (-60_000, -59_999, 0, 60_000, 60_001, 1 << 60):
        found = list(panes.starting_before(time_ms))
        assert found == list(expected.starting_before(time_ms))
        assert [name.start_ms for name in found] == sorted(name.start_ms for name in found)


@pytest.mark.parametrize("seed", range(6))
def test_random_operations_equal_a_dictionary(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_panes, "CACHE_BYTES", (0, 5_000, 64 << 20)[seed % 3])
    choice = random.Random(seed)
    panes = store.quality_panes()
    expected = committed = MemoryQualityPanes()
    for number in range(120):
        name = choice.choice(PANES)
        step = choice.choices(["put", "change", "drop", "commit", "reopen"], [4, 3, 1, 2, 1])[0]
        if step == "put":
            for stored in (panes, expected):
                stored.put(name, pane(number))
        elif step == "change" and (content := panes.get(name)) is not None:
            content.counts = content.counts.plus(pane(number).counts)
            content.drifted ^= True
            panes.put(name, content)
            expected.put(name, content)
        elif step == "drop":
            for stored in (panes, expected):
                stored.drop(name)
        elif step == "commit":
            commit(store, quality=panes)
            committed = copy.deepcopy(expected)
        elif step == "reopen":
            panes, expected = store.quality_panes(), copy.deepcopy(committed)
        assert_equal(panes, expected)


def test_a_failed_commit_keeps_the_changes(store: Store) -> None:
    panes = store.quality_panes()
    panes.put(FIRST, pane(1))
    with store._transaction() as db:
        panes.write(db)
        db.execute("ROLLBACK")
        db.execute("BEGIN")
    assert fields(panes.get(FIRST)) == fields(pane(1))
    commit(store, quality=panes)
    assert fields(store.quality_panes().get(FIRST)) == fields(pane(1))


def test_the_cache_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten panes with 100 kB each; the cache has room for three."""
    monkeypatch.setattr(quality_panes, "CACHE_BYTES", 350_000)
    panes = store.quality_panes()
    for name in PANES[:10]:
        cells = np.arange(6_250)
        panes.put(name, QualityPane(counts=QualityCounts(cells, cells + 1)))
    commit(store, quality=panes)
    for name in [*PANES[:10], *PANES[:10]]:
        assert panes.get(name) is not None
        assert len(panes._cache) == 3
        assert panes._cached_bytes <= 350_000


def test_a_damaged_pane_is_told(store: Store) -> None:
    panes = store.quality_panes()
    panes.put(FIRST, pane(1))
    commit(store, quality=panes)
    store._db.execute("UPDATE quality_panes SET body = x'c1'")
    with pytest.raises(StateUnreadable, match="a quality pane of model 'a' is damaged"):
        store.quality_panes().get(FIRST)


def test_a_generation_begins_without_quality_panes(store: Store) -> None:
    panes = store.quality_panes()
    panes.put(FIRST, pane(1))
    commit(store, quality=panes)
    store.begin("second")
    assert list(store.quality_panes().starting_before(1 << 60)) == []
