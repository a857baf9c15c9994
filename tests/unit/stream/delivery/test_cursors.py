"""A sink keeps its cursor at any position in the list; a sink with corrected settings inherits
the undelivered items."""

from __future__ import annotations

from pathlib import Path

from sinks.jsonl import Jsonl
from sinks.sns import Sns
from stream.aggregation.state import JobState
from stream.delivery.cursors import cursors_of, keys_of
from stream.state.identity import StateIdentity
from stream.state.store import Store
from stream.testing.reports import signal

A = ("jsonl", Jsonl(path="/a"))
B = ("jsonl", Jsonl(path="/b"))
WRONG, RIGHT = (
    ("sns", Sns(topic_arn=f"arn:aws:sns:eu-central-1:123456789012:{name}"))
    for name in ("retrian", "retrain")
)
LAST = 9


def test_sinks_that_are_reordered_keep_their_cursors() -> None:
    stored = dict(zip(keys_of([A, B]), [3, 7], strict=True))
    assert cursors_of(keys_of([B, A]), stored, LAST) == [7, 3]


def test_a_sink_does_not_inherit_the_cursor_of_a_removed_one() -> None:
    stored = dict(zip(keys_of([A, B]), [LAST, 3], strict=True))
    assert cursors_of(keys_of([B]), stored, LAST) == [3]


def test_undelivered_items_of_a_misspelt_topic_go_to_the_corrected_one() -> None:
    stored = dict(zip(keys_of([A, WRONG]), [LAST, 3], strict=True))
    assert cursors_of(keys_of([A, RIGHT]), stored, LAST) == [LAST, 3]


def test_a_new_sink_starts_after_everything_in_the_outbox() -> None:
    stored = dict(zip(keys_of([A]), [3], strict=True))
    assert cursors_of(keys_of([A, RIGHT]), stored, LAST) == [3, LAST]


def test_two_equal_sinks_have_two_cursors() -> None:
    keys = keys_of([A, A])
    assert len(set(keys)) == 2
    assert cursors_of(keys, dict(zip(keys, [3, 7], strict=True)), LAST) == [3, 7]


def test_the_cursor_of_a_removed_sink_is_deleted_from_the_state(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    panes = store.panes([])
    identity = StateIdentity(job="j", source="s", window_ms=1, every_ms=1)
    store.commit(identity, JobState(), [panes], [signal()], {"jsonl a": 0, "jsonl b": 0})
    store.commit(identity, JobState(), [panes], [], {"jsonl b": 1})
    assert store.cursors() == {"jsonl b": 1}
    store.close()
