"""What the outcome of a schedule must say of windows without any event."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.decisions.conditions import ROWS
from detectors.decisions.episode_state import EpisodeState
from detectors.report import WindowReport
from stream.event_time import JobSettings
from tests.simulation.judging import RULES, PlainJudge
from tests.simulation.logs import MODELS
from tests.simulation.reading import BASELINE
from tests.simulation.world import NEVER_MS, World


def wrong_empty_windows(world: World) -> str:
    """Between two windows of a model, each that has no record in its log was judged in its place:
    it is reported exactly if no open episode had told that rows are missing within the cool-down.
    None is reported before the first record of the model.

    Only where it is known from the logs which windows are incomplete.
    """
    if any(world.logs.before.values()):
        return ""
    wrong = (_wrong_model(world, model) for model in MODELS)
    return next(filter(None, wrong), "")


def _wrong_model(world: World, model: str) -> str:
    with_records = {end for name, end in world.logs.expected(world.settings) if name == model}
    first_ms = min(with_records, default=0)
    since_ms, state, last_ms = _begin(world, model), EpisodeState(), -NEVER_MS
    for report in _first_reports(world, model):
        end_ms = report.end_ms or 0
        if end_ms <= last_ms:
            continue
        between = range(max(since_ms, last_ms), end_ms)
        lacking = _lacking(world.settings, with_records, state, between)
        if lacking:
            return f"{model} has no reports on the windows {lacking[:3]}, before {report.id}"
        if is_empty(report) and end_ms < first_ms:
            return f"{report.id} is before the first record"
        if is_empty(report) and _is_told(state, end_ms, world.settings.window_ms):
            return f"{report.id} tells nothing new"
        state = PlainJudge().advance(state, report, BASELINE)[0]
        last_ms = end_ms
    return ""


def _begin(world: World, model: str) -> int:
    """The end of the first silence of a model: before it, its first events may have been late."""
    ends = (
        item.end_ms
        for item in world.store.committed.outbox
        if isinstance(item, WindowReport) and item.model == model and item.state == "no data"
    )
    return min((end_ms for end_ms in ends if end_ms is not None), default=NEVER_MS)


def _first_reports(world: World, model: str) -> Iterator[WindowReport]:
    reports = (item for item in world.store.committed.outbox if isinstance(item, WindowReport))
    of_model = (report for report in reports if report.model == model and not report.revision)
    return (report for report in of_model if report.state != "no data")


def _lacking(
    settings: JobSettings, with_records: set[int], state: EpisodeState, between: range
) -> list[int]:
    """The ends of windows without records, inside of a time, that should have been reported."""
    ends = range(between.start + settings.window_ms, between.stop, settings.every_ms)
    empty = [end for end in ends if end not in with_records]
    return [end for end in empty if not _is_told(state, end, settings.window_ms)]


def _is_told(state: EpisodeState, end_ms: int, window_ms: int) -> bool:
    if state.open is None or ROWS not in state.open.features:
        return False
    return end_ms - state.open.last_signal_ms < max(RULES.cooldown_ms, RULES.of * window_ms)


def is_empty(report: WindowReport) -> bool:
    """Whether a report is about a window without any record."""
    return report.end_ms is not None and report.state != "no data" and not report.profile
