"""Everything the aggregator remembers beside the panes: one struct, written whole at each commit."""

from __future__ import annotations

import msgspec

from detectors.decisions.episodes import EpisodeState
from stream.aggregation.ledger import Ledger
from stream.event_time import PartitionState
from stream.events import CoveredRange, ModelKey, WidthMismatches

STATE_VERSION = 1


class IncompleteSpan(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of event time in which something is known to be missing, and why."""

    from_ms: int | None
    to_ms: int | None
    reason: str


class KeyState(msgspec.Struct):
    """One model and variant: what was reported, what was heard, and its episodes.

    ``reported`` maps length and end of windows to their last revision; ``touched`` are ends of
    closed windows that late events have changed; ``width_mismatches`` counts the records of a pane with too
    few and too many columns; up to ``heard_ms`` it is settled where data was and where silence;
    ``silent_ms`` is the start of a silence that goes on.
    """

    reported: dict[tuple[int, int], int] = {}
    width_mismatches: dict[int, WidthMismatches] = msgspec.field(
        name="misfits", default_factory=dict
    )
    touched: set[int] = set()
    heard_ms: int | None = None
    silent_ms: int | None = None
    episodes: EpisodeState = EpisodeState()


class ModelState(msgspec.Struct):
    """One model: the fingerprint of the baseline in force, the raw samples it is being learned
    from, the last change.

    Windows that begin before ``cut_ms`` are ``incomplete``: the layout changed in them.
    """

    baseline: str
    learning: bool = False
    sampled_rows: int = 0
    samples: list[bytes] = []
    cut_ms: int | None = None


class JobState(msgspec.Struct):
    """The state of a job: positions and marks, watermark, books, models, and what waits.

    ``hurried`` counts ticks in a row at which the clock was ahead of what it may go. ``closed_ms``:
    all windows that end at or before it are closed. ``settled_ms``: panes that end at or before it
    get no more events. ``open_gaps``: partitions in which a gap was met and nothing was read since,
    with the watermark of that moment.
    """

    version: int = STATE_VERSION
    partitions: dict[str, PartitionState] = msgspec.field(name="places", default_factory=dict)
    now_ms: int | None = None
    hurried: int = 0
    watermark_ms: int | None = None
    closed_ms: int | None = None
    settled_ms: int | None = None
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    models: dict[str, ModelState] = {}
    keys: dict[str, KeyState] = {}
    open_gaps: dict[str, int | None] = {}
    spans: list[IncompleteSpan] = []

    def key_state(self, key: ModelKey) -> KeyState:
        """The state of a model and variant; made when it is first asked for."""
        return self.keys.setdefault(f"{key.model}\x1f{key.variant}", KeyState())

    def end_gap(self, cover: CoveredRange) -> None:
        """What was lost lies before the first time that comes after it; in an idle partition,
        before what the others have shown.

        In one that ended nothing comes after it: what was lost is older than this moment.
        """
        own = self.partitions[cover.partition].mark_ms
        marks = [
            place.mark_ms
            for name, place in self.partitions.items()
            if place.mark_ms is not None and name != cover.partition
        ]
        until_ms = (
            cover.mark_ms
            if cover.dated
            else max((mark for mark in marks if own is None or mark > own), default=None)
        )
        if cover.ended and not cover.dated and self.now_ms is not None:
            until_ms = self.now_ms
        if until_ms is not None:
            since_ms = self.open_gaps.pop(cover.partition)
            self.spans.append(IncompleteSpan(since_ms, until_ms, f"gap in {cover.partition}"))

    def known(self) -> list[tuple[ModelKey, KeyState]]:
        """All models and variants that were ever heard of, and their states."""
        return [(ModelKey(*name.split("\x1f")), one) for name, one in self.keys.items()]

    def encode(self) -> bytes:
        """MessagePack."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> JobState:
        """The state that :meth:`encode` wrote; raises ``msgspec.ValidationError`` if it is none."""
        return msgspec.msgpack.decode(data, type=cls)
