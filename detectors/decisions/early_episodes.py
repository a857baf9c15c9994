"""Episodes that a look into an open window opens, and how the window's reports continue them.

They are kept apart from the episodes of the closed windows, which are a function of the log. When a
look comes is not, so nothing here changes a report or an episode of closed windows: it adds the
early signal, and renames or leaves out the signals that follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from detectors.decisions.causes import with_causes
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.compared_season import with_season
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance, cooldown_of
from detectors.decisions.rules import Rules
from detectors.decisions.signals import digest_of, end_of, signal_ids
from detectors.early_finding import EarlyFinding
from detectors.finding import Subject
from detectors.phrases import counted, number
from detectors.report import Signal, SignalKind, WindowReport
from detectors.violation import Violation

CHECK_OF: Final[dict[Subject, str]] = {
    "drift": "baseline_drift_check",
    "missing": "completeness_check",
    "type": "data_type_check",
    "invalid": "data_type_check",
    "unseen": "categorical_values_check",
}
"""The check that a finding belongs to, by its subject."""
MOVED: Final[dict[Subject, str]] = {
    "drift": "the distribution has changed",
    "missing": "more values are missing",
    "type": "more values have another type",
    "invalid": "more values are NaN or infinite",
    "unseen": "more values are unknown",
}
"""What a finding says, by its subject."""


class EarlyEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that was opened inside a window, before its report.

    ``end_ms`` is the end of that window, ``signal`` what was signalled. ``continued_by`` is the
    episode of the closed windows that has confirmed it, empty until there is one.
    """

    end_ms: int
    signal: Signal
    continued_by: str = ""


class EarlyState(msgspec.Struct, frozen=True):
    """The early episode of one model and variant.

    ``episode``: the last one, while closed windows have not denied it, and the episode that
    continues it is open or may return. ``told``: the end of the window in which a feature was
    signalled early last, by feature, while its cool-down lasts.
    """

    episode: EarlyEpisode | None = None
    told: dict[str, int] = {}


def is_open(early: EarlyState, episodes: EpisodeState) -> bool:
    """Whether an episode is open, of the closed windows or before they have confirmed it."""
    waits = early.episode is not None and not early.episode.continued_by
    return waits or episodes.open is not None


def tellable(
    early: EarlyState, episodes: EpisodeState, found: Iterable[EarlyFinding]
) -> tuple[EarlyFinding, ...]:
    """The findings that may be signalled early: none while an episode is open, and none on features
    that were signalled, or recovered, within their cool-down.
    """
    if is_open(early, episodes):
        return ()
    recent = {*early.told, *episodes.signalled}
    if episodes.recovered is not None:
        recent |= set(episodes.recovered.ever)
    return tuple(finding for finding in found if finding.feature not in recent)


def completed(
    report: WindowReport, window: CheckedWindow, found: Sequence[EarlyFinding]
) -> WindowReport:
    """The report with a violation for each finding of which it has none, and its cause.

    The cause explains all rows of the open window so far: of a fault of the last seconds it says
    what happened to a part of the rows. ``window`` has the same rows as the report.
    """
    added = with_causes(window, _unexplained(report, found))
    return msgspec.structs.replace(report, violations=(*report.violations, *added))


def _unexplained(report: WindowReport, found: Sequence[EarlyFinding]) -> list[Violation]:
    """Violations that say what was found of features of which the report has none."""
    explained = {violation.feature for violation in report.violations}
    named = [_reason(each) for each in found if each.feature not in explained]
    return with_season(named, report.season)


def opened_early(
    early: EarlyState, report: WindowReport, found: Sequence[EarlyFinding], rules: Rules
) -> tuple[EarlyState, list[Signal]]:
    """The state after a look that found something, and its signal.

    ``report`` is what the window's report would be now. A finding of which it has no violation, as
    one on the last seconds of a window that was quiet before, becomes a violation of the signal.
    """
    names = {finding.feature for finding in found}
    reasons = [each for each in report.violations if each.key in names]
    reasons += _unexplained(report, found)
    reasons = [msgspec.structs.replace(reason, overwhelming=True) for reason in reasons]
    so_far = msgspec.structs.replace(report, state="violations", violations=tuple(reasons))
    signal = advance(EpisodeState(), so_far, rules)[1][0]
    signal = msgspec.structs.replace(signal, early=True, early_findings=tuple(found))
    # The window's own report may open an episode later, so that this one needs another id.
    signal = _renamed(signal, digest_of(signal.episode, "early", *sorted(names)), "opened")
    told = {**early.told, **dict.fromkeys(signal.features, signal.end_ms)}
    return EarlyState(EarlyEpisode(end_ms=signal.end_ms, signal=signal), told), [signal]


