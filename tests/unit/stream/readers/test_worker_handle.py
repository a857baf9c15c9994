"""What waits for an owner that does not listen, as while a sink is full: bounded, in order, and
nobody counts as silent."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from stream.readers.messages import Decoding, Heartbeat, ToOwner
from stream.readers.worker_handle import Inbox, ReceivedMessage, WorkerHandle
from tests.servers import chatty

ONE, OTHER = (SimpleNamespace(name=name) for name in ("one", "other"))


def heard(reader: Any, *words: ToOwner | None) -> list[ReceivedMessage]:
    return [ReceivedMessage(reader, word) for word in words]


def waiting(*said: ReceivedMessage) -> list[ReceivedMessage]:
    inbox = Inbox()
    for one in said:
        inbox.put(one)
    return inbox.take(0.0, 1_000)


def test_of_signs_of_life_the_last_one_of_each_reader_waits() -> None:
    signs = [
        one
        for k in range(5_000)
        for one in (*heard(ONE, Heartbeat(k, False)), *heard(OTHER, Heartbeat(2 * k, False)))
    ]
    assert waiting(*signs) == [
        *heard(ONE, Heartbeat(4_999, False)),
        *heard(OTHER, Heartbeat(9_998, False)),
    ]


def test_a_sign_of_life_never_overtakes_what_its_reader_said_before() -> None:
    """Else "all is read to its end" could be believed before the last partial is taken."""
    said = heard(ONE, Heartbeat(1, False), Decoding([("p", 5)]), Heartbeat(1, True), None)
    assert waiting(*said, *heard(OTHER, Heartbeat(1, True))) == [
        *said,
        *heard(OTHER, Heartbeat(1, True)),
    ]


def test_the_words_are_taken_in_portions_and_the_first_is_waited_for() -> None:
    inbox, said = Inbox(), heard(ONE, *(Decoding([("p", k)]) for k in range(5)))
    for one in said:
        inbox.put(one)
    assert (inbox.take(0.0, 3), inbox.take(0.0, 3), inbox.take(0.01, 3)) == (said[:3], said[3:], [])


def test_a_real_reader_that_is_not_listened_to_fills_no_memory_and_is_not_silent() -> None:
    inbox = Inbox()
    reader = WorkerHandle("chatty", chatty.serve, b"", inbox)
    began_s = reader.heard_s
    try:
        deadline = time.monotonic() + 60
        while len(inbox) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        words = [one.word for one in inbox.take(0.0, 1_000)]
        assert words == [
            Decoding([("p", 1)]),
            Heartbeat(chatty.SIGNS - 1, False),
            Decoding([("p", 2)]),
            Heartbeat(chatty.SIGNS, True),
        ]
        assert reader.heard_s > began_s
    finally:
        reader.bury()
    assert inbox.take(10.0, 1) == [ReceivedMessage(reader, None)]
