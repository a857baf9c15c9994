"""The signal of an episode, made of the report on the window that raises it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import msgspec

from detectors.decisions.episode_state import Episode
from detectors.diagnosis.shared_cause import action_of, shared_causes
from detectors.report import (
    SIGNAL_VERSION,
    FeatureReport,
    Figures,
    Signal,
    SignalKind,
    SignalledFeature,
    WindowReport,
)
from detectors.violation import Violation


class Judged(Protocol):
    """What an episode needs of the report on a judged window, whatever was judged in it."""

    @property
    def id(self) -> str: ...
    @property
    def job(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def start_ms(self) -> int: ...
    @property
    def end_ms(self) -> int | None: ...
    @property
    def baseline(self) -> str: ...
    @property
    def violations(self) -> tuple[Violation, ...]: ...


def signal_ids(
    source: Judged | Signal, episode: str, kind: SignalKind, end_ms: int
) -> tuple[str, str]:
    """Return the id and the ``dedupe_id`` of a signal of an episode, by the end of its window."""
    parts = source.job, source.model, source.variant, episode, kind, end_ms
    return "/".join(map(str, parts)), digest_of(*parts)


def signal_of(
    kind: SignalKind, episode: Episode, report: Judged, features: tuple[str, ...]
) -> Signal:
    """Return the signal of an episode with these features; its reasons are those of the episode."""
    end_ms = end_of(report)
    id_, dedupe_id = signal_ids(report, episode.id, kind, end_ms)
    return Signal(
        version=SIGNAL_VERSION,
        id=id_,
        dedupe_id=dedupe_id,
        kind=kind,
        episode=episode.id,
        job=report.job,
        model=report.model,
        variant=report.variant,
        start_ms=report.start_ms,
        end_ms=end_ms,
        first_violation_ms=episode.first_violation_ms,
        baseline=report.baseline,
        report=report.id,
        features=features,
        reasons=episode.reasons,
        causes=shared_causes(episode.reasons),
        action="look" if kind == "recovered" else action_of(episode.reasons),
    )


def with_figures(signal: Signal, report: WindowReport) -> Signal:
    """The signal with the numbers of its features in the window and in the baseline."""
    named = (feature for feature in report.features if feature.name in signal.features)
    return msgspec.structs.replace(signal, figures=tuple(map(_signalled, named)))


def _signalled(feature: FeatureReport) -> SignalledFeature:
    shared = {name: getattr(feature, name) for name in Figures.__struct_fields__}
    return SignalledFeature(
        name=feature.name,
        verdict=feature.verdict,
        statistic=feature.deciding,
        value=feature.value,
        limit=feature.limit,
        window=Figures(**shared),
        baseline=feature.baseline,
        evidence=feature.evidence,
    )


def end_of(report: Judged) -> int:
    """Return the end of a judged window, which has one; 0 for a silence that lasts."""
    return report.end_ms or 0


def digest_of(*components: object) -> str:
    """Return sixteen hex digits over the texts of the components, in their order."""
    return blake2b("\x1f".join(map(str, components)).encode(), digest_size=8).hexdigest()
