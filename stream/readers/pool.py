"""The pool of reader processes: distributes partitions, and replaces processes that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from stream.config.model import Config
from stream.errors import SourceUnavailable
from stream.events import Assign, Gap, Partial, ReaderLost, position_text
from stream.readers.base import OnCounted
from stream.readers.messages import (
    Decoding,
    Fetching,
    GapMessage,
    Heartbeat,
    PartialMessage,
    SourceFailed,
    unpack,
)
from stream.readers.poison_records import PoisonRecordSearch
from stream.readers.worker import WorkerSetup, serve
from stream.readers.worker_handle import Inbox, ReceivedMessage, Serve, WorkerHandle
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup

SILENT_S: Final = 15.0
"""The time without a message after which a reader is killed; it sends a heartbeat each second."""
OPENING_S: Final = 90.0
"""The same while it starts and connects."""
RESTART_DELAYS_S: Final = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Delay before a reader is replaced, by the number of consecutive crashes without a partial."""
MESSAGES_PER_READ: Final = 32
EXIT_GRACE_S: Final = 0.5
"""The time for a reader to exit after its pipe has ended, so that its own exit code is logged."""
SHUTDOWN_S: Final = 2.0
"""The time for all readers together to shut down before they are killed."""
UNREADABLE: Final = (
    "The log lines above show the cause. Give the readers more memory, or delete that record from"
    " the source: reading then continues after it, and the record is reported as a gap"
)

log = structlog.get_logger("driftline.readers")


class _Replacement(NamedTuple):
    """A reader to start at ``due_s``, for these partitions."""

    due_s: float
    partitions: tuple[str, ...]


