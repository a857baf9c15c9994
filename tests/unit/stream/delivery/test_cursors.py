"""A sink keeps its cursor wherever it stands in the list; one whose keys were corrected takes over
what waits."""

from __future__ import annotations

from pathlib import Path

from sinks.jsonl import Jsonl
from sinks.sns import Sns
from stream.aggregation.state import JobState
from stream.delivery.cursors import cursors_of, keys_of
from stream.state.store import StateIdentity, Store
from tests.support.samples import signal

A, B = ("jsonl", Jsonl(path="/a")), ("jsonl", Jsonl(path="/b"))
WRONG, RIGHT = (
    ("sns", Sns(topic_arn=f"arn:aws:sns:eu-central-1:123456789012:{name}"))
    for name in ("retrian", "retrain")
)
LAST = 9


def test_sinks_that_change_places_keep_their_cursors() -> None:
    stored = dict(zip(keys_of([A, B]), [3, 7], strict=True))
    assert cursors_of(keys_of([B, A]), stored, LAST) == [7, 3]


def test_a_sink_does_not_take_the_cursor_of_one_that_was_removed() -> None:
    stored = dict(zip(keys_of([A, B]), [LAST, 3], strict=True))
    assert cursors_of(keys_of([B]), stored, LAST) == [3]


def test_what_waits_for_a_topic_that_was_misspelt_goes_to_the_right_one() -> None:
    stored = dict(zip(keys_of([A, WRONG]), [LAST, 3], strict=True))
    assert cursors_of(keys_of([A, RIGHT]), stored, LAST) == [LAST, 3]


def test_a_new_sink_begins_behind_what_there_is() -> None:
    stored = dict(zip(keys_of([A]), [3], strict=True))
    assert cursors_of(keys_of([A, RIGHT]), stored, LAST) == [3, LAST]


def test_two_sinks_that_are_alike_have_two_cursors() -> None:
    keys = keys_of([A, A])
    assert len(set(keys)) == 2
    assert cursors_of(keys, dict(zip(keys, [3, 7], strict=True)), LAST) == [3, 7]


def test_the_state_forgets_a_sink_that_is_no_more(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    panes, who = store.panes([]), StateIdentity("j", "s", 1, 1)
    store.commit(who, JobState(), panes, [signal()], {"jsonl a": 0, "jsonl b": 0})
    store.commit(who, JobState(), panes, [], {"jsonl b": 1})
    assert store.cursors() == {"jsonl b": 1}
    store.close()
