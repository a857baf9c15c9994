"""The last commit is read back, also from a state of 0.1.0."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from stream.aggregation.state import JobState, ModelState
from stream.baselining.build import load_baseline
from stream.state.identity import StateIdentity
from stream.state.store import Store
from stream.state.stored import StoredState
from stream.testing.baselines import baseline, normal
from tests.support.paths import ROOT

BASE = baseline({"x": normal(1, 500)})
LIMITS = Judge("j", Rules()).limits("m", BASE.constraints)
OF_0_1_0 = ROOT / "tests" / "golden" / "state_0_1_0"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def committed(store: Store, *, named: str) -> StoredState:
    """The stored state of a job with one model, whose baseline has the fingerprint ``named``."""
    identity = StateIdentity(
        job="j",
        source="s",
        window_ms=1,
        every_ms=1,
        configured={"m": named},
        limits={"m": LIMITS.fingerprint, "unknown": "feedface"},
    )
    store.commit(identity, JobState(models={"m": ModelState(named)}), [], [], {})
    stored = store.load()
    assert stored is not None
    return stored


def test_baselines_and_limits_of_models_are_read_with_the_state(store: Store) -> None:
    store.keep([BASE], [LIMITS])
    stored = committed(store, named=BASE.fingerprint)
    assert stored.baselines["m"].fingerprint == BASE.fingerprint
    assert stored.limits == {"m": LIMITS}


def test_a_baseline_that_was_not_kept_retains_its_fingerprint(store: Store) -> None:
    stored = committed(store, named="feedface")
    assert stored.baselines == {}
    assert (stored.identity.configured, stored.state.models["m"].baseline) == (
        {"m": "feedface"},
        "feedface",
    )


def test_a_state_of_0_1_0_is_read_with_todays_fingerprints(tmp_path: Path) -> None:
    """That version names a baseline by its checksum, and keeps no limits."""
    path = tmp_path / "state.sqlite"
    path.write_bytes(gzip.decompress((OF_0_1_0 / "state.sqlite.gz").read_bytes()))
    store = Store(path)
    stored = store.load()
    folder = load_baseline(OF_0_1_0 / "base")
    kept = store._db.execute("SELECT fingerprint FROM baselines").fetchall()
    store.close()
    assert stored is not None
    assert (folder.checksum,) in kept
    assert stored.identity.configured == {"prices": folder.fingerprint, "young": ""}
    assert stored.state.models["prices"].baseline == folder.fingerprint
    assert stored.baselines["prices"].constraints == folder.constraints
    assert (stored.limits, stored.identity.limits) == ({}, {})
