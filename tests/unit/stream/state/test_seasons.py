"""The counts of seasons in the state file: committed with the state, and read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.profiles.profile import Profile
from stream.aggregation.panes import SeasonId
from stream.aggregation.state import JobState
from stream.state.identity import StateIdentity
from stream.state.panes import SqliteSeasons
from stream.state.store import Store
from stream.testing.baselines import baseline, normal

IDENTITY = StateIdentity(job="job", source="s", window_ms=1, every_ms=1, configured={})
LAYOUT = baseline({"x": normal(1, 2_000)}).layout
OTHER = baseline({"x": normal(2, 2_000)}).layout
SEVEN = SeasonId("m", LAYOUT.fingerprint, "7,weekend")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "job.sqlite")
    yield opened
    opened.close()


def counts(rows: int) -> Profile:
    profile = Profile(LAYOUT)
    profile.rows = rows
    profile.counts[3] = rows
    return profile


def commit(store: Store, seasons: SqliteSeasons) -> None:
    store.commit(IDENTITY, JobState(), [seasons], [], {})


def found(store: Store) -> dict[SeasonId, int]:
    seasons = store.seasons([LAYOUT])
    profiles = {id_: seasons.get(id_) for id_ in seasons.ids()}
    return {id_: int(profile.counts[3]) for id_, profile in profiles.items() if profile}


def test_counts_are_there_once_they_are_committed(store: Store) -> None:
    seasons = store.seasons([LAYOUT])
    seasons.put(SEVEN, counts(5))
    assert found(store) == {}
    commit(store, seasons)
    assert found(store) == {SEVEN: 5}
    seasons.put(SEVEN, counts(9))
    seasons.put(SEVEN._replace(season="8,weekday"), counts(2))
    commit(store, seasons)
    assert found(store) == {SEVEN: 9, SEVEN._replace(season="8,weekday"): 2}
    seasons.drop(SEVEN)
    commit(store, seasons)
    assert list(found(store).values()) == [2]


def test_counts_of_other_bins_are_not_read(store: Store) -> None:
    seasons = store.seasons([LAYOUT])
    seasons.put(SEVEN, counts(5))
    commit(store, seasons)
    assert list(store.seasons([OTHER]).ids()) == []


def test_a_new_beginning_forgets_the_seasons(store: Store) -> None:
    seasons = store.seasons([LAYOUT])
    seasons.put(SEVEN, counts(5))
    commit(store, seasons)
    store.begin("2")
    assert found(store) == {}


def test_a_state_without_a_table_of_seasons_gets_an_empty_one(store: Store) -> None:
    store._db.execute("DROP TABLE seasons")
    store.close()
    second = Store(store.path)
    assert found(second) == {}
    second.close()
