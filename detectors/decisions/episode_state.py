"""What is remembered of the episodes of a model: the open one, the last windows and signals."""

from __future__ import annotations

import msgspec

from detectors.changes.level_change import LevelChange
from detectors.decisions.evidence.window_evidence import Memory
from detectors.violation import Violation


class JudgedWindow(msgspec.Struct, frozen=True, array_like=True):
    """One judged window: its span, and the features that violated in it."""

    start_ms: int
    end_ms: int
    features: tuple[str, ...]


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """An open drift: its start, its features, and its last signal.

    ``features`` are those that still violate, ``ever`` all that did since it opened. ``sizes`` is
    the size that each violation had when it was signalled, by feature and check. ``last_signal_ms``
    is the end of the window of the last signal, ``reasons`` are the violations that it named, and
    ``report`` is the id of its report (empty in states of 0.1.0). ``returned``: it had recovered
    and came back within its cool-down. ``last_violation_ms`` is the end of the last window in which
    one of its features violated (0 in states of 0.1.0). ``last_worsened_ms`` is the end of the
    window of the last ``worsened``.
    """

    id: str
    first_violation_ms: int
    last_signal_ms: int
    features: tuple[str, ...]
    ever: tuple[str, ...]
    reasons: tuple[Violation, ...]
    sizes: dict[str, float]
    report: str = ""
    returned: bool = False
    last_violation_ms: int = 0
    last_worsened_ms: int | None = None

    @property
    def worst_first(self) -> list[str]:
        """The features that still violate, the largest violation first."""
        worst = dict.fromkeys(self.features, 0.0)
        for key, size in self.sizes.items():
            feature = key.partition("\x1f")[0]
            if feature in worst:
                worst[feature] = max(worst[feature], size)
        return sorted(worst, key=lambda name: (-worst[name], name))


class EpisodeState(msgspec.Struct, frozen=True):
    """The memory of the episodes of one model and variant.

    ``windows``: the recent ones. ``open``: the open episode. ``series``: the values of the change
    detectors, by series, and ``changed``: the changes of series that last. ``signalled``: the end
    of the window in which a feature was last signalled, by feature, while its cool-down lasts.
    ``recovered``: the last episode that has recovered, while its cool-down lasts. ``memory``: what
    evidence must know of the features. ``first_ms``: the start of the first judged window (of the
    first after an update, in states of earlier versions).
    """

    windows: tuple[JudgedWindow, ...] = ()
    open: Episode | None = None
    series: dict[str, tuple[float, ...]] = {}
    changed: dict[str, LevelChange] = {}
    recovered: Episode | None = None
    signalled: dict[str, int] = msgspec.field(name="told", default_factory=dict)
    memory: Memory = Memory()
    first_ms: int | None = None