class ReaderPool:
    """Distributes partitions over reader processes, and replaces those that crash or fall silent.

    Partitions stay with their reader. Those of a crashed one are returned as ``ReaderLost``, and
    the aggregator assigns them again, after the ranges it has accepted. A range at which readers
    repeatedly crash is read in ever smaller steps
    (:class:`~stream.readers.poison_records.PoisonRecordSearch`) until the poison record is found,
    which becomes a dead letter.

    Raises ``SourceUnavailable`` if the source cannot be opened at the start, if a reader meets a
    permanent error, or if readers repeatedly crash before the source has returned a record.
    ``reading`` is the owner's own open source, which discovers partitions and reads none.
    ``on_replaced`` is called with ``killed`` or ``ended`` for each reader that is replaced;
    ``serve`` is the main function of a reader process.
    """

    def __init__(
        self,
        config: Config,
        reading: Reading,
        logs: LogSetup,
        on_counted: OnCounted,
        on_replaced: Callable[[str], None],
        serve: Serve = serve,
    ) -> None:
        self._reading = reading
        self._source = config.source.identity
        self._setup = msgspec.msgpack.encode(WorkerSetup(config, logs))
        self._on_counted = on_counted
        self._on_replaced = on_replaced
        self._serve = serve
        self._inbox = Inbox()
        self._layouts: dict[str, Layout] = {}
        self._baselines: dict[str, bytes] = {}
        self._search = PoisonRecordSearch()
        self._unacknowledged: dict[WorkerHandle, int] = {}
        self._crashes_in_a_row = self._started = 0
        self._checked_s = time.monotonic()
        self._replacements: list[_Replacement] = []
        self.readers = [self._start() for _ in range(config.readers)]

    def use(self, baselines: Mapping[str, Baseline]) -> None:
        """Count with these baselines from the next batch on."""
        self._layouts = {name: baseline.layout for name, baseline in baselines.items()}
        self._baselines = {
            name: baseline.encode(with_references=False) for name, baseline in baselines.items()
        }
        for reader in self.readers:
            reader.use(self._baselines)

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Give partitions to the readers that have them, new ones to the reader with the fewest.

        Gaps are returned by :meth:`read`.
        """
        if assigns:
            positions = {assign.partition: assign.next for assign in assigns}
            self._reading.assigned_elsewhere(positions)
        orders: dict[WorkerHandle, list[Assign]] = {}
        for assign in assigns:
            if not self._awaits_replacement(assign.partition):
                reader = self._reader_of(assign.partition)
                reader.partitions.add(assign.partition)
                orders.setdefault(reader, []).append(assign)
        for reader, order in orders.items():
            self._order(reader, order)
        self._pass_on_findings()
        return []

    def read(self, timeout_s: float) -> list[Partial | Gap | ReaderLost]:
        """Return new items; waits for the first message at most ``timeout_s``.

        A call acknowledges the partials that the call before returned.
        """
        for reader, partials in self._unacknowledged.items():
            reader.acknowledge(partials)
        self._unacknowledged.clear()
        items: list[Partial | Gap | ReaderLost] = []
        for received in self._inbox.take(timeout_s, MESSAGES_PER_READ):
            items += self._handle(received)
        self._pass_on_findings()
        self._kill_silent_readers()
        return [*items, *self._start_replacements()]

    @property
    def finished(self) -> bool:
        """True when all partitions of a bounded source are read to their ends."""
        any_assigned = any(reader.partitions for reader in self.readers)
        all_done = all(reader.done for reader in self.readers)
        return any_assigned and all_done and not self._replacements

    def close(self) -> None:
        """End all readers; safe to call twice."""
        deadline_s = time.monotonic() + SHUTDOWN_S
        for reader in self.readers:
            reader.shut_down()
        for reader in self.readers:
            reader.join(max(deadline_s - time.monotonic(), 0.0))
        self.readers = []

    def _start(self) -> WorkerHandle:
        self._started += 1
        reader = WorkerHandle(f"reader-{self._started}", self._serve, self._setup, self._inbox)
        log.info("reader_started", reader=reader.name, pid=reader.pid)
        if self._baselines:
            reader.use(self._baselines)
        return reader

    def _order(self, reader: WorkerHandle, assigns: Sequence[Assign] = ()) -> None:
        """Order a reader to read partitions, in the steps that all of its partitions require."""
        max_records = self._search.max_records(reader.partitions)
        reader.read(assigns, max_records, self._search.to_skip(reader.partitions))

    def _awaits_replacement(self, partition: str) -> bool:
        """Return whether a partition waits for a reader to be replaced.

        If so, it is returned as ``ReaderLost`` later, and assigned again.
        """
        if not self.readers:
            first = self._replacements[0]
            partitions = tuple(sorted({*first.partitions, partition}))
            self._replacements[0] = _Replacement(first.due_s, partitions)
        return any(partition in waiting.partitions for waiting in self._replacements)

    def _reader_of(self, partition: str) -> WorkerHandle:
        for reader in self.readers:
            if partition in reader.partitions:
                return reader
        return min(self.readers, key=lambda reader: len(reader.partitions))

    def _handle(self, received: ReceivedMessage) -> list[Partial | Gap | ReaderLost]:
        reader, message = received
        if reader not in self.readers:
            return []
        match message:
            case PartialMessage():
                return [self._take_partial(reader, message)]
            case Fetching(positions):
                reader.fetching |= positions
            case Decoding(positions):
                reader.decoding = positions
            case GapMessage(gap):
                reader.fetching.pop(gap.partition, None)
                return [gap]
            case Heartbeat(orders, finished):
                reader.note_heartbeat(orders, finished)
            case SourceFailed():
                self._take_failure(reader, message)
            case None:
                self._replace(reader)
        return []

    def _take_partial(self, reader: WorkerHandle, message: PartialMessage) -> Partial:
        covers = message.partial.covers
        reader.decoding = []
        self._crashes_in_a_row = 0
        self._unacknowledged[reader] = self._unacknowledged.get(reader, 0) + 1
        self._on_counted(message.duration_s, covers)
        for cover in covers:
            reader.fetching.pop(cover.partition, None)
            self._search.counted(cover.partition, cover.read, cover.at_end)
            if cover.ended:
                reader.partitions.discard(cover.partition)
        self._relax_readers()
        return unpack(message, self._layouts)

    def _relax_readers(self) -> None:
        """Let readers count more records at a time again if no poison record is sought there."""
        for reader in self.readers:
            if self._search.max_records(reader.partitions) != reader.max_records:
                self._order(reader)

    def _take_failure(self, reader: WorkerHandle, failed: SourceFailed) -> None:
        """Raise, unless a replacement met a transient error: it ends and is replaced again."""
        at_start = self._started <= len(self.readers)
        if reader.opened or at_start or not failed.transient:
            raise SourceUnavailable(failed.source, failed.causes, failed.advice)
        log.warning(
            "reader_source_failed", reader=reader.name, source=failed.source, causes=failed.causes
        )

    def _pass_on_findings(self) -> None:
        """Tell each reader what the source of the owner has found in its partitions."""
        for name, news in self._reading.found().items():
            for reader in self.readers:
                if name in reader.partitions:
                    reader.inform({name: news})

    def _kill_silent_readers(self) -> None:
        """Kill silent readers, unless the owner itself did not run for a while."""
        now_s = time.monotonic()
        if now_s - self._checked_s > SILENT_S / 3:
            for reader in self.readers:
                reader.last_message_s = now_s
        self._checked_s = now_s
        for reader in self.readers:
            silent_s = now_s - reader.last_message_s
            if silent_s > (SILENT_S if reader.opened else OPENING_S):
                log.error(
                    "reader_silent",
                    reader=reader.name,
                    pid=reader.pid,
                    silent_s=round(silent_s, 1),
                )
                reader.last_message_s = now_s
                reader.hung = True
                reader.kill()

    def _replace(self, reader: WorkerHandle) -> None:
        """Schedule the replacement of a crashed reader, which reads the same partitions."""
        reader.join(EXIT_GRACE_S)
        self._unacknowledged.pop(reader, None)
        self._note_crash(reader)
        delay_s = RESTART_DELAYS_S[min(self._crashes_in_a_row, len(RESTART_DELAYS_S) - 1)]
        self._crashes_in_a_row += 1
        self.readers.remove(reader)
        partitions = tuple(sorted(reader.partitions))
        self._replacements.append(_Replacement(time.monotonic() + delay_s, partitions))
        log.error(
            "reader_replaced",
            reader=reader.name,
            exit_code=reader.exit_code,
            partitions=len(partitions),
        )
        self._on_replaced("killed" if (reader.exit_code or 0) < 0 else "ended")

    def _note_crash(self, reader: WorkerHandle) -> None:
        """Note where a reader crashed.

        If it hung while it waited for its source, the records there are not suspect.
        """
        if reader.decoding:
            self._search.crashed_decoding(reader.decoding)
        elif not reader.hung and (unreadable := self._search.crashed_fetching(reader.fetching)):
            causes = [
                f"readers crash whenever they fetch the next record of {partition},"
                f" at {position_text(position)}"
                for partition, position in unreadable
            ]
            raise SourceUnavailable(self._source, causes, UNREADABLE)

    def _start_replacements(self) -> list[ReaderLost]:
        """Start the replacements that are due; returns the partitions that they read."""
        now_s = time.monotonic()
        due = [waiting for waiting in self._replacements if waiting.due_s <= now_s]
        self._replacements = [waiting for waiting in self._replacements if waiting.due_s > now_s]
        lost: list[ReaderLost] = []
        for replacement in due:
            reader = self._start()
            reader.partitions |= set(replacement.partitions)
            self.readers.append(reader)
            if replacement.partitions:
                lost.append(ReaderLost(replacement.partitions))
        return lost
