"""Scores the signals: every incident must be detected, and no signal may be false."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from demo.incidents import Incident
from detectors.report import Signal


@dataclass(frozen=True)
class Detection:
    """An incident, the first signal that named its cause, and the delay after its start in
    time and in events.
    """

    incident: Incident
    signal: Signal
    after_ms: int
    after_events: int


@dataclass
class Tally:
    """Compares signals with the incidents, whose times are relative to ``start_ms``.

    A signal **detects** an incident if it names its cause and its window overlaps it. A signal that
    names a feature which no incident in its window affects is **false**. ``recovered`` marks the
    end of an episode and names nothing new. ``count(start_ms, end_ms)`` is the number of events in
    a span.
    """

    incidents: Sequence[Incident]
    start_ms: int
    count: Callable[[int, int], int]
    detections: dict[str, Detection] = field(default_factory=dict)
    false_signals: list[Signal] = field(default_factory=list)
    recovered: set[str] = field(default_factory=set)
    _episodes: dict[str, set[str]] = field(default_factory=dict)

    def judge(self, signal: Signal) -> str:
        """Judge a signal; return the verdict in a few words."""
        if signal.kind == "recovered":
            ended = self._episodes.get(signal.episode, set())
            self.recovered |= ended
            return ", ".join(sorted(ended)) or "an episode without an incident"
        start_ms = signal.start_ms - self.start_ms
        end_ms = signal.end_ms - self.start_ms
        active = [incident for incident in self.incidents if incident.overlaps(start_ms, end_ms)]
        named = {reason.feature for reason in signal.reasons}
        detected = [incident for incident in active if incident.cause in named]
        for incident in detected:
            self._note(incident, signal, end_ms)
        if named - {name for incident in active for name in (incident.cause, *incident.affected)}:
            self.false_signals.append(signal)
            return "FALSE: no incident affects " + ", ".join(sorted(named))
        return ", ".join(incident.name for incident in detected) or "a consequence"

    @property
    def missed(self) -> list[Incident]:
        """Incidents that no signal has detected."""
        return [incident for incident in self.incidents if incident.name not in self.detections]

    @property
    def passed(self) -> bool:
        """Whether all incidents were detected, all detected ones recovered, and no signal false."""
        recovered = self.recovered >= set(self.detections)
        return not self.missed and not self.false_signals and recovered

    def _note(self, incident: Incident, signal: Signal, end_ms: int) -> None:
        self._episodes.setdefault(signal.episode, set()).add(incident.name)
        if incident.name not in self.detections:
            events = self.count(incident.start_ms, end_ms)
            self.detections[incident.name] = Detection(
                incident, signal, end_ms - incident.start_ms, events
            )
