"""The state of a job except its panes: one struct, written as a whole at each commit."""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.decisions.early_episodes import EarlyState
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.evidence.window_evidence import Memory
from detectors.decisions.traffic import TrafficMemory
from detectors.profiles.calendar import Calendar
from detectors.quality.error_change import ErrorChange
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.ledger import Ledger
from stream.event_time import PartitionState
from stream.events import ModelKey, WidthMismatches
from stream.labels.join import SliceCounts
from stream.labels.store import Slice
from stream.outcomes import CRASHES_READER

STATE_VERSION = 1

_SEPARATOR: Final = "\x1f"
_ESCAPE: Final = "\x1d"
_ESCAPED_SEPARATOR: Final = "\x1d\x1e"


class IncompleteSpan(msgspec.Struct, frozen=True, array_like=True):
    """A span of event time in which records are known to be missing, and the reason.

    ``None`` is an open end of the span.
    """

    from_ms: int | None
    to_ms: int | None
    reason: str


class PeriodState(msgspec.Struct):
    """The state of one period of a schedule, of a model and variant, beside the sum of its panes.

    ``revision`` is that of its last report, -1 before the first. ``closed``: it was reported at its
    end. ``changed``: late events came since. ``width_mismatches`` are those of its dropped panes.
    """

    revision: int = -1
    closed: bool = False
    changed: bool = False
    width_mismatches: WidthMismatches = WidthMismatches()


class ScheduleState(msgspec.Struct):
    """The state of one schedule.

    All periods that end at or before ``closed_ms`` are reported, and those that end at or before
    ``finished_ms`` do not change any more. Periods that begin before ``since_ms`` are
    ``Incomplete``: the schedule was added when a part of their events had been counted already.
    """

    closed_ms: int | None = None
    finished_ms: int | None = None
    since_ms: int | None = None


class KeyState(msgspec.Struct):
    """The state of one model and variant: reported windows, silence, and episodes.

    ``reported`` maps length and end of a window to its last revision, and ``memories`` to what the
    episodes remembered when it was reported first, if anything. ``width_mismatches`` counts
    the records of each pane with too few or too many columns. ``touched`` are the ends of closed
    windows that late events have changed since. Up to
    ``active_until_ms`` it is settled which times had events and which were silent; ``None`` for a
    model that is no longer monitored. ``silent_ms`` is the start of a silence that continues.
    ``early`` is the episode that a look into an open window opened.
    ``periods`` are those of the schedules that are not finished, by length and start, and
    ``newest_periods`` the start of the newest one with events, by length. ``traffic`` is what is
    remembered of the numbers of rows, and ``expected_rows`` those that were expected in windows
    that may be reported again, by length and end; both are empty unless a condition asks for them.
    """

    reported: dict[tuple[int, int], int] = {}
    memories: dict[tuple[int, int], Memory] = {}
    width_mismatches: dict[int, WidthMismatches] = msgspec.field(
        name="misfits", default_factory=dict
    )
    touched: set[int] = set()
    active_until_ms: int | None = msgspec.field(name="heard_ms", default=None)
    silent_ms: int | None = None
    episodes: EpisodeState = EpisodeState()
    early: EarlyState = EarlyState()
    periods: dict[tuple[int, int], PeriodState] = {}
    newest_periods: dict[int, int] = {}
    traffic: TrafficMemory = TrafficMemory()
    expected_rows: dict[tuple[int, int], float] = {}

    def episodes_as_of(self, window: tuple[int, int]) -> EpisodeState:
        """The episodes, with the memory as it was when a window was reported first.

        So the verdict of a revision follows from its rows and the windows before it, and not from
        the moment at which late events came.
        """
        memory = self.memories.get(window, Memory())
        return msgspec.structs.replace(self.episodes, memory=memory)


class SeasonState(msgspec.Struct):
    """How far the seasons of a model are learned, by their ``calendar``.

    Windows of ``learned_ms`` in all have counted, the last of which ends at ``last_ms``. Windows
    that end at ``frozen_ms`` or later are compared with the seasons; ``None``: none yet.
    """

    calendar: Calendar
    learned_ms: int = 0
    last_ms: int | None = None
    frozen_ms: int | None = None


class ModelState(msgspec.Struct):
    """The state of one model: the fingerprint of its baseline, and the samples to learn it from.

    ``samples`` are the raw rows (Arrow IPC streams) of a model that is ``learning``, and
    ``sampled_rows`` is their number, ``sampled_slices`` that of each slice of the time to learn.
    Windows that begin before ``incomplete_before_ms`` are ``incomplete``, because the baseline or
    the window length changed in them. ``season`` is the progress of a model that learns seasons.
    """

    baseline: str
    learning: bool = False
    sampled_rows: int = 0
    samples: list[bytes] = []
    sampled_slices: dict[int, int] = {}
    incomplete_before_ms: int | None = msgspec.field(name="cut_ms", default=None)
    season: SeasonState | None = None


