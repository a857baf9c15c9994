"""The state of a job is read as it was written, by this version or an earlier one."""

from __future__ import annotations

import msgspec
import pytest

from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import JobState, KeyState
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


@pytest.mark.parametrize(
    "text", ["\x1f", "\x1d", "\x1d\x1e", "\x1d\x1d\x1e", "\x1d\x1f", "a\x1fb\x1d"]
)
def test_any_text_is_kept_as_the_name_of_a_model_or_variant(text: str) -> None:
    keys = [ModelKey(text, "v"), ModelKey("m", text), ModelKey(text, text), ModelKey("m", "")]
    state = JobState()
    for key in keys:
        state.key_state(key)
    assert [key for key, _ in JobState.decode(state.encode()).known()] == keys


def test_a_state_of_0_1_0_with_a_separator_in_a_variant_opens() -> None:
    """Version 0.1.0 escaped nothing, and its own states with such a variant did not open."""
    written = JobState(keys={"m\x1fa\x1fb": KeyState(active_until_ms=7), "m\x1fv": KeyState()})
    keys = [key for key, _ in JobState.decode(written.encode()).known()]
    assert keys == [ModelKey("m", "a\x1fb"), ModelKey("m", "v")]


def test_data_that_is_no_state_raises() -> None:
    with pytest.raises(msgspec.ValidationError):
        JobState.decode(msgspec.msgpack.encode({"ledger": 5}))