def follow(
    early: EarlyState,
    episodes: EpisodeState,
    report: WindowReport,
    signals: Sequence[Signal],
    rules: Rules,
) -> tuple[EarlyState, list[Signal]]:
    """The state after the report on a closed window, and the signals to send in place of its own.

    ``episodes`` and ``signals`` are those after the report. The first episode that closed windows
    open while an early one is open continues it: its signals have the id of the early one, and
    ``opened`` is left out, or becomes ``worsened`` if it names another feature. If the early
    window's report, or a later one, opens none, the early episode has recovered.
    """
    early = _forget_old(early, report, rules)
    episode = early.episode
    if episode is None:
        return early, list(signals)
    if not episode.continued_by:
        if episodes.open is None:
            return _unconfirmed(early, episode, report, signals)
        episode = msgspec.structs.replace(episode, continued_by=episodes.open.id)
    known = {each.id for each in (episodes.open, episodes.recovered) if each is not None}
    kept = episode if episode.continued_by in known else None
    continued = [
        _continued(signal, episode) if signal.episode == episode.continued_by else signal
        for signal in signals
        if not _was_told(signal, episode)
    ]
    return msgspec.structs.replace(early, episode=kept), continued


def _forget_old(early: EarlyState, report: WindowReport, rules: Rules) -> EarlyState:
    since_ms = end_of(report) - cooldown_of(report, rules)
    if not any(told <= since_ms for told in early.told.values()):
        return early
    told = {name: told for name, told in early.told.items() if told > since_ms}
    return msgspec.structs.replace(early, told=told)


def _unconfirmed(
    early: EarlyState, episode: EarlyEpisode, report: WindowReport, signals: Sequence[Signal]
) -> tuple[EarlyState, list[Signal]]:
    """The early episode recovers at the first verdict that counts its whole window."""
    end_ms = report.end_ms or 0
    judged = report.state in ("ok", "violations", "no inputs")
    if not judged or end_ms < episode.end_ms:
        return early, list(signals)
    recovered = msgspec.structs.replace(
        episode.signal,
        start_ms=report.start_ms,
        end_ms=end_ms,
        baseline=report.baseline,
        report=report.id,
        figures=(),
        early=False,
        early_findings=(),
    )
    signal = _renamed(recovered, recovered.episode, "recovered")
    return msgspec.structs.replace(early, episode=None), [*signals, signal]


def _was_told(signal: Signal, episode: EarlyEpisode) -> bool:
    """Whether a signal says only what the early one said."""
    opens = signal.kind == "opened" and signal.episode == episode.continued_by
    return opens and set(signal.features) <= set(episode.signal.features)


def _continued(signal: Signal, episode: EarlyEpisode) -> Signal:
    """A signal of the episode that continues an early one, in its name."""
    kind: SignalKind = "worsened" if signal.kind == "opened" else signal.kind
    first_ms = min(signal.first_violation_ms, episode.signal.first_violation_ms)
    signal = msgspec.structs.replace(signal, first_violation_ms=first_ms)
    if kind == "recovered":
        named = set(signal.features)
        early = tuple(r for r in episode.signal.reasons if r.feature not in named)
        features = tuple(sorted({*named, *episode.signal.features}))
        reasons = (*signal.reasons, *early)
        signal = msgspec.structs.replace(signal, features=features, reasons=reasons)
    return _renamed(signal, episode.signal.episode, kind)


def _renamed(signal: Signal, episode: str, kind: SignalKind) -> Signal:
    """A signal as one of another episode, or of another kind: with ids of its own."""
    id_, dedupe_id = signal_ids(signal, episode, kind, signal.end_ms)
    return msgspec.structs.replace(signal, id=id_, dedupe_id=dedupe_id, episode=episode, kind=kind)


def _reason(finding: EarlyFinding) -> Violation:
    """A violation that says what the rows since a look say."""
    since = datetime.fromtimestamp(finding.since_ms / 1000, UTC)
    effect = number(finding.effect)
    return Violation(
        feature=finding.feature,
        check=CHECK_OF[finding.subject],
        statistic="log_e_value",
        value=finding.log_e_value,
        limit=finding.needed,
        n=finding.n,
        description=f"Evidence inside of the open window: {MOVED[finding.subject]}",
        summary=(
            f"{MOVED[finding.subject]} in {counted(finding.n, 'row')} since {since:%H:%M:%S} UTC:"
            f" e-value e^{finding.log_e_value:.1f} (needed e^{finding.needed:.1f}), effect {effect}"
        ),
    )
