"""Turns violations over time into signals: one drift is one episode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from detectors.decisions.catalogue import size_of
from detectors.decisions.checks.base import COLUMNS
from detectors.decisions.conditions import ROWS
from detectors.decisions.episode_state import Episode, EpisodeState, JudgedWindow
from detectors.decisions.evidence.joint_evidence import JOINT
from detectors.decisions.evidence.persistence import lasting_horizon
from detectors.decisions.evidence.window_evidence import Memory
from detectors.decisions.rules import Rules
from detectors.decisions.signals import Judged, digest_of, end_of, signal_of, with_figures
from detectors.report import (
    Signal,
    SignalKind,
    WindowReport,
)
from detectors.statistics.evidence.dependence import LEAST_WINDOWS
from detectors.statistics.evidence.horizons import LONGEST
from detectors.violation import Violation

MAX_WINDOWS: Final = 5_000
"""The largest number of judged windows that are remembered.

Three windows of an hour that slide by five seconds span 1,441.
"""
GROWTH: Final = 2.0
"""The factor by which a violation must have grown since it was signalled, to be signalled again."""
LARGE_EFFECT: Final = 0.7
"""The effect from which on a drift is no matter of rows that depend on each other: about that of a
column that holds one value, or values of another unit."""


def advance(
    state: EpisodeState, report: WindowReport, rules: Rules
) -> tuple[EpisodeState, list[Signal]]:
    """The state after the report on the data of a newly closed window, and the signal it raises.

    See :func:`after_window`. Only windows with the state ``ok`` or ``violations``, or ``no inputs``
    with enough rows, and revision 0 count; all others change nothing.
    """
    judged = report.state in ("ok", "violations") or (
        report.state == "no inputs" and report.rows >= rules.least_rows
    )
    if not judged or report.revision or report.end_ms is None:
        return state, []
    generation = [report.generation] if report.generation else []
    origin = ("episode", report.start_ms, report.baseline, *generation)
    lingering = [each.name for each in report.features if each.evidence and each.evidence.lingers]
    lingering += [JOINT] if report.joint and report.joint.lingers else []
    lingering += [name for segment in report.segments for name in segment.lingering]
    lingering += _unknown(state, report)
    before = state.open
    state, signals = after_window(state, report, rules, origin, lingering)
    if rules.by_evidence:
        state = msgspec.structs.replace(state, memory=_remembered(state, before, report, signals))
    return state, [with_figures(signal, report) for signal in signals]


def _unknown(state: EpisodeState, report: WindowReport) -> list[str]:
    """The features of the open episode of which a window without rows says nothing: they stay."""
    if report.rows or state.open is None:
        return []
    return [name for name in state.open.features if name not in (ROWS, COLUMNS)]


def _remembered(
    state: EpisodeState, before: Episode | None, report: WindowReport, signals: Sequence[Signal]
) -> Memory:
    """The memory of the features after a window, ``before`` which an episode was open.

    Those that have left it are judged by the windows from now on. Those in it are judged over at
    most as many windows as show their drift again while it lasts, see :func:`.lasting_horizon`: by
    the finding that needs the fewest of those with which they joined or were signalled.
    """
    inside = set() if state.open is None else set(state.open.features)
    left = set() if before is None else set(before.features) - inside
    known = state.memory.horizons
    found = {name: known.get(name, LONGEST) for name in inside}
    new = inside - known.keys() | {name for signal in signals for name in signal.features}
    for violation in report.violations:
        if violation.key in inside & new and violation.finding is not None:
            horizon = min(found[violation.key], lasting_horizon(violation.finding))
            found[violation.key] = horizon
    since = {name: since for name, since in state.memory.since.items() if name not in inside}
    return Memory(since=since | dict.fromkeys(left, end_of(report)), horizons=found)


def after_window(
    state: EpisodeState,
    report: Judged,
    rules: Rules,
    origin: Sequence[object],
    lingering: Iterable[str] = (),
) -> tuple[EpisodeState, list[Signal]]:
    """The state after a judged window that is newer than all before, and the signal it raises.

    ``origin`` tells an episode that this window opens from every other one of the model.

    A feature of a segment is one of its own, see :attr:`~detectors.violation.Violation.key`.

    A feature is *confirmed* if it violates in this window and in at least ``k`` of the last ``of``
    windows that do not overlap, this one included; or if this window's evidence is overwhelming.

    * The first confirmed feature **opens** an episode.
    * The episode **worsens** when a feature joins it (by the same rule), when one of its features
      breaks another check, or when a violation is more than twice as large as it was signalled. A
      window that overlaps the one signalled last does not count.
    * After a cool-down without a signal a **reminder** is sent.
    * A feature that has not violated in the last ``k`` windows that do not overlap has left the
      episode; when all have, it has **recovered**.
    * A drift that comes and goes is one episode: a feature that is confirmed again within the
      cool-down of ``recovered`` continues it without a signal, and it recovers for the second time
      only after a cool-down without a violation. Only stronger evidence opens another episode: the
      first that is overwhelming, another check, or a violation that is twice as large.

    The cool-down is ``cooldown``, and at least as long as ``of`` windows. Each gives one signal, at
    most one per window.

    In the mode ``evidence`` every finding is overwhelming, and a feature also stays in the episode
    for as long as it is among those ``lingering``. Nothing is signalled twice within a cool-down: a
    feature that is confirmed again continues its episode in silence whatever its size, and an
    episode sends one ``worsened`` a cool-down, however many features it spreads over. In the first
    :data:`~detectors.statistics.evidence.dependence.LEAST_WINDOWS` windows, which do not show yet
    how far rows depend on each other, only what is obvious worsens an episode.
    """
    violating = tuple(sorted({*lingering, *(violation.key for violation in report.violations)}))
    window = JudgedWindow(report.start_ms, end_of(report), violating)
    windows = (*state.windows, window)[-MAX_WINDOWS:]
    first_ms = report.start_ms if state.first_ms is None else state.first_ms
    needed = max(rules.of, rules.k)
    separate = _non_overlapping(windows, needed)
    if len(separate) == needed:
        windows = tuple(window for window in windows if window.start_ms >= separate[-1].start_ms)
    state = msgspec.structs.replace(state, windows=windows, first_ms=first_ms)
    state = _forget_old(state, report, rules)
    confirmed = _confirmed(separate[: rules.of], report.violations, rules.k)
    state = _continued_if_returned(state, report, confirmed, rules)
    if state.open is not None:
        return _continue(state, state.open, report, confirmed, separate[: rules.k], rules)
    is_back = state.recovered is not None and not set(confirmed).isdisjoint(state.recovered.ever)
    if not is_back and not _worth_a_signal(state, report, confirmed, rules):
        return state, []
    return _open(state, report, confirmed, separate, origin)


def _forget_old(state: EpisodeState, report: Judged, rules: Rules) -> EpisodeState:
    """The state without the signals and the recovered episode whose cool-down has ended."""
    since_ms = end_of(report) - cooldown_of(report, rules)
    past = state.recovered
    return msgspec.structs.replace(
        state,
        signalled={name: end for name, end in state.signalled.items() if end > since_ms},
        recovered=past if past is not None and past.last_signal_ms > since_ms else None,
    )


def _non_overlapping(windows: Sequence[JudgedWindow], count: int) -> list[JudgedWindow]:
    """At most ``count`` of the newest windows that do not overlap, newest first."""
    separate = [windows[-1]]
    for window in reversed(windows[:-1]):
        if len(separate) < count and window.end_ms <= separate[-1].start_ms:
            separate.append(window)
    return separate


def _confirmed(
    separate: Sequence[JudgedWindow], violations: Sequence[Violation], k: int
) -> tuple[str, ...]:
    confirmed = set()
    for violation in violations:
        times = sum(violation.key in window.features for window in separate)
        if violation.overwhelming or times >= k:
            confirmed.add(violation.key)
    return tuple(sorted(confirmed))


def cooldown_of(report: Judged, rules: Rules) -> int:
    """The cool-down after the report on a window."""
    return cooldown_after(end_of(report) - report.start_ms, rules)


def cooldown_after(length_ms: int, rules: Rules) -> int:
    """The cool-down; of long windows ``of``, since a verdict of k of m takes as many."""
    return max(rules.cooldown_ms, rules.of * length_ms)


def _continued_if_returned(
    state: EpisodeState, report: Judged, confirmed: Sequence[str], rules: Rules
) -> EpisodeState:
    """The state with the recovered episode open again if its features are back, not stronger."""
    episode = state.recovered
    if state.open is not None or episode is None:
        return state
    back = tuple(name for name in confirmed if name in episode.ever)
    if not back or (not rules.by_evidence and _is_stronger(episode, report, back)):
        return state
    episode = msgspec.structs.replace(episode, features=back, returned=True)
    return msgspec.structs.replace(state, open=episode, recovered=None)


def _is_stronger(episode: Episode, report: Judged, features: Sequence[str]) -> bool:
    """Return whether the evidence on these features is stronger than what was signalled."""
    overwhelmed = {reason.key for reason in episode.reasons if reason.overwhelming}
    return _has_grown(episode, report, features) or any(
        reason.overwhelming and reason.key not in overwhelmed
        for reason in _reasons(report, features)
    )


def _worth_a_signal(
    state: EpisodeState, report: Judged, features: Iterable[str], rules: Rules
) -> set[str]:
    """The features that may be signalled: outside of their cool-down, or overwhelming now.

    Evidence is always overwhelming, and so it does not end a cool-down.
    """
    overwhelming: set[str] = set()
    if not rules.by_evidence:
        overwhelming = {each.key for each in report.violations if each.overwhelming}
    return {name for name in features if name in overwhelming or name not in state.signalled}


def _open(
    state: EpisodeState,
    report: Judged,
    confirmed: tuple[str, ...],
    separate: Sequence[JudgedWindow],
    origin: Sequence[object],
) -> tuple[EpisodeState, list[Signal]]:
    first_ms = min(window.start_ms for window in separate if set(window.features) & set(confirmed))
    episode = Episode(
        id=digest_of(report.job, report.model, report.variant, *origin),
        first_violation_ms=first_ms,
        last_signal_ms=0,
        features=(),
        ever=(),
        reasons=(),
        sizes={} if state.recovered is None else state.recovered.sizes,
    )
    return _signal(state, episode, "opened", report, confirmed)


def _continue(
    state: EpisodeState,
    episode: Episode,
    report: Judged,
    confirmed: tuple[str, ...],
    recent: Sequence[JudgedWindow],
    rules: Rules,
) -> tuple[EpisodeState, list[Signal]]:
    """The open episode after another window; ``recent`` are the last ``k`` that do not overlap."""
    staying = _staying(episode, report, recent, rules)
    if not staying:
        return _recover(state, episode, report)
    joined = _worth_a_signal(state, report, set(confirmed) - staying, rules)
    if rules.by_evidence:
        staying |= set(confirmed)
    features = tuple(sorted(staying | joined))
    episode = msgspec.structs.replace(
        episode,
        features=tuple(sorted(staying)),
        ever=tuple(sorted({*episode.ever, *staying})),
        last_violation_ms=_last_violation_ms(episode, report),
    )
    still_confirmed = staying & set(confirmed)
    certain = _certain(state, report, rules)
    worse = joined & certain or _has_grown(episode, report, still_confirmed & certain)
    if worse and _may_worsen(episode, report, rules):
        return _worsened(state, episode, report, features)
    silent_ms = end_of(report) - episode.last_signal_ms
    if silent_ms >= cooldown_of(report, rules) and still_confirmed:
        return _signal(state, episode, "reminder", report, features)
    return msgspec.structs.replace(state, open=episode), []


def _certain(state: EpisodeState, report: Judged, rules: Rules) -> set[str]:
    """The violating features that may worsen an episode: in the first windows by evidence, those
    with a drift that is large, or with one of something else than their values.
    """
    length_ms = end_of(report) - report.start_ms
    known_ms = LEAST_WINDOWS * length_ms
    is_known = state.first_ms is None or report.start_ms - state.first_ms >= known_ms
    return {
        each.key
        for each in report.violations
        if is_known or not rules.by_evidence or _is_obvious(each)
    }


def _is_obvious(violation: Violation) -> bool:
    finding = violation.finding
    return finding is None or finding.subject != "drift" or finding.effect >= LARGE_EFFECT


def _may_worsen(episode: Episode, report: Judged, rules: Rules) -> bool:
    """Whether the window does not overlap the last signal; by evidence, once a cool-down."""
    if report.start_ms < episode.last_signal_ms:
        return False
    last_ms = episode.last_worsened_ms
    if not rules.by_evidence or last_ms is None:
        return True
    return end_of(report) - last_ms >= cooldown_of(report, rules)


def _worsened(
    state: EpisodeState, episode: Episode, report: Judged, features: tuple[str, ...]
) -> tuple[EpisodeState, list[Signal]]:
    episode = msgspec.structs.replace(episode, last_worsened_ms=end_of(report))
    return _signal(state, episode, "worsened", report, features)


def _staying(
    episode: Episode, report: Judged, recent: Sequence[JudgedWindow], rules: Rules
) -> set[str]:
    """The features that are still in the episode; all, while one that returned may do so again."""
    staying = set(episode.features)
    if len(recent) == rules.k:
        staying &= {name for window in recent for name in window.features}
    clean_ms = end_of(report) - _last_violation_ms(episode, report)
    if not staying and episode.returned and clean_ms < cooldown_of(report, rules):
        return set(episode.features)
    return staying


def _last_violation_ms(episode: Episode, report: Judged) -> int:
    violates = any(violation.key in episode.features for violation in report.violations)
    return end_of(report) if violates else episode.last_violation_ms


def _recover(
    state: EpisodeState, episode: Episode, report: Judged
) -> tuple[EpisodeState, list[Signal]]:
    """Close the episode; it is remembered for a cool-down, in case that it returns."""
    signal = signal_of("recovered", episode, report, episode.ever)
    past = msgspec.structs.replace(episode, last_signal_ms=end_of(report), returned=False)
    return msgspec.structs.replace(state, open=None, recovered=past), [signal]


def _signal(
    state: EpisodeState,
    episode: Episode,
    kind: SignalKind,
    report: Judged,
    features: tuple[str, ...],
) -> tuple[EpisodeState, list[Signal]]:
    """Signal the episode with ``features``, and note in the state what was signalled and when."""
    end_ms = end_of(report)
    reasons = _reasons(report, features)
    episode = msgspec.structs.replace(
        episode,
        last_signal_ms=end_ms,
        features=features,
        ever=tuple(sorted({*episode.ever, *features})),
        reasons=reasons or episode.reasons,
        report=report.id,
        sizes={**episode.sizes, **{_key(reason): size_of(reason) for reason in reasons}},
    )
    signalled = {**state.signalled, **dict.fromkeys(features, end_ms)}
    state = msgspec.structs.replace(state, open=episode, signalled=signalled)
    return state, [signal_of(kind, episode, report, features)]


def _has_grown(episode: Episode, report: Judged, features: Iterable[str]) -> bool:
    """Return whether a violation of these features is new, or much larger than when signalled."""
    return any(
        size_of(reason) > GROWTH * episode.sizes.get(_key(reason), 0.0)
        for reason in _reasons(report, features)
    )


def _key(violation: Violation) -> str:
    return f"{violation.key}\x1f{violation.check}"


def _reasons(report: Judged, features: Iterable[str]) -> tuple[Violation, ...]:
    wanted = set(features)
    return tuple(violation for violation in report.violations if violation.key in wanted)
