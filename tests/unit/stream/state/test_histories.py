"""The stores of histories: in the state file and in memory they are the same, also over restarts
and with a cache that holds next to nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from detectors.profiles.baseline import Baseline, Constraints
from detectors.statistics.evidence import scores
from detectors.statistics.evidence.horizons import LONGEST, OF_ANY_SIZE, History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from stream.aggregation.histories import HistoryStore, MemoryHistories
from stream.aggregation.state import JobState
from stream.errors import StateUnreadable
from stream.events import ModelKey
from stream.state import histories as rows
from stream.state.histories import SqliteHistories
from stream.state.identity import StateIdentity
from stream.state.store import Store
from stream.testing.baselines import baseline, normal

IDENTITY = StateIdentity(job="job", source="s", window_ms=1, every_ms=1, configured={})
BASE = baseline({"x": normal(1, 2_000)})
LAYOUT = TallyLayout(BASE)
OTHER = TallyLayout(baseline({"x": normal(2, 2_000)}))
KEYS = [ModelKey(model, variant) for model in ("a", "b") for variant in ("v", "w")]
Windows = list[tuple[int, int, list[int]]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "job.sqlite")
    yield opened
    opened.close()


def past(
    end_ms: int, layout: TallyLayout = LAYOUT, length_ms: int = 10, rows: int = 200
) -> PastWindow:
    random = np.random.default_rng(end_ms + 1_000)
    numbers = random.integers(-(1 << 40), 1 << 40, layout.size)
    tallies = np.where(numbers % 3, numbers % 7, numbers)
    tallies[0] = rows
    return PastWindow(end_ms - length_ms, end_ms, tallies)


def commit(store: Store, histories: SqliteHistories) -> None:
    store.commit(IDENTITY, JobState(), [histories], [], {})


def content(history: History) -> Windows:
    return [(w.start_ms, w.end_ms, w.tallies.tolist()) for w in history.windows()]


def contents(store: HistoryStore, layout: TallyLayout = LAYOUT) -> list[Windows]:
    return [content(store.get(key, layout)) for key in KEYS]


@pytest.mark.parametrize("seed", range(8))
def test_the_file_has_what_a_dictionary_has_over_commits_and_crashes(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CACHE_BYTES", (0, 3_000 * LAYOUT.size, 1 << 30)[seed % 3])
    random = Random(seed)
    expected, committed = MemoryHistories(), MemoryHistories()
    histories = store.histories()
    end_ms = -500
    for _ in range(600):
        chance = random.random()
        layout = OTHER if random.random() < 0.02 else LAYOUT
        end_ms += random.choice((4, 10, 10, 30))
        key = random.choice(KEYS)
        if chance < 0.85:
            final_ms = random.choice((None, end_ms - 100, end_ms - 40))
            for each in (expected, histories):
                each.add(key, layout, past(end_ms, layout), final_ms)
        elif chance < 0.87:
            for each in (expected, histories):
                each.clear(key.model)
        elif chance < 0.96:
            commit(store, histories)
            committed = expected.copy()
        else:
            histories, expected = store.histories(), committed.copy()
        assert content(histories.get(key, layout)) == content(expected.get(key, layout))
    for layout in (LAYOUT, OTHER):
        assert contents(histories, layout) == contents(expected, layout)
    assert any(map(len, contents(expected)))


@pytest.mark.parametrize(("rows", "kept"), [(1, LONGEST - 1), (200, OF_ANY_SIZE - 1)])
def test_windows_that_left_a_history_leave_the_file_in_the_same_commit(
    store: Store, rows: int, kept: int
) -> None:
    histories = store.histories()
    for k in range(300):
        histories.add(KEYS[0], LAYOUT, past(10 * k, rows=rows), None)
        if k % 50 == 3:
            commit(store, histories)
    commit(store, histories)
    db = sqlite3.connect(store.path)
    stored = [end for (end,) in db.execute("SELECT end_ms FROM histories ORDER BY end_ms")]
    assert stored == [10 * k for k in range(300 - kept, 300)]
    histories.add(KEYS[0], OTHER, past(4_000, OTHER), None)
    commit(store, histories)
    layouts = db.execute("SELECT layout, end_ms FROM histories").fetchall()
    assert layouts == [(OTHER.fingerprint, 4_000)]


def test_a_commit_writes_each_window_once(store: Store) -> None:
    histories = store.histories()
    sizes = []
    for k in range(70):
        histories.add(KEYS[0], LAYOUT, past(10 * k), None)
        commit(store, histories)
        sizes.append(histories.write(store._db))
        assert sizes[-1] == 0
    assert store.written_bytes < 1_000


def test_a_new_beginning_forgets_the_histories(store: Store) -> None:
    histories = store.histories()
    histories.add(KEYS[0], LAYOUT, past(10), None)
    commit(store, histories)
    store.begin("g")
    assert contents(store.histories()) == [[]] * 4


def test_a_state_without_a_table_of_histories_gets_an_empty_one(store: Store) -> None:
    commit(store, store.histories())
    store._db.execute("DROP TABLE histories")
    store.close()
    second = Store(store.path)
    assert contents(second.histories()) == [[]] * 4
    second.close()


@pytest.mark.parametrize("body", ["x'c1'", "'text'", "x''", "zeroblob(40)"])
def test_a_damaged_history_is_reported(store: Store, body: str) -> None:
    histories = store.histories()
    histories.add(KEYS[0], LAYOUT, past(10), None)
    commit(store, histories)
    store._db.execute(f"UPDATE histories SET body = {body}")
    with pytest.raises(StateUnreadable, match="the history of model 'a' is damaged"):
        store.histories().get(KEYS[0], LAYOUT)


def test_tallies_of_another_baseline_have_another_meaning() -> None:
    copied = Baseline(BASE.layout, BASE.profile.copy(), Constraints(), BASE.columns)
    assert TallyLayout(copied).fingerprint == LAYOUT.fingerprint
    counted = Baseline(BASE.layout, BASE.profile.copy(), BASE.constraints, BASE.columns)
    counted.profile.counts[BASE.layout.bins(0).start + 20] += 100
    assert counted.layout.fingerprint == BASE.layout.fingerprint
    assert TallyLayout(counted).fingerprint != LAYOUT.fingerprint
    assert OTHER.fingerprint != LAYOUT.fingerprint


def test_tallies_with_other_weights_have_another_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "SCALE", scores.SCALE + 1)
    assert TallyLayout(BASE).fingerprint != LAYOUT.fingerprint
