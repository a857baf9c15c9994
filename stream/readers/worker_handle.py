"""The owner's handle of one reader process: the process, its pipe, and its last messages."""

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
    Inform,
    Shutdown,
    ToOwner,
    ToReader,
    UseBaselines,
    decode_for_owner,
    encode,
)

_SPAWN: Final = get_context("spawn")
"""Always spawn: client threads do not survive a fork."""
OWNER_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""A terminal and systemd send them to all processes; only the owner acts on them."""

Serve = Callable[[Connection, bytes], None]
"""The main function of a reader process: it gets its end of the pipe, and an encoded set-up."""


class ReceivedMessage(NamedTuple):
    """A message of a reader; ``None`` if its pipe has ended because the process is dead."""

    reader: WorkerHandle
    message: ToOwner | None


class Inbox:
    """The messages of all readers, in the order in which they arrived, until the owner takes them.

    Unacknowledged partials are few; heartbeats are not, so consecutive heartbeats of a reader are
    collapsed into the latest. The owner may pause for any length of time.
    """

    def __init__(self) -> None:
        self._messages: deque[ReceivedMessage] = deque()
        self._arrived = threading.Condition()

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, received: ReceivedMessage) -> None:
        """Add a message; a heartbeat replaces an earlier one that its reader sent right before."""
        with self._arrived:
            last = self._last_of(received.reader)
            if last is not None and _is_heartbeat(received) and _is_heartbeat(self._messages[last]):
                self._messages[last] = received
            else:
                self._messages.append(received)
            self._arrived.notify()

    def take(self, timeout_s: float, max_messages: int) -> list[ReceivedMessage]:
        """Return at most ``max_messages``; waits at most ``timeout_s`` for the first one."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._messages), timeout_s)
            return [self._messages.popleft() for _ in range(min(max_messages, len(self._messages)))]

    def _last_of(self, reader: WorkerHandle) -> int | None:
        for k in range(len(self._messages) - 1, -1, -1):
            if self._messages[k].reader is reader:
                return k
        return None


def _is_heartbeat(received: ReceivedMessage) -> bool:
    return isinstance(received.message, Heartbeat)


class WorkerHandle:
    """One reader process, its orders, and its last messages.

    Neither a reader that hangs in the middle of a message nor one that does not read its pipe
    delays the owner: each direction of the pipe has a thread.

    ``partitions`` are those it reads, at most ``max_records`` at a time (0: as usual).
    ``fetching`` are the positions at which it has not returned a record yet, ``decoding`` the
    positions of the records that it is decoding. ``last_message_s`` is the time at which its last
    message arrived, even if the owner has not taken it yet. ``opened``: it has opened its source.
    ``hung``: it was killed because it was silent.
    """

    def __init__(self, name: str, serve: Serve, setup: bytes, inbox: Inbox) -> None:
        self.name = name
        self.last_message_s = time.monotonic()
        self.partitions: set[str] = set()
        self.fetching: dict[str, Position] = {}
        self.decoding: list[tuple[str, Position]] = []
        self.opened = self.finished = self.hung = False
        self.max_records = 0
        self._orders_sent = self._orders_done = 0
        self._inbox = inbox
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._pipe, its_end = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(its_end, setup), name=name, daemon=True)
        self._start_process()
        its_end.close()  # otherwise the pipe would not end with the process
        for loop in (self._receive, self._transmit):
            thread = f"{name}-{loop.__name__.strip('_')}"
            threading.Thread(target=loop, name=thread, daemon=True).start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """The exit code of a dead process; negative: the signal that killed it."""
        return self._process.exitcode

    @property
    def done(self) -> bool:
        """True if all of its partitions are read to their ends."""
        carried_out = self._orders_sent == self._orders_done
        return not self.partitions or (self.finished and carried_out)

    def use(self, baselines: dict[str, bytes]) -> None:
        """Order it to count with these baselines."""
        self._send(UseBaselines(baselines))

    def read(
        self, assigns: Sequence[Assign], max_records: int, skip: Sequence[tuple[str, Position]]
    ) -> None:
        """Order it to read these partitions too.

        If records are read one by one, each partition is assigned and fetched separately, so that a
        crash identifies the partition that caused it.
        """
        self.partitions |= {assign.partition for assign in assigns}
        self.max_records = max_records
        singly = max_records == 1 and assigns
        for group in [[assign] for assign in assigns] if singly else [list(assigns)]:
            self._orders_sent += 1
            self._send(AssignPartitions(group, max_records, list(skip)))

    def inform(self, found: dict[str, bytes]) -> None:
        """Pass on what the owner's source has found in its partitions."""
        self._send(Inform(found))

    def acknowledge(self, partials: int) -> None:
        """Acknowledge some of its partials, so that it sends others."""
        self._send(Acknowledge(partials))

    def note_heartbeat(self, orders: int, finished: bool) -> None:
        """Note how many orders it has carried out, and whether its source is at the end."""
        self.opened = True
        self._orders_done = orders
        self.finished = finished

    def kill(self) -> None:
        """Send SIGKILL, which ends a stopped process too; messages in the pipe still arrive."""
        self._process.kill()

    def shut_down(self) -> None:
        """Order it to end."""
        self._send(Shutdown())

    def join(self, timeout_s: float) -> None:
        """Wait for its end, and kill it if it does not end in time."""
        self._process.join(timeout_s)
        self.close()

    def close(self) -> None:
        """End the process and both threads."""
        self._process.kill()
        self._process.join()
        self._outbox.put(None)

    def _start_process(self) -> None:
        """Start the process with the owner's signals blocked, until it ignores them."""
        resource_tracker.ensure_running()  # otherwise start() starts it, and unblocks the signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, OWNER_SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _send(self, message: ToReader) -> None:
        self._outbox.put(encode(message))

    def _receive(self) -> None:
        try:
            while True:
                message = decode_for_owner(self._pipe.recv_bytes())
                self.last_message_s = time.monotonic()
                self._inbox.put(ReceivedMessage(self, message))
        except (EOFError, OSError):
            self._inbox.put(ReceivedMessage(self, None))

    def _transmit(self) -> None:
        try:
            while (data := self._outbox.get()) is not None:
                self._pipe.send_bytes(data)
        except OSError:
            return  # the pipe has ended, which the other thread reports
