"""The vocabulary of the service: raw and decoded records, partials, items and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column
from detectors.profiles.profile import Profile
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport

# Names and positions

Position = int | tuple[str, int]
"""A position in the log of a partition: an offset, or a tuple (name, offset).

The name is that of a file, the id of a Kafka topic, or a sequence number of Kinesis. Behind a NUL
in it a source may keep what it needs to continue.
Only the source knows the order of positions; all other components compare them for equality.
"""


def position_text(position: Position) -> str:
    r"""Return a position as messages show it, without what a source keeps behind a NUL.

    >>> position_text(7), position_text(("a.jsonl\0[]", 90))
    ('7', "('a.jsonl', 90)")
    """
    if isinstance(position, int):
        return str(position)
    name, _, _ = position[0].partition("\0")
    return str((name, position[1]))


class ModelKey(NamedTuple):
    """One deployed model and its variant."""

    model: str
    variant: str


class DiscoveredPartition(NamedTuple):
    """A partition of the source, which may be new to the aggregator.

    Reading begins at ``start``. A partition with ``parents`` continues where they end: it is read
    once all of them are read to their ends. Each parent is discovered as well, before or after it.
    ``inside``: the log had, or may have had, records before ``start``, which are not read.
    """

    partition: str
    start: Position
    parents: tuple[str, ...] = ()
    inside: bool = False


# Records: from the source, through the format


class RawBatch(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Undecoded records of one partition, in the range ``[first, next)`` of the source's positions.

    ``origin`` is the topic or the file name. ``positions[i]`` names record ``i`` in a dead letter.
    ``values[i]`` is ``None`` for a tombstone. ``keys`` and ``headers`` are empty where the source
    has none or the configuration needs none. ``arrival_ms[i]`` is the time at which the log took
    the record (append time, file time), -1 if unknown. ``arrival_measured``: the log measured it by
    its own clock, so that neither a sender nor a copied file can state a wrong one. ``at_end``: the
    log ended at ``next`` when it was read. ``ended``: the partition is closed and read to its end
    (a Kinesis shard that was split or merged); its ``children`` continue there.

    It holds arrays, so two batches are equal only if they are the same object.
    """

    partition: str
    origin: str
    first: Position
    next: Position
    positions: Sequence[Position]
    values: list[bytes | None]
    arrival_ms: NDArray[np.int64]
    keys: list[bytes | None] = []
    headers: list[list[tuple[str, bytes | None]]] = []
    arrival_measured: bool = False
    at_end: bool = False
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()


class EventBatch(NamedTuple):
    """Decoded rows that share one schema, as columns.

    ``schema`` is the index of the schema in the decoding plan. ``record[r]`` is the index of row
    ``r`` in the decoded records; it never falls, and the rows of one event share it. ``columns``
    has one column for each name of the schema, each as long as ``record``.
    """

    schema: int
    record: NDArray[np.int64]
    columns: Mapping[str, Column]


class Rejection(NamedTuple):
    """A record that cannot be counted: its index, and the ``reason`` for its dead letter.

    ``detail`` states the decisive fact, without a value of a feature.
    """

    record: int
    reason: str
    detail: str = ""


