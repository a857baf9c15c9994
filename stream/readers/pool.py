"""N reader processes and their partitions: who reads what, who is dead, what must be read again."""

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
from stream.events import Assign, Gap, Partial, ReaderLost
from stream.readers.base import Counted
from stream.readers.messages import (
    Decoding,
    Fetching,
    GapMessage,
    Heartbeat,
    PartialMessage,
    SourceFailed,
    unpacked,
)
from stream.readers.poison_records import PoisonRecordSearch
from stream.readers.worker import WorkerSetup, serve
from stream.readers.worker_handle import Inbox, ReceivedMessage, Serve, WorkerHandle
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup

SILENT_S: Final = 15.0
"""A reader that says nothing for so long is killed; it gives a sign of life each second."""
OPENING_S: Final = 90.0
"""The same while it starts and connects."""
AGAIN_S: Final = (0.0, 0.25, 0.5, 1.0, 2.0)
"""How long to wait before a reader is replaced, by how many have died in a row without a result."""
MOST_WORDS: Final = 32
STUCK: Final = (
    "The log lines above show why. Give the readers more memory, or delete that record from the"
    " source: reading then goes on behind it, and the record is reported as a gap"
)
ENDING_S: Final = 0.5
"""A reader whose pipe has ended has so long to end by itself: else the exit code would be ours."""
LEAVE_S: Final = 2.0
"""At the end all readers together have so long to leave by themselves."""

log = structlog.get_logger("driftline.readers")


class _Due(NamedTuple):
    """A reader that must be started at ``at_s``, for these partitions."""

    at_s: float
    partitions: tuple[str, ...]


