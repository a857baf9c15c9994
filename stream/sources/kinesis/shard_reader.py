"""One shard that is read: what was fetched of it and waits to be taken, and where its log turned
out to lack something.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from stream.events import DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.kinesis.client import HOUR_MS, KinesisClient, KinesisError, unavailable
from stream.sources.kinesis.records import AggregatedRecord, batch, packs
from stream.sources.kinesis.shards import ENDED, OLDEST, ShardList

log = logging.getLogger(__name__)

MOST_PACKS: Final = 2_000
"""Records that one read asks for, and that may wait before no more are fetched."""
MOST_BYTES: Final = 8_000_000
"""Size of what may wait before no more is fetched; the read that goes beyond it brings 10 MB at
most."""
SHORTEST_S: Final = 0.21
"""Pause from the end of a read of a shard to the next one: five a second is all that Kinesis
allows, for all who read it together."""
SURELY_KEPT_MS: Final = 23 * HOUR_MS
"""No stream keeps records for less than a day; the rest is for clocks that are off."""
MARGIN_MS: Final = 600_000
"""How far before the moment at which all was read it is read again: times of arrival are not exact.
"""
NEAR: Final = 0.9
"""A shard that is behind by this part of what the stream keeps is told in the log."""
WORST_S: Final = 5.0
"""Pause after failures without end."""


class ShardRecords(NamedTuple):
    """What was read: ``ended`` and ``children`` as in :class:`RawBatch`; ``told_ms``: not later
    than that, by the clock of Kinesis.
    """

    packs: list[AggregatedRecord]
    behind_ms: int
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()
    told_ms: int | None = None


class SharedClient:
    """What all lanes of a reading share; ``wake`` guards what they hold and is notified when
    something came.

    ``kept_ms``: how long the stream keeps records.
    """

    def __init__(self, client: KinesisClient, shards: ShardList, origin: str, kept_ms: int) -> None:
        self.client, self.shards, self.origin, self.kept_ms = client, shards, origin, kept_ms
        self.wake = threading.Condition()


class ShardReader:
    """One shard from one position on. Fetching threads call :meth:`accept`, the reading calls
    :meth:`take`.

    A position says what was read last. Reading goes on *at* that record, and not behind it: if it
    does not come again, the log has lost it, and nobody knows what else. That record may be gone
    where nothing is lost: in a shard that was quiet for longer than records are kept. There reading
    goes on from a time shortly before the lane was last at the end of the shard.
    """

    fresh_s = 3.0
    """How long an answer without records vouches that the shard is at its end."""

    def __init__(self, common: SharedClient, partition: str, place: Position) -> None:
        self.common, self.partition = common, partition
        self.behind_ms: int | None = None
        self.closed = False
        self._place = place
        self._last: str | None = (
            str(place[0]) if isinstance(place, tuple) and str(place[0]).isdigit() else None
        )
        self._proven, self._nothing = self._last is None, 0
        self._waiting: deque[AggregatedRecord] = deque()
        self._waiting_bytes = 0
        self._quiet_s = -self.fresh_s
        self._last_ms: int | None = None
        self._tip_ms: int | None = None
        self._near = self._last is None
        self._ended = place == ENDED
        self._children: tuple[DiscoveredPartition, ...] = ()
        self._lost: tuple[Position, str] | None = None
        self._error: Exception | None = None
        self._failures = 0

    @property
    def over(self) -> bool:
        """Nothing more is to be fetched."""
        return self.closed or self._ended or self._lost is not None or self._error is not None

    @property
    def settled(self) -> bool:
        """Whether the log has the position is known."""
        return self._proven or self.over

    @property
    def full(self) -> bool:
        """So much waits that no more should be fetched."""
        return len(self._waiting) >= MOST_PACKS or self._waiting_bytes >= MOST_BYTES

    @property
    def ready(self) -> bool:
        """There is something to take that is worth ending a wait for."""
        return bool(self._waiting) or (self.over and not self.closed)

    def start(self) -> None:
        """Begin to fetch, if the lane does so by itself."""

    def due_s(self) -> float | None:
        """When :meth:`step` should be called next; None if that is not known now."""
        return None

    def rests_until_s(self) -> float:
        """Before this moment nobody should read the shard again."""
        return 0.0

    def begin(self) -> None:
        """Take note that a thread will call :meth:`step`."""

    def step(self) -> None:
        """Fetch once; in a thread."""

    def close(self) -> None:
        """Fetch and tell no more."""
        with self.common.wake:
            self.closed = True
            self.common.wake.notify_all()

    def take(self, most: int, alone: bool) -> RawBatch | Gap | None:
        """Whole records with at most ``most`` records inside (``alone``: at least one, however
        large); else what there is to say.
        """
        with self.common.wake:
            if self._error is not None:
                raise self._error
            taken: list[AggregatedRecord] = []
            while self._waiting and (len(self._waiting[0].values) <= most or (alone and not taken)):
                taken.append(self._waiting.popleft())
                most -= len(taken[-1].values)
            self._waiting_bytes -= sum(one.size for one in taken)
            self.common.wake.notify_all()
            return (None if taken else self.gap()) or self._batch(taken)

    def gap(self) -> Gap | None:
        """The gap at the lane's position, once all before it is taken."""
        with self.common.wake:
            if self._lost is None or self._waiting:
                return None
            return Gap(self.partition, self._place, self._lost[0], None, self._lost[1])

    def accept(self, came: ShardRecords) -> None:
        """Keep what was fetched; find out whether the log still has the position."""
        with self.common.wake:
            self.behind_ms = came.behind_ms
            if self._prove(came):
                new = [
                    one
                    for one in came.packs
                    if self._last is None or int(one.sequence) > int(self._last)
                ]
                self._waiting.extend(new)
                self._waiting_bytes += sum(one.size for one in new)
                self._remember(came, new)
                self._ended, self._children = came.ended, came.children
                self._quiet_s = (
                    time.monotonic() if came.behind_ms == 0 and not new else -self.fresh_s
                )
            self.common.wake.notify_all()
        self._failures = 0
        self._warn(came.behind_ms)
        self.common.client.works()

    def position(self, kind: str, sequence: str, timestamp: str) -> dict[str, Any]:
        """Where fetching (again) begins, under the names that the operation has for it.

        A first record that is named by its number must be the last one that was read.
        """
        since_ms = self._vouched_ms()
        if since_ms is not None:
            self._proven = True
        elif self._last is not None:
            self._proven, self._nothing = False, 0
            return {kind: "AT_SEQUENCE_NUMBER", sequence: self._last}
        elif isinstance(self._place, tuple) and self._place[0] == "AT_TIMESTAMP":
            since_ms = self._place[1]
        if since_ms is None:
            return {kind: "TRIM_HORIZON"}
        return {kind: "AT_TIMESTAMP", timestamp: datetime.fromtimestamp(since_ms / 1000, UTC)}

    def _vouched_ms(self) -> int | None:
        """A time up to which all was read and since which nothing was trimmed; None where the last
        record can still be asked for.
        """
        now_ms = time.time() * 1000
        if self._last is None or self._tip_ms is None or now_ms - self._tip_ms > SURELY_KEPT_MS:
            return None
        is_old = self._last_ms is None or now_ms - self._last_ms > SURELY_KEPT_MS
        return self._tip_ms - MARGIN_MS if is_old else None

    def renew(self) -> None:
        """Forget how fetching would have gone on: it begins again at the position."""

    def after(self, failure: KinesisError) -> float:
        """What a failure means for the lane; how many seconds to wait."""
        self._failures += 1
        if failure.kind == "denied":
            self.fail(unavailable(self.common.client.target, failure))
            return 0.0
        self.common.client.fails(failure)
        if failure.kind in ("missing", "invalid") and failure.operation != "GetRecords":
            self.refused()
        if failure.kind != "throttled" and (failure.kind != "transient" or self._failures > 1):
            self.renew()
        if failure.kind == "expired":
            return SHORTEST_S
        return float(min(SHORTEST_S * 2 ** min(self._failures, 10), WORST_S))

    def refused(self) -> None:
        """The position was refused: a gap if the shard is gone or does not know it; nothing if the
        whole stream does not answer.
        """
        try:
            listed = self.common.shards.refresh()
        except KinesisError as unlisted:
            self.common.client.fails(unlisted)
            return
        with self.common.wake:
            if listed and self.partition not in listed:
                self._lost = (ENDED, "the stream does not have this shard any more (retention)")
            elif self.partition in listed and not self._proven:
                self._lost = (
                    OLDEST,
                    (
                        "the stream does not know this position (retention, or the stream was made"
                        " anew)"
                    ),
                )
            self.common.wake.notify_all()

    def fail(self, error: Exception) -> None:
        """Let the next :meth:`take` raise it."""
        with self.common.wake:
            self._error = error
            self.common.wake.notify_all()

    def records(self, operation: str, told: dict[str, Any]) -> list[AggregatedRecord]:
        """The records of an answer; raises :class:`KinesisError` if one is not whole."""
        try:
            return packs(told["Records"])
        except KeyError as lacking:
            raise KinesisError(
                operation,
                "Incomplete",
                "transient",
                f"a record in the answer to {operation} lacks {lacking}",
            ) from lacking

    def has_ended(self, told: dict[str, Any]) -> bool:
        """An answer that names nothing to go on from is the last one if it names children, or if
        the stream lists the shard as closed.
        """
        return bool(told.get("ChildShards")) or self.common.shards.closed(self.partition)

    def children(self, told: dict[str, Any]) -> tuple[DiscoveredPartition, ...]:
        """The shards that this one became, as its last answer tells them, else as the stream lists
        them.
        """
        if named := told.get("ChildShards"):
            return tuple(
                DiscoveredPartition(str(one["ShardId"]), OLDEST, tuple(one["ParentShards"]))
                for one in named
            )
        return self.common.shards.children(self.partition)

    def _batch(self, taken: list[AggregatedRecord]) -> RawBatch | None:
        ended = self._ended and not self._waiting
        at_end = (
            not taken
            and not self._waiting
            and self._proven
            and time.monotonic() - self._quiet_s < self.fresh_s
        )
        if not (taken or ended or at_end):
            return None
        said = {"at_end": at_end, "ended": ended, "children": self._children if ended else ()}
        made = batch(self.partition, self.common.origin, self._place, taken, **said)
        self._place = made.next
        return made

    def _remember(self, came: ShardRecords, new: list[AggregatedRecord]) -> None:
        if new:
            self._last, self._last_ms = new[-1].sequence, new[-1].arrival_ms
        if came.behind_ms == 0 and came.told_ms is not None:
            self._tip_ms = came.told_ms

    def _warn(self, behind_ms: int) -> None:
        """A reading of all that is kept begins as far behind as can be, and is not told."""
        near = behind_ms > self.common.kept_ms * NEAR
        if near and not self._near:
            hours, text = (
                behind_ms / HOUR_MS,
                "%s: %s is %.0f h behind and will lose records soon (retention)",
            )
            log.warning(text, self.common.client.target.text, self.partition, hours)
        self._near = near

    def _prove(self, came: ShardRecords) -> bool:
        """Whether the record that was read last came again; when it surely will not, that is a gap."""
        if self._proven:
            return True
        if came.packs:
            self._proven = self._last is not None and int(came.packs[0].sequence) == int(self._last)
            self._nothing = 0 if self._proven else 2
        elif came.ended or came.behind_ms == 0:
            self._nothing += 2 if came.ended else 1
        if self._nothing >= 2:
            self._lost = (
                OLDEST,
                (
                    "the log does not have the record that was read last (retention, or the stream"
                    " was made anew)"
                ),
            )
        return self._proven
