"""Messages that wait for a paused owner, as with a full sink: bounded, in order, and no
reader counts as silent meanwhile.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from stream.readers.messages import Decoding, Heartbeat, ToOwner
from stream.readers.worker_handle import Inbox, ReceivedMessage, WorkerHandle
from tests.servers import chatty

FIRST, SECOND = (SimpleNamespace(name=name) for name in ("first", "second"))


def received(reader: Any, *messages: ToOwner | None) -> list[ReceivedMessage]:
    return [ReceivedMessage(reader, message) for message in messages]


def filled(messages: list[ReceivedMessage]) -> Inbox:
    inbox = Inbox()
    for message in messages:
        inbox.put(message)
    return inbox


def test_only_the_latest_heartbeat_of_each_reader_waits() -> None:
    heartbeats = [
        message
        for k in range(5_000)
        for message in (
            *received(FIRST, Heartbeat(k, False)),
            *received(SECOND, Heartbeat(2 * k, False)),
        )
    ]
    assert filled(heartbeats).take(0.0, 1_000) == [
        *received(FIRST, Heartbeat(4_999, False)),
        *received(SECOND, Heartbeat(9_998, False)),
    ]


def test_a_heartbeat_never_overtakes_an_earlier_message_of_its_reader() -> None:
    """Otherwise the owner could regard the source as finished before it has the last partial."""
    first = received(FIRST, Heartbeat(1, False), Decoding([("p", 5)]), Heartbeat(1, True), None)
    second = received(SECOND, Heartbeat(1, True))
    assert filled([*first, *second]).take(0.0, 1_000) == [*first, *second]


def test_messages_are_taken_in_portions_and_an_empty_inbox_returns_none() -> None:
    messages = received(FIRST, *(Decoding([("p", k)]) for k in range(5)))
    inbox = filled(messages)
    portions = inbox.take(0.0, 3), inbox.take(0.0, 3), inbox.take(0.01, 3)
    assert portions == (messages[:3], messages[3:], [])


def test_a_real_reader_with_a_paused_owner_fills_no_memory_and_is_not_silent() -> None:
    inbox = Inbox()
    reader = WorkerHandle("chatty", chatty.serve, b"", inbox)
    started_s = reader.last_message_s
    try:
        deadline = time.monotonic() + 60
        while len(inbox) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        messages = [received.message for received in inbox.take(0.0, 1_000)]
        assert messages == [
            Decoding([("p", 1)]),
            Heartbeat(chatty.HEARTBEATS - 1, False),
            Decoding([("p", 2)]),
            Heartbeat(chatty.HEARTBEATS, True),
        ]
        assert reader.last_message_s > started_s
    finally:
        reader.close()
    assert inbox.take(10.0, 1) == [ReceivedMessage(reader, None)]