class ReaderPool:
    """Shares partitions out among reader processes, and replaces those that die or fall silent.

    Partitions stay with their reader; those of a dead one come back as ``ReaderLost``, and the
    aggregator assigns them again from what it has accepted. A place at which readers die again and
    again is read ever more carefully (:class:`~stream.readers.poison_records.PoisonRecordSearch`) until the
    record that does it is found; it ends as a dead letter. Raises ``SourceUnavailable`` if the
    source cannot be opened at the start, if a reader meets what no waiting heals, or if readers die
    before the source has handed over a single record. ``reading`` is the owner's own, which looks
    for partitions and reads none.
    """

    def __init__(
        self,
        config: Config,
        reading: Reading,
        logs: LogSetup,
        counted: Counted,
        replaced: Callable[[str], None],
        serve: Serve = serve,
    ) -> None:
        self._reading, self._source = reading, config.source.identity
        self._setup = msgspec.msgpack.encode(WorkerSetup(config, logs))
        self._counted, self._replaced, self._serve = counted, replaced, serve
        self._inbox = Inbox()
        self._layouts: dict[str, Layout] = {}
        self._encoded: dict[str, bytes] = {}
        self._suspects = PoisonRecordSearch()
        self._answers: dict[WorkerHandle, int] = {}
        self._deaths_in_a_row = self._started = 0
        self._looked_s = time.monotonic()
        self._due: list[_Due] = []
        self.readers = [self._start() for _ in range(config.readers)]

    def use(self, baselines: Mapping[str, Baseline]) -> None:
        """Count with these baselines from now on."""
        self._layouts = {name: baseline.layout for name, baseline in baselines.items()}
        self._encoded = {name: baseline.encode() for name, baseline in baselines.items()}
        for reader in self.readers:
            reader.use(self._encoded)

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Hand partitions to the readers that have them, new ones to the reader with the fewest;
        gaps come with :meth:`read`.
        """
        given: dict[WorkerHandle, list[Assign]] = {}
        if assigns:
            self._reading.assigned_elsewhere([one.partition for one in assigns])
        for one in assigns:
            if self._waits(one.partition):
                continue
            reader = self._reader_of(one.partition)
            reader.partitions.add(one.partition)
            given.setdefault(reader, []).append(one)
        for reader, some in given.items():
            reader.read(
                some,
                self._suspects.step(reader.partitions),
                self._suspects.skipped(reader.partitions),
            )
        return []

    def read(self, timeout_s: float) -> list[Partial | Gap | ReaderLost]:
        """What has come: waits for the first word. Whatever the call before returned counts as
        dealt with.
        """
        for reader, partials in self._answers.items():
            reader.answer(partials)
        self._answers.clear()
        out: list[Partial | Gap | ReaderLost] = []
        for heard in self._inbox.take(timeout_s, MOST_WORDS):
            out += self._hear(heard)
        self._look()
        return [*out, *self._replace()]

    @property
    def finished(self) -> bool:
        """True when all partitions of a bounded source are read to their end."""
        given = any(reader.partitions for reader in self.readers)
        return given and not self._due and all(reader.done for reader in self.readers)

    def close(self) -> None:
        """End all readers; safe to call twice."""
        deadline = time.monotonic() + LEAVE_S
        for reader in self.readers:
            reader.leave()
        for reader in self.readers:
            reader.left(max(deadline - time.monotonic(), 0.0))
        self.readers = []

    def _start(self) -> WorkerHandle:
        self._started += 1
        reader = WorkerHandle(f"reader-{self._started}", self._serve, self._setup, self._inbox)
        log.info("reader started", reader=reader.name, pid=reader.pid)
        if self._encoded:
            reader.use(self._encoded)
        return reader

    def _waits(self, partition: str) -> bool:
        """True if it is read again as soon as a reader is replaced; it then comes back as
        ``ReaderLost``.
        """
        if not self.readers:
            self._due[0] = _Due(
                self._due[0].at_s, tuple(sorted({*self._due[0].partitions, partition}))
            )
        return any(partition in due.partitions for due in self._due)

    def _reader_of(self, partition: str) -> WorkerHandle:
        holding = [reader for reader in self.readers if partition in reader.partitions]
        return (
            holding[0] if holding else min(self.readers, key=lambda reader: len(reader.partitions))
        )

    def _hear(self, heard: ReceivedMessage) -> list[Partial | Gap | ReaderLost]:
        reader, word = heard
        if reader not in self.readers:
            return []
        match word:
            case PartialMessage():
                return [self._made(reader, word)]
            case Fetching(ranges):
                reader.asked |= ranges
            case Decoding(ranges):
                reader.began = ranges
            case GapMessage(gap):
                reader.asked.pop(gap.partition, None)
                return [gap]
            case Heartbeat(obeyed, finished):
                reader.told(obeyed, finished)
            case SourceFailed(source, causes, advice, transient):
                if reader.opened or self._started <= len(self.readers) or not transient:
                    raise SourceUnavailable(source, causes, advice)
                log.warning("reader cannot read", reader=reader.name, source=source, causes=causes)
            case None:
                self._lose(reader)
        return []

    def _made(self, reader: WorkerHandle, made: PartialMessage) -> Partial:
        reader.began = []
        self._deaths_in_a_row = 0
        self._answers[reader] = self._answers.get(reader, 0) + 1
        self._counted(made.took_s, made.covers)
        for cover in made.covers:
            reader.asked.pop(cover.partition, None)
            self._suspects.passed(cover.partition, cover.read, cover.at_end)
            if cover.ended:
                reader.partitions.discard(cover.partition)
        for one in self.readers:  # who was careful for another one's sake too
            step = self._suspects.step(one.partitions)
            if step != one.step:
                one.read([], step, self._suspects.skipped(one.partitions))
        return unpacked(made, self._layouts)

    def _look(self) -> None:
        """Kill those that are silent; not if it was we who did not listen."""
        now = time.monotonic()
        if now - self._looked_s > SILENT_S / 3:
            for reader in self.readers:
                reader.heard_s = now
        self._looked_s = now
        for reader in self.readers:
            if now - reader.heard_s > (SILENT_S if reader.opened else OPENING_S):
                log.error(
                    "reader is silent and is killed",
                    reader=reader.name,
                    pid=reader.pid,
                    silent_s=round(now - reader.heard_s, 1),
                )
                reader.heard_s, reader.hangs = now, True
                reader.kill()

    def _lose(self, reader: WorkerHandle) -> None:
        """A reader is dead: what it did not hand over must be read again, by another one."""
        reader.left(ENDING_S)
        self._answers.pop(reader, None)
        self._suspect(reader)
        wait_s = AGAIN_S[min(self._deaths_in_a_row, len(AGAIN_S) - 1)]
        self._deaths_in_a_row += 1
        self.readers.remove(reader)
        self._due.append(_Due(time.monotonic() + wait_s, tuple(sorted(reader.partitions))))
        log.error(
            "reader died and is replaced",
            reader=reader.name,
            exit_code=reader.exit_code,
            partitions=len(reader.partitions),
        )
        self._replaced("killed" if (reader.exit_code or 0) < 0 else "ended")

    def _suspect(self, reader: WorkerHandle) -> None:
        """Remember where it died. One that hung while it waited for its source says nothing about
        the records there.
        """
        if reader.began:
            self._suspects.died(reader.began)
        elif not reader.hangs and (stuck := self._suspects.died_unread(reader.asked)):
            causes = [
                f"readers die whenever they ask for the next record of {name}, at {position}"
                for name, position in stuck
            ]
            raise SourceUnavailable(self._source, causes, STUCK)

    def _replace(self) -> list[ReaderLost]:
        now = time.monotonic()
        due, self._due = (
            [one for one in self._due if one.at_s <= now],
            [one for one in self._due if one.at_s > now],
        )
        out = []
        for one in due:
            reader = self._start()
            reader.partitions |= set(one.partitions)
            self.readers.append(reader)
            if one.partitions:
                out.append(ReaderLost(one.partitions))
        return out
