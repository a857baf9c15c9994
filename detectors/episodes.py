"""Violations over time become signals: one drift is one episode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import inf

import msgspec

from detectors.report import SHARES, SIGNAL_VERSION, Signal, SignalKind, Violation, WindowReport
from detectors.rules import Rules

MOST_WINDOWS = 5_000
"""Judged windows that are remembered at the most: three of an hour that slides by five seconds span 1,441."""


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """One judged window: its span, and the features that violated in it."""

    start_ms: int
    end_ms: int
    features: tuple[str, ...]


class Episode(msgspec.Struct, frozen=True):
    """A drift that goes on: since when, which features, when the last signal went out, and the last reasons."""

    id: str
    first_violation_ms: int
    last_signal_ms: int
    features: tuple[str, ...]
    reasons: tuple[Violation, ...]


class EpisodeState(msgspec.Struct, frozen=True):
    """What is remembered of one model and variant: recent windows, the open episode, and the series of change detectors.

    ``told`` maps features to the end of the window in which they were last signalled, for as long as their cool-down lasts.
    """

    windows: tuple[Judged, ...] = ()
    open: Episode | None = None
    series: dict[str, tuple[float, ...]] = {}
    told: dict[str, int] = {}


def advance(state: EpisodeState, report: WindowReport, rules: Rules) -> tuple[EpisodeState, list[Signal]]:
    """The state behind a newly closed window, and the signal it gives rise to, if any.

    A feature is *confirmed* if it violates in this window and in at least ``k`` of the last ``of`` windows that do not
    overlap, this one included; or if this window's evidence is overwhelming. The first confirmed feature **opens** an episode
    (one that was signalled within ``cooldown_ms`` must be overwhelming to open another: what comes and goes is not told each
    time). The episode **worsens** when a feature joins it, or when a distance or a loss gets more than twice as large as it
    was told; after ``cooldown_ms`` without a signal it is **reminded** of; it is **recovered** when none of its
    features has violated in the last ``k`` windows that do not overlap. Each gives one signal, at most one a window.

    Only windows with the state ``ok`` or ``violations`` and revision 0 count; all others change nothing.
    """
    if report.state not in ("ok", "violations") or report.revision or report.end_ms is None:
        return state, []
    bad = tuple(sorted({violation.feature for violation in report.violations}))
    windows = (*state.windows, Judged(report.start_ms, report.end_ms, bad))[-MOST_WINDOWS:]
    apart = _apart(windows, max(rules.of, rules.k))
    if len(apart) == max(rules.of, rules.k):
        windows = tuple(window for window in windows if window.start_ms >= apart[-1].start_ms)
    told = {name: end_ms for name, end_ms in state.told.items() if report.end_ms - end_ms < rules.cooldown_ms}
    state = msgspec.structs.replace(state, windows=windows, told=told)
    confirmed = _confirmed(apart[: rules.of], report.violations, rules.k)
    if state.open is not None:
        return _go_on(state, state.open, report, confirmed, apart, rules)
    if any(violation.overwhelming for violation in report.violations) or set(confirmed) - told.keys():
        return _open(state, report, confirmed, apart)
    return state, []


def _apart(windows: Sequence[Judged], most: int) -> list[Judged]:
    """The newest windows that do not overlap, newest first."""
    out = [windows[-1]]
    for window in reversed(windows[:-1]):
        if len(out) < most and window.end_ms <= out[-1].start_ms:
            out.append(window)
    return out


def _confirmed(apart: Sequence[Judged], violations: Sequence[Violation], k: int) -> tuple[str, ...]:
    out = set()
    for violation in violations:
        seen = sum(violation.feature in window.features for window in apart)
        if violation.overwhelming or seen >= k:
            out.add(violation.feature)
    return tuple(sorted(out))


def _open(
    state: EpisodeState, report: WindowReport, confirmed: tuple[str, ...], apart: Sequence[Judged]
) -> tuple[EpisodeState, list[Signal]]:
    first = min(window.start_ms for window in apart if set(window.features) & set(confirmed))
    reasons = _reasons(report, confirmed)
    name = _hash(report.job, report.model, report.variant, "episode", report.start_ms, report.baseline)
    episode = Episode(name, first, report.end_ms or 0, confirmed, reasons)
    return _told(state, episode), [_signal("opened", episode, report)]


def _go_on(
    state: EpisodeState,
    episode: Episode,
    report: WindowReport,
    confirmed: tuple[str, ...],
    apart: Sequence[Judged],
    rules: Rules,
) -> tuple[EpisodeState, list[Signal]]:
    end_ms = report.end_ms or 0
    recent = apart[: rules.k]
    if len(recent) == rules.k and not any(set(window.features) & set(episode.features) for window in recent):
        return msgspec.structs.replace(state, open=None), [_signal("recovered", episode, report)]
    worse = bool(set(confirmed) - set(episode.features)) or _grown(episode, report, confirmed)
    late = end_ms - episode.last_signal_ms >= rules.cooldown_ms and bool(set(episode.features) & set(confirmed))
    if not worse and not late:
        return state, []
    features = tuple(sorted({*episode.features, *confirmed}))
    grown = msgspec.structs.replace(
        episode, features=features, last_signal_ms=end_ms, reasons=_reasons(report, features) or episode.reasons
    )
    return _told(state, grown), [_signal("worsened" if worse else "reminder", grown, report)]


def _told(state: EpisodeState, episode: Episode) -> EpisodeState:
    told = {**state.told, **dict.fromkeys(episode.features, episode.last_signal_ms)}
    return msgspec.structs.replace(state, open=episode, told=told)


def _grown(episode: Episode, report: WindowReport, confirmed: Iterable[str]) -> bool:
    """True if a confirmed violation is more than twice as large as it was told."""
    before = {(reason.feature, reason.check): _size(reason) for reason in episode.reasons}
    return any(_size(one) > 2.0 * before.get((one.feature, one.check), inf) for one in _reasons(report, confirmed))


def _size(violation: Violation) -> float:
    """How large a violation is: a distance itself, of a share what it lacks; 0 where there is no more and less."""
    if violation.check == "baseline_drift_check":
        return violation.value
    return violation.limit - violation.value if violation.check in SHARES else 0.0


def _reasons(report: WindowReport, features: Iterable[str]) -> tuple[Violation, ...]:
    wanted = set(features)
    return tuple(violation for violation in report.violations if violation.feature in wanted)


def _signal(kind: SignalKind, episode: Episode, report: WindowReport) -> Signal:
    end_ms = report.end_ms or 0
    name = _hash(report.job, report.model, report.variant, episode.id, kind, end_ms)
    return Signal(
        version=SIGNAL_VERSION,
        id=f"{report.job}/{report.model}/{report.variant}/{episode.id}/{kind}/{end_ms}",
        dedupe_id=name,
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
        reasons=episode.reasons,
    )


def _hash(*parts: object) -> str:
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).hexdigest()
