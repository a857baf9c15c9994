"""What flows through the runtime: raw records, event batches, partials, and the items and outputs
of the aggregator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport

Position = int | tuple[str, int]
"""Where reading goes on in a partition: an offset, or (name, offset): the file's name, or the id of
a Kafka topic.

Only the source knows the order of positions; everybody else compares them for equality.
"""


class ModelKey(NamedTuple):
    """One deployed model and its variant."""

    model: str
    variant: str


class DiscoveredPartition(NamedTuple):
    """A partition that the source has and the aggregator may not know yet; ``start`` is where
    reading begins.

    A partition with ``parents`` goes on where they end: it is read when all of them are read to
    their end. Each parent is itself discovered, before or after.
    """

    partition: str
    start: Position
    parents: tuple[str, ...] = ()


class RawBatch(NamedTuple):
    """Undecoded records of one partition, ``[first, next)`` in positions of the source.

    ``values[i]`` is ``None`` for a tombstone. ``keys`` and ``headers`` are empty where the source
    has none or nobody asked. ``arrival_ms[i]`` is when the log took the record (append time, file
    time), -1 if unknown. ``positions[i]`` names record ``i`` for a dead letter. ``origin`` is the
    topic or the file name. ``ended``: the partition is closed and read to its end (a Kinesis shard
    that was split or merged); ``children`` are those that go on where it ends.
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
    at_end: bool = False
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()


class EventBatch(NamedTuple):
    """Decoded rows that share one schema: columns, not objects.

    ``record[r]`` is the index of row ``r`` in the decoded records (the rows of one event share it,
    and rise). ``schema`` is the position of the schema in the plan. ``columns`` holds one column
    for each name of that schema, each as long as ``record``.
    """

    schema: int
    record: NDArray[np.int64]
    columns: Mapping[str, Column]


class Rejection(NamedTuple):
    """One record that could not be taken: its index, and why in a word (the dead letter's
    ``reason``).
    """

    record: int
    reason: str


class DecodedRecords(NamedTuple):
    """What a format made of some raw batches of one origin.

    Arrays have an entry a record: ``time_ms`` (event time) and ``model`` (index into ``keys``),
    ``-1`` where the record does not tell or nobody can read it. A record that is rejected for what
    it holds, or for whose it is, has its time: it has come all the same, so it moves the mark of
    its partition. ``event_ids`` and ``inference_ids`` are kept for the join with labels.
    """

    time_ms: NDArray[np.int64]
    model: NDArray[np.int32]
    keys: list[ModelKey]
    batches: list[EventBatch]
    rejects: list[Rejection]
    event_ids: list[str | None]
    inference_ids: list[str | None]


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that was not counted: where it stands, why, how long it is, and a hash to recognise
    it by.

    ``sha256`` is over the raw bytes (empty for a tombstone). ``payload`` (base64) is there only
    with ``keep_payload: true``.
    """

    partition: str
    position: Position
    reason: str
    length: int
    sha256: str
    payload: bytes | None = None


class CoveredRange(NamedTuple):
    """The range of one partition that a partial covers.

    ``[first, next)`` are positions of the source. ``mark_ms`` is the highest event time read there
    up to ``next``, ``None`` before the first event. ``at_end``: the reader saw the end of the log
    at ``next``. ``read`` is the number of records; ``outcomes`` splits it into ``accepted``,
    ``too_late`` and the reasons of rejection, each counted by itself, and must add up to it.
    ``dated`` records say when they happened, and not ahead of their arrival; ``rows`` are those of
    accepted records. ``arrival_ms`` is when the log took the last of them, ``None`` if there was
    none or nobody knows. ``ended``: nothing follows ``next``, ever; ``children`` go on from there.
    ``bytes`` is the length of the records by the same outcomes: together that of all.
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
    arrival_ms: int | None = None
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()
    bytes: dict[str, int] = {}


class Sample(NamedTuple):
    """Raw rows of a model whose layout is still being learned: an Arrow IPC stream with a text
    column a feature.
    """

    key: ModelKey
    rows: int
    data: bytes


class WidthMismatches(NamedTuple):
    """Records that were rejected for their number of columns."""

    too_narrow: int = 0
    too_wide: int = 0

    def plus(self, other: WidthMismatches) -> WidthMismatches:
        """Both together."""
        return WidthMismatches(self.too_narrow + other.too_narrow, self.too_wide + other.too_wide)


class SeenIds(NamedTuple):
    """Ids that were accepted in a partition while its mark lay in the slice that starts at
    ``slice_ms``: 64-bit hashes, as bytes.
    """

    partition: str
    slice_ms: int
    ids: bytes


class Partial(NamedTuple):
    """What a reader made of some ranges: counts a model and pane, and exactly which offsets they
    cover.

    ``layouts`` names the fingerprint of the layout that each model was counted with. ``profiles``
    has at most one entry a model and pane (``pane_ms`` is the pane's start). ``future`` counts the
    records taken at arrival, since their own time lay too far ahead. ``width_mismatches`` has at most one
    entry a model and pane: how many of its records had too few and too many columns (they are
    rejected, and told as checks of the window). ``seen`` are ids to remember, so that the same
    events are not counted again; for ``unremembered`` ones there was no room.
    """

    covers: tuple[CoveredRange, ...]
    layouts: dict[str, str]
    profiles: list[tuple[ModelKey, int, Profile]]
    dead: list[DeadLetter]
    samples: list[Sample] = []
    future: int = 0
    width_mismatches: list[tuple[ModelKey, int, WidthMismatches]] = []
    seen: list[SeenIds] = []
    unremembered: int = 0


class Tick(NamedTuple):
    """The clock: it reaches the aggregator only in this way."""

    now_ms: int


class ReaderLost(NamedTuple):
    """Partitions whose reader is gone: what it has not handed over must be read again."""

    partitions: tuple[str, ...]


class Gap(NamedTuple):
    """Records that the log no longer has: reading goes on at ``resume``. ``lost`` is their number
    if it is known.
    """

    partition: str
    expected: Position
    resume: Position
    lost: int | None
    reason: str


class ReplaceBaseline(NamedTuple):
    """A new baseline for a model; windows that are open close as ``incomplete``. ``learning``: it
    lacks columns yet.
    """

    model: str
    baseline: Baseline
    learning: bool = False


class RemoveModel(NamedTuple):
    """A model that is watched no longer; windows that are open close as ``incomplete``."""

    model: str


class PartitionsExpired(NamedTuple):
    """Ended partitions that the source does not have any more, and will not discover again."""

    partitions: tuple[str, ...]


class EndOfInput(NamedTuple):
    """A bounded source is read to its end: everything closes."""


Item = (
    Partial
    | Tick
    | DiscoveredPartition
    | ReaderLost
    | Gap
    | ReplaceBaseline
    | RemoveModel
    | PartitionsExpired
    | EndOfInput
)


class Assign(NamedTuple):
    """Read ``partition`` from ``next`` under this claim; ``mark_ms`` is the mark at that position,
    ``seen`` the ids remembered there.
    """

    claim: int
    partition: str
    next: Position
    mark_ms: int | None
    seen: tuple[SeenIds, ...] = ()


class DeadLetters(NamedTuple):
    """Dead letters of one accepted partial."""

    letters: tuple[DeadLetter, ...]


class BaselineInstalled(NamedTuple):
    """A model counts with another baseline from now on (learned, or replaced)."""

    model: str
    baseline: Baseline


Output = Assign | WindowReport | Signal | DeadLetters | BaselineInstalled
