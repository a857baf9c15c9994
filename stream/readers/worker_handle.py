"""The owner's end of the pipe to one reader process."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Final, NamedTuple

from stream.events import Assign, Position
from stream.readers.messages import (
    Acknowledge,
    AssignPartitions,
    Heartbeat,
    Shutdown,
    ToOwner,
    ToReader,
    UseBaselines,
    encode,
    word_of,
)

_SPAWN: Final = get_context("spawn")
"""Never fork: threads of clients do not live through it."""
OWNERS_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""A terminal and systemd send them to all processes: the owner alone decides what they mean."""

Serve = Callable[[Connection, bytes], None]


class ReceivedMessage(NamedTuple):
    """What a reader said; ``None`` when its pipe has ended: it is dead."""

    reader: WorkerHandle
    word: ToOwner | None


class Inbox:
    """What the readers said, in the order in which it came, until the owner has time for it.

    Partials that nobody answers are few; signs of life are not, so of those that follow each other
    only the last one waits: a pause may take as long as it likes.
    """

    def __init__(self) -> None:
        self._words: deque[ReceivedMessage] = deque()
        self._came = threading.Condition()

    def __len__(self) -> int:
        return len(self._words)

    def put(self, heard: ReceivedMessage) -> None:
        """Add a word; a sign of life takes the place of the one before if its reader said nothing
        since.
        """
        with self._came:
            last = next(
                (
                    k
                    for k in range(len(self._words) - 1, -1, -1)
                    if self._words[k].reader is heard.reader
                ),
                None,
            )
            if (
                last is not None
                and isinstance(heard.word, Heartbeat)
                and isinstance(self._words[last].word, Heartbeat)
            ):
                self._words[last] = heard
            else:
                self._words.append(heard)
            self._came.notify()

    def take(self, timeout_s: float, most: int) -> list[ReceivedMessage]:
        """At most so many words; waits for the first one."""
        with self._came:
            self._came.wait_for(lambda: bool(self._words), timeout_s)
            return [self._words.popleft() for _ in range(min(most, len(self._words)))]


class WorkerHandle:
    """One reader process, what it was given, and what it said last.

    Neither a reader that hangs in the middle of a message nor one that does not listen holds up the
    owner: each direction of the pipe has a thread. ``partitions`` are those it reads, ``step``
    records at a time (0: as many as usual); ``asked`` tells from where on it waits for their first
    records, ``began`` where the records lie that it is counting; ``heard_s`` is when it spoke last,
    whether or not the owner has listened since; ``hangs`` if it was killed for its silence.
    """

    def __init__(self, name: str, serve: Serve, setup: bytes, inbox: Inbox) -> None:
        self.name, self.heard_s = name, time.monotonic()
        self.partitions: set[str] = set()
        self.asked: dict[str, Position] = {}
        self.began: list[tuple[str, Position]] = []
        self.opened = self.finished = self.hangs = False
        self.step = 0
        self._asked = self._obeyed = 0
        self._inbox = inbox
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(theirs, setup), name=name, daemon=True)
        self._begin()
        theirs.close()  # else the end of the process would not be the end of the pipe
        for work in (self._listen, self._speak):
            threading.Thread(
                target=work, name=f"{name}-{work.__name__.strip('_')}", daemon=True
            ).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """What a dead process left; negative: the signal that killed it."""
        return self._process.exitcode

    @property
    def done(self) -> bool:
        """True if all that it was given is read to its end."""
        return not self.partitions or (self.finished and self._asked == self._obeyed)

    def use(self, baselines: dict[str, bytes]) -> None:
        """Count with these from now on."""
        self._say(UseBaselines(baselines))

    def read(
        self, assigns: Sequence[Assign], most: int, skip: Sequence[tuple[str, Position]]
    ) -> None:
        """Read these partitions too; if records are read one by one, each partition is asked alone
        at first, so that it tells on itself.
        """
        self.partitions |= {one.partition for one in assigns}
        self.step = most
        for some in [[one] for one in assigns] if most == 1 and assigns else [list(assigns)]:
            self._asked += 1
            self._say(AssignPartitions(some, most, list(skip)))

    def answer(self, partials: int) -> None:
        """So many of its partials were dealt with."""
        self._say(Acknowledge(partials))

    def told(self, obeyed: int, finished: bool) -> None:
        """It gave a sign of life."""
        self.opened = True
        self._obeyed, self.finished = obeyed, finished

    def kill(self) -> None:
        """SIGKILL, which ends a stopped process too; its last words may still come."""
        self._process.kill()

    def leave(self) -> None:
        """Ask it to end."""
        self._say(Shutdown())

    def left(self, timeout_s: float) -> None:
        """See to it that it has ended."""
        self._process.join(timeout_s)
        self.bury()

    def bury(self) -> None:
        """End the process and both threads."""
        self._process.kill()
        self._process.join()
        self._outbox.put(None)

    def _begin(self) -> None:
        """Start the process. Signals for all of a terminal or a service must not meet it before it
        has said that it ignores them.
        """
        resource_tracker.ensure_running()  # else the start would do it, and let the signals through
        before = signal.pthread_sigmask(signal.SIG_BLOCK, OWNERS_SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _say(self, word: ToReader) -> None:
        self._outbox.put(encode(word))

    def _listen(self) -> None:
        try:
            while True:
                word = word_of(self._pipe.recv_bytes())
                self.heard_s = time.monotonic()
                self._inbox.put(ReceivedMessage(self, word))
        except (EOFError, OSError):
            self._inbox.put(ReceivedMessage(self, None))

    def _speak(self) -> None:
        try:
            while (data := self._outbox.get()) is not None:
                self._pipe.send_bytes(data)
        except OSError:
            return  # the other thread tells it
