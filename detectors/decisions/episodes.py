"""Violations over time become signals: one drift is one episode."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from detectors.decisions.rules import Rules
from detectors.report import SIGNAL_VERSION, Signal, SignalKind, Violation, WindowReport

MOST_WINDOWS = 5_000
"""Judged windows that are remembered at the most: three of an hour that slides by five seconds span
1,441."""


class JudgedWindow(msgspec.Struct, frozen=True, array_like=True):
    """One judged window: its span, and the features that violated in it."""

    start_ms: int
    end_ms: int
    features: tuple[str, ...]


class Episode(msgspec.Struct, frozen=True):
    """A drift that goes on: since when, which features, when the last signal went out, and the last
    reasons.

    ``features`` are those that still violate, ``ever`` those that did. ``sizes`` is how large each
    violation was told, by feature and check.
    """

    id: str
    first_violation_ms: int
    last_signal_ms: int
    features: tuple[str, ...]
    ever: tuple[str, ...]
    reasons: tuple[Violation, ...]
    sizes: dict[str, float]


class EpisodeState(msgspec.Struct, frozen=True):
    """What is remembered of one model and variant: recent windows, the open episode, and the series
    of change detectors.

    ``told`` maps features to the end of the window in which they were last signalled, for as long
    as their cool-down lasts.
    """

    windows: tuple[JudgedWindow, ...] = ()
    open: Episode | None = None
    series: dict[str, tuple[float, ...]] = {}
    told: dict[str, int] = {}


def advance(
    state: EpisodeState, report: WindowReport, rules: Rules
) -> tuple[EpisodeState, list[Signal]]:
    """The state behind a newly closed window, and the signal it gives rise to, if any.

    A feature is *confirmed* if it violates in this window and in at least ``k`` of the last ``of``
    windows that do not overlap, this one included; or if this window's evidence is overwhelming.
    The first confirmed feature **opens** an episode (one that was signalled within ``cooldown_ms``
    must be overwhelming to open another: what comes and goes is not told each time). The episode
    **worsens** when a feature joins it (by the same rule), when one of its features breaks another
    check, or when a violation gets more than twice as large as it was told, but not in a window
    that overlaps the one told last; after ``cooldown_ms`` without a signal it is **reminded** of. A
    feature that has not violated in the last ``k`` windows that do not overlap has left it; when
    all have, it is **recovered**. Each gives one signal, at most one a window.

    Only windows with the state ``ok`` or ``violations`` and revision 0 count; all others change
    nothing.
    """
    if report.state not in ("ok", "violations") or report.revision or report.end_ms is None:
        return state, []
    bad = tuple(sorted({violation.feature for violation in report.violations}))
    windows = (*state.windows, JudgedWindow(report.start_ms, report.end_ms, bad))[-MOST_WINDOWS:]
    apart = _apart(windows, max(rules.of, rules.k))
    if len(apart) == max(rules.of, rules.k):
        windows = tuple(window for window in windows if window.start_ms >= apart[-1].start_ms)
    told = {
        name: end_ms
        for name, end_ms in state.told.items()
        if report.end_ms - end_ms < rules.cooldown_ms
    }
    state = msgspec.structs.replace(state, windows=windows, told=told)
    confirmed = _confirmed(apart[: rules.of], report.violations, rules.k)
    if state.open is not None:
        return _go_on(state, state.open, report, confirmed, apart, rules)
    return (
        _open(state, report, confirmed, apart) if _news(state, report, confirmed) else (state, [])
    )


def _apart(windows: Sequence[JudgedWindow], most: int) -> list[JudgedWindow]:
    """The newest windows that do not overlap, newest first."""
    out = [windows[-1]]
    for window in reversed(windows[:-1]):
        if len(out) < most and window.end_ms <= out[-1].start_ms:
            out.append(window)
    return out


def _confirmed(
    apart: Sequence[JudgedWindow], violations: Sequence[Violation], k: int
) -> tuple[str, ...]:
    out = set()
    for violation in violations:
        seen = sum(violation.feature in window.features for window in apart)
        if violation.overwhelming or seen >= k:
            out.add(violation.feature)
    return tuple(sorted(out))


def _news(state: EpisodeState, report: WindowReport, features: Iterable[str]) -> set[str]:
    """The features that may be told: not signalled within the cool-down, or overwhelming now."""
    far = {violation.feature for violation in report.violations if violation.overwhelming}
    return {name for name in features if name in far or name not in state.told}


def _open(
    state: EpisodeState,
    report: WindowReport,
    confirmed: tuple[str, ...],
    apart: Sequence[JudgedWindow],
) -> tuple[EpisodeState, list[Signal]]:
    first = min(window.start_ms for window in apart if set(window.features) & set(confirmed))
    name = _hash(
        report.job, report.model, report.variant, "episode", report.start_ms, report.baseline
    )
    return _tell(state, Episode(name, first, 0, (), (), (), {}), "opened", report, confirmed)


def _go_on(
    state: EpisodeState,
    episode: Episode,
    report: WindowReport,
    confirmed: tuple[str, ...],
    apart: Sequence[JudgedWindow],
    rules: Rules,
) -> tuple[EpisodeState, list[Signal]]:
    recent, going_on = apart[: rules.k], set(episode.features)
    if len(recent) == rules.k:
        going_on &= {name for window in recent for name in window.features}
    if not going_on:
        return msgspec.structs.replace(state, open=None), [
            _signal("recovered", episode, report, episode.ever)
        ]
    joined = _news(state, report, set(confirmed) - going_on)
    features, apart_from_last = (
        tuple(sorted(going_on | joined)),
        report.start_ms >= episode.last_signal_ms,
    )
    episode = msgspec.structs.replace(
        episode, features=tuple(sorted(going_on)), sizes=_of(episode.sizes, going_on)
    )
    if apart_from_last and (joined or _grown(episode, report, set(confirmed) & going_on)):
        return _tell(state, episode, "worsened", report, features)
    if (report.end_ms or 0) - episode.last_signal_ms >= rules.cooldown_ms and going_on & set(
        confirmed
    ):
        return _tell(state, episode, "reminder", report, features)
    return msgspec.structs.replace(state, open=episode), []


def _tell(
    state: EpisodeState,
    episode: Episode,
    kind: SignalKind,
    report: WindowReport,
    features: tuple[str, ...],
) -> tuple[EpisodeState, list[Signal]]:
    end_ms, reasons = report.end_ms or 0, _reasons(report, features)
    grown = msgspec.structs.replace(
        episode,
        last_signal_ms=end_ms,
        features=features,
        ever=tuple(sorted({*episode.ever, *features})),
        reasons=reasons or episode.reasons,
        sizes={**episode.sizes, **{_key(one): _size(one) for one in reasons}},
    )
    state = msgspec.structs.replace(
        state, open=grown, told={**state.told, **dict.fromkeys(features, end_ms)}
    )
    return state, [_signal(kind, grown, report, features)]


def _grown(episode: Episode, report: WindowReport, features: Iterable[str]) -> bool:
    """True if a violation of these features was not told yet, or is more than twice as large as it
    was told.
    """
    return any(
        _size(one) > 2.0 * episode.sizes.get(_key(one), 0.0) for one in _reasons(report, features)
    )


def _key(violation: Violation) -> str:
    return f"{violation.feature}\x1f{violation.check}"


def _of(sizes: Mapping[str, float], features: Container[str]) -> dict[str, float]:
    return {key: size for key, size in sizes.items() if key.partition("\x1f")[0] in features}


def _size(violation: Violation) -> float:
    """How large a violation is: a distance or a share of bad records itself, of a share of good
    ones what it lacks.
    """
    if violation.check in ("vanished_value_check", "change_check"):
        return 1.0  # there is no more and less
    return (
        violation.value if violation.value > violation.limit else violation.limit - violation.value
    )


def _reasons(report: WindowReport, features: Iterable[str]) -> tuple[Violation, ...]:
    wanted = set(features)
    return tuple(violation for violation in report.violations if violation.feature in wanted)


def _signal(
    kind: SignalKind, episode: Episode, report: WindowReport, features: tuple[str, ...]
) -> Signal:
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
        features=features,
        reasons=episode.reasons,
    )


def _hash(*parts: object) -> str:
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).hexdigest()
