"""What waits for an owner that does not listen, as while a sink is full: bounded, in order, and
nobody counts as silent."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from stream.readers.messages import Began, Told, ToOwner
from stream.readers.worker_handle import Heard, HeldReader, Inbox
from tests.servers import chatty

ONE, OTHER = (SimpleNamespace(name=name) for name in ("one", "other"))


def heard(reader: Any, *words: ToOwner | None) -> list[Heard]:
    return [Heard(reader, word) for word in words]


def waiting(*said: Heard) -> list[Heard]:
    inbox = Inbox()
    for one in said:
        inbox.put(one)
    return inbox.take(0.0, 1_000)


def test_of_signs_of_life_the_last_one_of_each_reader_waits() -> None:
    signs = [
        one
        for k in range(5_000)
        for one in (*heard(ONE, Told(k, False)), *heard(OTHER, Told(2 * k, False)))
    ]
    assert waiting(*signs) == [*heard(ONE, Told(4_999, False)), *heard(OTHER, Told(9_998, False))]


def test_a_sign_of_life_never_overtakes_what_its_reader_said_before() -> None:
    """Else "all is read to its end" could be believed before the last partial is taken."""
    said = heard(ONE, Told(1, False), Began([("p", 5)]), Told(1, True), None)
    assert waiting(*said, *heard(OTHER, Told(1, True))) == [*said, *heard(OTHER, Told(1, True))]


def test_the_words_are_taken_in_portions_and_the_first_is_waited_for() -> None:
    inbox, said = Inbox(), heard(ONE, *(Began([("p", k)]) for k in range(5)))
    for one in said:
        inbox.put(one)
    assert (inbox.take(0.0, 3), inbox.take(0.0, 3), inbox.take(0.01, 3)) == (said[:3], said[3:], [])


def test_a_real_reader_that_is_not_listened_to_fills_no_memory_and_is_not_silent() -> None:
    inbox = Inbox()
    reader = HeldReader("chatty", chatty.serve, b"", inbox)
    began_s = reader.heard_s
    try:
        deadline = time.monotonic() + 60
        while len(inbox) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        words = [one.word for one in inbox.take(0.0, 1_000)]
        assert words == [
            Began([("p", 1)]),
            Told(chatty.SIGNS - 1, False),
            Began([("p", 2)]),
            Told(chatty.SIGNS, True),
        ]
        assert reader.heard_s > began_s
    finally:
        reader.bury()
    assert inbox.take(10.0, 1) == [Heard(reader, None)]
