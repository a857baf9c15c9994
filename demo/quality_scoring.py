"""Scores the signals about the model's quality: none may be about healthy windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from demo.incidents import Incident
from detectors.report import Signal


@dataclass(frozen=True)
class QualityDetection:
    """An incident, the first quality signal on one of its windows, and the delay after its start
    until the labels for it were there.
    """

    incident: Incident
    signal: Signal
    after_ms: int


@dataclass
class QualityTally:
    """Compares quality signals with the incidents, whose times are relative to ``start_ms``.

    The window of such a signal is that of the predictions: however late the labels came, it
    **detects** the incidents that its window overlaps, and is **false** if there is none. An
    incident need not make the model's answers measurably worse; one that is permanent does, until
    ``replaced_ms``, when another model took over.
    """

    incidents: Sequence[Incident]
    start_ms: int
    replaced_ms: int | None = None
    detections: dict[str, QualityDetection] = field(default_factory=dict)
    false_signals: list[Signal] = field(default_factory=list)
    recovered: set[str] = field(default_factory=set)
    _episodes: dict[str, set[str]] = field(default_factory=dict)

    def judge(self, signal: Signal, labels_until_ms: int) -> str:
        """Judge a signal, for which labels up to a time were known; return the verdict in words."""
        if signal.kind == "recovered":
            ended = self._episodes.get(signal.episode, set())
            self.recovered |= ended
            return ", ".join(sorted(ended)) or "an episode without an incident"
        harmful = [incident for incident in self.incidents if self._harms(incident, signal)]
        if not harmful:
            self.false_signals.append(signal)
            return "FALSE: no incident affects these predictions"
        self._episodes.setdefault(signal.episode, set()).update(each.name for each in harmful)
        for incident in harmful:
            after_ms = labels_until_ms - self.start_ms - incident.start_ms
            detection = QualityDetection(incident, signal, after_ms)
            self.detections.setdefault(incident.name, detection)
        return ", ".join(incident.name for incident in harmful)

    @property
    def passed(self) -> bool:
        """Whether each permanent incident was detected, each detected one has recovered, and no
        signal is false.
        """
        lasting = {incident.name for incident in self.incidents if incident.permanent}
        found = set(self.detections)
        return lasting <= found <= self.recovered and not self.false_signals

    def _harms(self, incident: Incident, signal: Signal) -> bool:
        """Whether the incident was active in the window, for the model that served it."""
        start_ms, end_ms = signal.start_ms - self.start_ms, signal.end_ms - self.start_ms
        if incident.permanent and self.replaced_ms is not None:
            end_ms = min(end_ms, self.replaced_ms)
        return start_ms < end_ms and incident.overlaps(start_ms, end_ms)