class DecodedRecords(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Some raw batches of one origin, decoded by a format.

    Arrays have one entry per record: ``time_ms`` (event time) and ``model`` (index into ``keys``),
    -1 where the record does not state it or it cannot be read. A record rejected for its payload or
    for an unknown model keeps its event time, and still advances its partition's mark.
    ``event_ids`` and ``inference_ids`` are kept for dedupe and for the join with labels.
    """

    time_ms: NDArray[np.int64]
    model: NDArray[np.int32]
    keys: list[ModelKey]
    batches: list[EventBatch]
    rejects: list[Rejection]
    event_ids: list[str | None]
    inference_ids: list[str | None]


# Counts: from the reader to the aggregator


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was not counted: its position, the reason, its length in bytes, and a hash.

    ``detail`` states the decisive fact, such as the number of columns, without a value of a
    feature. ``sha256`` is over the raw bytes (empty for a tombstone). ``payload`` (base64) is
    present only with ``keep_payload: true``.
    """

    partition: str
    position: Position
    reason: str
    length: int
    sha256: str
    payload: bytes | None = None
    detail: str = ""


class CoveredRange(msgspec.Struct, frozen=True, kw_only=True):
    """The range ``[first, next)`` of one partition that a partial covers, and its outcomes.

    ``claim`` is the claim under which the range was read. ``mark_ms`` is the highest event time in
    the partition up to ``next``, ``None`` before the first event. ``at_end``: the reader saw the
    end of the log at ``next``. ``ended``: nothing will ever follow ``next``; the ``children``
    continue there.

    ``read`` is the number of records. ``outcomes`` splits it into ``accepted``, ``too_late``,
    ``duplicate`` and the reasons of rejection; each is counted by itself, and together they must
    add up to ``read``. ``bytes`` splits the length of the records in the same way. ``by_pane`` has
    the accepted records and their bytes by the start of their pane: those of a pane that gets no
    more events do not count as accepted. ``rows`` are the rows of accepted records. ``dated``
    records state their event time, and it is not ahead of their arrival; ``first_ms`` is the mark
    at the first of them, ``None`` without any. ``arrival_ms`` is the time
    at which the log took the last record, ``None`` if there is no record or the time is unknown.
    """

    partition: str
    claim: int
    first: Position
    next: Position
    mark_ms: int | None
    at_end: bool
    read: int
    outcomes: dict[str, int]
    dated: int
    rows: int
    first_ms: int | None = None
    arrival_ms: int | None = None
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()
    bytes: dict[str, int] = {}
    by_pane: dict[int, tuple[int, int]] = {}


class Sample(NamedTuple):
    """Raw rows of one pane of a model whose layout is still being learned.

    ``data`` is an Arrow IPC stream with a text column for each feature.
    """

    key: ModelKey
    pane_ms: int
    rows: int
    data: bytes


class WidthMismatches(NamedTuple):
    """Numbers of records that were rejected for having too few or too many columns."""

    too_narrow: int = 0
    too_wide: int = 0

    def plus(self, other: WidthMismatches) -> WidthMismatches:
        """Return the sum of both."""
        return WidthMismatches(self.too_narrow + other.too_narrow, self.too_wide + other.too_wide)


class SeenIds(NamedTuple):
    """Ids of events that a partition accepted in one slice of its mark, as 64-bit hashes in bytes.

    The mark was in ``[slice_ms, slice_ms + length of a slice)`` when they were accepted.
    """

    partition: str
    slice_ms: int
    ids: bytes


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of some ranges, from a reader, and exactly the ranges that they cover.

    ``layouts`` maps each model to the fingerprint of the layout it was counted with. ``profiles``
    and ``width_mismatches`` have at most one entry for each model, variant and pane, with the start
    of the pane in milliseconds; records of a wrong width are rejected, and their windows report
    them. ``samples`` are raw rows of models that are still being learned. ``future`` counts the
    records dated too far ahead, which count at their arrival. ``seen`` are ids
    to remember, so that the same events are not counted again; ``unremembered`` is the number of
    ids for which there was no room. ``predictions`` are those that may wait for labels: an encoded
    :class:`stream.labels.rows.Predictions`, empty without any.
    """

    covers: tuple[CoveredRange, ...]
    layouts: dict[str, str]
    profiles: list[tuple[ModelKey, int, Profile]] = []
    dead_letters: list[DeadLetter] = []
    samples: list[Sample] = []
    future: int = 0
    width_mismatches: list[tuple[ModelKey, int, WidthMismatches]] = []
    seen: list[SeenIds] = []
    unremembered: int = 0
    predictions: bytes = b""


# Items: everything else that the aggregator takes


class Tick(NamedTuple):
    """A reading of the clock: wall-clock time reaches the aggregator in no other way."""

    now_ms: int


class ReaderLost(NamedTuple):
    """The partitions of a lost reader: they are assigned again, after the accepted ranges."""

    partitions: tuple[str, ...]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Records that the log no longer has.

    Reading was to continue at ``expected`` and continues at ``resume``. ``lost`` is the number of
    records in between, ``None`` if it is unknown.
    """

    partition: str
    expected: Position
    resume: Position
    lost: int | None
    reason: str


class ReplaceBaseline(NamedTuple):
    """A new baseline for a model; its open windows are closed as ``incomplete``.

    ``learning``: the baseline still lacks columns, which are learned from the first events.
    """

    model: str
    baseline: Baseline
    learning: bool = False


class RemoveModel(NamedTuple):
    """A model that is no longer monitored; its open windows are closed as ``incomplete``."""

    model: str


class PartitionsExpired(NamedTuple):
    """Ended partitions that the source no longer has and will not discover again."""

    partitions: tuple[str, ...]


class ForgetQuality(NamedTuple):
    """A model whose predictions are no longer joined, or mean something else from now on."""

    model: str


class RestartJoin(NamedTuple):
    """A new rule of the join: quality windows end, and nothing that waits is joined any more."""


class OfLabels(NamedTuple):
    """An item about a partition of the label log."""

    item: DiscoveredPartition | Gap | PartitionsExpired


class EndOfInput(NamedTuple):
    """The end of a bounded source: all windows are closed."""


Item = (
    Partial
    | Tick
    | DiscoveredPartition
    | ReaderLost
    | Gap
    | ReplaceBaseline
    | RemoveModel
    | PartitionsExpired
    | OfLabels
    | ForgetQuality
    | RestartJoin
    | EndOfInput
)


# Outputs: what the aggregator returns


class Assign(msgspec.Struct, frozen=True, kw_only=True):
    """An order to read a partition from ``next`` on, under a new claim.

    ``mark_ms`` is the partition's mark at that position, ``seen`` the ids remembered there.
    ``of_labels``: the partition is one of the label log.
    """

    claim: int
    partition: str
    next: Position
    mark_ms: int | None
    seen: tuple[SeenIds, ...] = ()
    of_labels: bool = False


class DeadLetters(NamedTuple):
    """The dead letters of one accepted partial, and the number that were left out."""

    letters: tuple[DeadLetter, ...]
    left_out: int = 0


class BaselineInstalled(NamedTuple):
    """A new baseline (learned or replaced) with which a model is now counted."""

    model: str
    baseline: Baseline


class SeasonsLearned(NamedTuple):
    """Seasons that are frozen: windows of a model are compared with them from now on.

    ``learned_ms`` is the length of the windows that they are made of.
    """

    model: str
    baseline: Baseline
    learned_ms: int


Output = (
    Assign
    | WindowReport
    | QualityReport
    | ScheduleReport
    | Signal
    | DeadLetters
    | BaselineInstalled
    | SeasonsLearned
)
