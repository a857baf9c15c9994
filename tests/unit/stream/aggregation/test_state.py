"""The state of a job is read as it was written, by this version or an earlier one."""

from __future__ import annotations

import msgspec
import pytest

from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import JobState
from stream.events import ModelKey


def test_an_outcome_of_0_1_0_is_read_under_its_new_name() -> None:
    """Version 0.1.0 called poison records ``kills_reader``; the rest of the ledger is unchanged."""
    written = JobState(
        ledger=Ledger(
            partitions={
                "0": Account(9, {"accepted": 7, "kills_reader": 2}),
                "1": Account(6, {"kills_reader": 1, "crashes_reader": 5}),
                "2": Account(3, {"accepted": 3}),
            },
            bytes={"accepted": 1_000, "kills_reader": 80, "crashes_reader": 20},
        )
    )
    ledger = JobState.decode(written.encode()).ledger
    assert ledger.partitions == {
        "0": Account(9, {"accepted": 7, "crashes_reader": 2}),
        "1": Account(6, {"crashes_reader": 6}),
        "2": Account(3, {"accepted": 3}),
    }
    assert ledger.bytes == {"accepted": 1_000, "crashes_reader": 100}
    assert ledger.imbalance() == {}
    assert ledger.lost() == {"crashes_reader": 8}


def test_models_and_variants_keep_their_names() -> None:
    state = JobState()
    state.key_state(ModelKey("prices", "a/b")).active_until_ms = 7
    [(key, key_state)] = JobState.decode(state.encode()).known()
    assert (key, key_state.active_until_ms) == (ModelKey("prices", "a/b"), 7)


def test_data_that_is_no_state_raises() -> None:
    with pytest.raises(msgspec.ValidationError):
        JobState.decode(msgspec.msgpack.encode({"ledger": 5}))
