"""Which signals were right: every incident must be found, and nothing else may be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from demo.incidents import Incident
from detectors.report import Signal


@dataclass(frozen=True)
class Finding:
    """An incident and the first signal that named its cause: how long after its beginning, and
    after how many events.
    """

    incident: Incident
    signal: Signal
    after_ms: int
    after_events: int


@dataclass
class Tally:
    """Judges signals against what really happened. Times of incidents count from ``start_ms`` of
    the replay.

    A signal is **right** about an incident if it names the incident's cause and its window overlaps
    the incident. A signal that names a feature which no incident in its window touches is
    **false**. ``recovered`` says that something ended and names nothing new: it is only noted.
    ``count(start_ms, end_ms)`` is the number of events in a span.
    """

    incidents: Sequence[Incident]
    start_ms: int
    count: Callable[[int, int], int]
    found: dict[str, Finding] = field(default_factory=dict)
    false: list[Signal] = field(default_factory=list)
    recovered: set[str] = field(default_factory=set)
    _episodes: dict[str, set[str]] = field(default_factory=dict)

    def take(self, signal: Signal) -> str:
        """Judge one signal; returns what there is to say about it in a few words."""
        if signal.kind == "recovered":
            ended = self._episodes.get(signal.episode, set())
            self.recovered |= ended
            return ", ".join(sorted(ended)) or "an episode that was no incident"
        start_ms, end_ms = signal.start_ms - self.start_ms, signal.end_ms - self.start_ms
        going_on = [one for one in self.incidents if one.meets(start_ms, end_ms)]
        named = {reason.feature for reason in signal.reasons}
        right = [one for one in going_on if one.cause in named]
        for incident in right:
            self._note(incident, signal, end_ms)
        if named - {name for one in going_on for name in (one.cause, *one.touched)}:
            self.false.append(signal)
            return "FALSE: nothing touched " + ", ".join(sorted(named))
        return ", ".join(one.name for one in right) or "a consequence"

    @property
    def missed(self) -> list[Incident]:
        """Incidents that no signal has named."""
        return [one for one in self.incidents if one.name not in self.found]

    @property
    def passed(self) -> bool:
        """All found, all recovered from, nothing false."""
        return not self.missed and not self.false and self.recovered >= set(self.found)

    def _note(self, incident: Incident, signal: Signal, end_ms: int) -> None:
        self._episodes.setdefault(signal.episode, set()).add(incident.name)
        if incident.name not in self.found:
            events = self.count(incident.start_ms, end_ms)
            self.found[incident.name] = Finding(
                incident, signal, end_ms - incident.start_ms, events
            )
