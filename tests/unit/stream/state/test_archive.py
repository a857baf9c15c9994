"""Baselines and limits are kept permanently, and are readable while a service owns the state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.decisions.limits import Limits
from detectors.decisions.rules import Rules
from detectors.profiles.baseline import Baseline, Constraint, Constraints
from stream.errors import StateUnreadable
from stream.state.archive import read_baseline, read_limits
from stream.state.store import Store
from stream.testing.baselines import baseline, normal

BASE = baseline({"x": normal(1, 2_000)})
LIMITS = Limits(constraints=BASE.constraints, rules=Rules(min_n=50))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def test_a_kept_baseline_is_read_while_the_state_is_owned(store: Store) -> None:
    store.keep([BASE], [])
    store.keep([BASE], [])
    kept = read_baseline(store.path, BASE.fingerprint)
    assert kept is not None
    assert (kept.fingerprint, kept.constraints) == (BASE.fingerprint, BASE.constraints)


def test_kept_limits_are_read_while_the_state_is_owned(store: Store) -> None:
    store.keep([], [LIMITS, LIMITS])
    assert read_limits(store.path, LIMITS.fingerprint) == LIMITS


def test_an_unknown_fingerprint_or_a_missing_state_is_none(store: Store, tmp_path: Path) -> None:
    store.keep([BASE], [LIMITS])
    assert read_baseline(store.path, "feedface") is None
    assert read_limits(store.path, "feedface") is None
    assert read_baseline(tmp_path / "none", BASE.fingerprint) is None
    assert read_limits(tmp_path / "none", LIMITS.fingerprint) is None


def test_a_state_without_the_table_has_no_limits(store: Store) -> None:
    """States of 0.1.0 have no limits, and reading must not add the table."""
    store._db.execute("DROP TABLE limits")
    assert read_limits(store.path, LIMITS.fingerprint) is None


def test_a_baseline_with_other_constraints_is_the_same_baseline(store: Store) -> None:
    """The first baseline is kept: the limits that a report names supersede its constraints."""
    other = Baseline(
        BASE.layout, BASE.profile, Constraints({"x": Constraint(completeness=0.5)}), BASE.columns
    )
    assert other.fingerprint == BASE.fingerprint
    store.keep([BASE], [])
    store.keep([other], [])
    kept = read_baseline(store.path, BASE.fingerprint)
    assert kept is not None
    assert kept.constraints == BASE.constraints


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StateUnreadable):
        read_limits(path, LIMITS.fingerprint)


def test_a_baseline_is_read_by_the_fingerprint_of_0_1_0(store: Store) -> None:
    """That version kept it under the checksum, which covers the constraints."""
    store.close()
    db = sqlite3.connect(store.path)
    db.execute("INSERT INTO baselines VALUES (?, ?)", (BASE.checksum, BASE.encode()))
    db.commit()
    db.close()
    kept = read_baseline(store.path, BASE.checksum)
    assert kept is not None
    assert kept.fingerprint == BASE.fingerprint