class LogState(msgspec.Struct):
    """The state of one log: its partitions, what was read, and the gaps.

    ``now_ms`` is the clock as of the last tick. All windows that end at or before ``closed_ms`` are
    closed. ``open_gaps`` are the partitions in which a gap was met and no later time has been read,
    each with the value of ``closed_ms`` at that moment. ``open_starts`` are the partitions that are
    read from a position inside their log and have not shown a time yet, each with the clock at the
    first tick after it was discovered. ``spans`` are the gaps, and the starts inside of logs, whose
    end is known.
    """

    partitions: dict[str, PartitionState] = msgspec.field(name="places", default_factory=dict)
    now_ms: int | None = None
    closed_ms: int | None = None
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    open_gaps: dict[str, int | None] = {}
    open_starts: dict[str, int | None] = {}
    spans: list[IncompleteSpan] = []


class LabelState(msgspec.Struct):
    """The state of the labels of a job, except the rows and panes.

    * ``log``: the log of the labels. ``untimed`` are its partitions whose labels state no time.
    * ``keys``: the model and variant of each key of a prediction, and whether it was removed.
    * ``classes``: the texts and class names by code. ``partitions``: the names of partitions by
      number, and ``sequences``: the number of records read of each.
    * ``slices``: the events of each slice of the store.
    * ``watermark_ms``: no label before it is expected. ``finished_ms``: the windows that end at or
      before it are final. ``first_mark_ms``: the watermark of the events when it was first known.
    * ``begun_ms``: where the join of a model began anew; no window that ends at or before it is
      reported again, so that no id of a report is used twice.
    * ``touched``: the ends of windows to report again, ``too_young`` those of windows that have
      enough labels and only wait for ``judge_at.after``, both by model and variant, as are
      ``episodes`` and ``error_streams``. ``changes``: changes of the error that no report has
      told yet. ``fingerprints``: the quality baselines of the last run, by model;
      ``baselines_since_ms``: the end of the windows that had closed when one was changed last.
    * ``revised_ms``: the clock and the label watermark of the last revisions, by model.
    """

    log: LogState = msgspec.field(default_factory=LogState)
    untimed: set[str] = set()
    keys: list[tuple[str, str, bool]] = []
    classes: list[str] = []
    partitions: list[str] = []
    sequences: dict[str, int] = {}
    slices: dict[Slice, SliceCounts] = {}
    watermark_ms: int | None = None
    finished_ms: int | None = None
    begun_ms: dict[str, int] = {}
    first_mark_ms: int | None = None
    touched: dict[str, set[int]] = {}
    too_young: dict[str, set[int]] = {}
    episodes: dict[str, EpisodeState] = {}
    error_streams: dict[str, bytes] = {}
    changes: dict[str, list[tuple[int, ErrorChange]]] = {}
    fingerprints: dict[str, str] = {}
    baselines_since_ms: dict[str, int] = {}
    revised_ms: dict[str, tuple[int, int]] = {}
    ledger: LabelLedger = msgspec.field(default_factory=LabelLedger)


class JobState(LogState):
    """The state of a job: its log, watermark, models, and labels.

    ``clock_jumps`` counts the consecutive ticks at which the clock was further ahead than one tick
    may move it. Panes that end at or before ``settled_ms`` get no more events. ``schedules`` are by
    the length of their periods. ``labels`` is ``None`` for a job that never had a source of labels.
    """

    version: int = STATE_VERSION
    clock_jumps: int = msgspec.field(name="hurried", default=0)
    watermark_ms: int | None = None
    settled_ms: int | None = None
    models: dict[str, ModelState] = {}
    keys: dict[str, KeyState] = {}
    schedules: dict[int, ScheduleState] = {}
    labels: LabelState | None = None

    def key_state(self, key: ModelKey) -> KeyState:
        """Return the state of a model and variant; it is created on first use."""
        return self.keys.setdefault(joined(key), KeyState())

    def known(self) -> list[tuple[ModelKey, KeyState]]:
        """Return all models and variants that ever had events, with their states."""
        return [(split(name), state) for name, state in self.keys.items()]

    def encode(self) -> bytes:
        """Return the state as MessagePack."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> JobState:
        """Return the state that :meth:`encode` wrote, of this or an earlier version.

        Raises ``msgspec.ValidationError`` if ``data`` is not such a state.
        """
        state = msgspec.msgpack.decode(data, type=cls)
        state.ledger.rename_outcome("kills_reader", CRASHES_READER)  # its name in version 0.1.0
        return state


def joined(key: ModelKey) -> str:
    """Return model and variant as one text, in which a separator of their own is escaped."""
    return _SEPARATOR.join(
        name.replace(_ESCAPE, _ESCAPE * 2).replace(_SEPARATOR, _ESCAPED_SEPARATOR) for name in key
    )


def split(text: str) -> ModelKey:
    """Return the model and the variant of a joined text.

    Version 0.1.0 escaped nothing; there everything after the first separator is the variant.
    """
    model, _, variant = text.partition(_SEPARATOR)
    return ModelKey(_unescaped(model), _unescaped(variant))


def _unescaped(name: str) -> str:
    parts = name.split(_ESCAPE * 2)
    return _ESCAPE.join(part.replace(_ESCAPED_SEPARATOR, _SEPARATOR) for part in parts)
