"""Sums the panes of the periods of schedules, and reports each period as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.profile import Profile
from detectors.sagemaker.distances import keeps_all_values
from detectors.schedule_report import ScheduleReport
from stream.aggregation.closing import FOREVER_MS, WindowCloser
from stream.aggregation.missing_records import missing_reasons
from stream.aggregation.panes import PeriodId, PeriodStore
from stream.aggregation.state import JobState, KeyState, PeriodState, ScheduleState
from stream.event_time import JobSettings
from stream.events import ModelKey, Output, WidthMismatches

MOST_AT_ONCE: Final = 50
"""The largest number of periods with events that one step reports of a schedule; the others follow
in the next steps. A report of 200 features takes 0.1 s and up to 3 MB."""
MOST_EMPTY_AT_ONCE: Final = 1_000
"""The largest number of periods without events that one step reports of a schedule."""
MOST_EMPTY: Final = 168
"""The largest number of consecutive periods without events that are reported: a week of hours."""

Period = tuple[int, int]
"""A period: the length of its schedule, and its start."""


class Schedules:
    """The part of the aggregator that deals with schedules; it shares the aggregator's state.

    Each pane that is dropped is added to the sum of its period, in each schedule. A period is
    reported once the watermark has reached its end, from this sum and the panes that are still
    held. Late events that come afterwards lead to one revision, when the period gets no more
    events. Periods without events are reported as well, up to :data:`MOST_EMPTY` in a row.
    """

    def __init__(
        self,
        settings: JobSettings,
        judge: Judge,
        state: JobState,
        periods: PeriodStore,
        windows: WindowCloser,
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._state = state
        self._periods = periods
        self._windows = windows
        self._sums: dict[ModelKey, set[Period]] = {}
        self._restore()

    def _restore(self) -> None:
        """Continue with the stored sums; begin schedules that were added, drop removed ones."""
        lengths = self._settings.schedules_ms
        for stored in list(self._periods.ids()):
            if stored.schedule_ms not in lengths:
                self._periods.drop(stored)
            elif stored.model in self._windows.baselines:
                sums = self._sums.setdefault(stored.key, set())
                sums.add((stored.schedule_ms, stored.start_ms))
        for schedule_ms in [each for each in self._state.schedules if each not in lengths]:
            self._remove(schedule_ms)
        for schedule_ms in lengths:
            if schedule_ms not in self._state.schedules:
                self._begin(schedule_ms)

    def _begin(self, schedule_ms: int) -> None:
        """Begin a schedule with the panes that are held; no period that has ended is reported."""
        state = self._state
        closed = state.closed_ms
        began_ms = None if closed is None else closed // schedule_ms * schedule_ms
        state.schedules[schedule_ms] = ScheduleState(began_ms, began_ms, self._seen_from())
        for _, key_state in state.known():
            until_ms = key_state.active_until_ms
            if until_ms is not None:
                newest = (until_ms - 1) // schedule_ms * schedule_ms
                key_state.newest_periods[schedule_ms] = newest

    def _seen_from(self) -> int | None:
        """Return the time from which on all panes are held and keep values; ``None``: always."""
        settings, settled = self._settings, self._state.settled_ms
        times = [] if settled is None else [settled - settings.window_ms + settings.every_ms]
        for key in self._windows.monitored():
            for start in self._windows.held(key):
                profile = self._windows.profile(key, start)
                if profile is not None and not keeps_all_values(profile):
                    times.append(start + settings.every_ms)
        return max(times, default=None)

    def _remove(self, schedule_ms: int) -> None:
        """Forget a schedule that is no longer configured.

        The revisions of its reports stay known while late events are accepted, so that no id is
        used twice if the schedule returns.
        """
        del self._state.schedules[schedule_ms]
        settled = self._state.settled_ms
        for _, key_state in self._state.known():
            key_state.newest_periods.pop(schedule_ms, None)
            for period in [each for each in key_state.periods if each[0] == schedule_ms]:
                _reset(key_state, period)
                if settled is not None and sum(period) <= settled:
                    key_state.periods.pop(period, None)

    def touch(self, key: ModelKey, pane_ms: int) -> None:
        """Note that events have come in a pane: periods of it that were reported have changed."""
        for schedule_ms in self._settings.schedules_ms:
            period = _period(pane_ms, schedule_ms)
            if self._is_finished(period):
                continue
            if self._is_closed(self._state.key_state(key), period):
                self._period_state(key, period).changed = True

    def keep(
        self, key: ModelKey, pane_ms: int, profile: Profile | None, mismatches: WidthMismatches
    ) -> None:
        """Add a pane that is dropped to the sums of its periods."""
        for schedule_ms in self._settings.schedules_ms:
            period = _period(pane_ms, schedule_ms)
            if self._is_finished(period):
                continue
            if profile is not None:
                self._add(key, period, profile)
            if any(mismatches):
                state = self._period_state(key, period)
                state.width_mismatches = state.width_mismatches.plus(mismatches)

    def close(self) -> list[Output]:
        """Report the periods that end where all windows are closed, and finish what it can."""
        closed, settled = self._state.closed_ms, self._state.settled_ms
        outputs: list[Output] = []
        if closed is not None:
            for schedule_ms in self._settings.schedules_ms:
                outputs += self._close(schedule_ms, closed)
        return outputs if settled is None else [*outputs, *self.finish(settled)]

    def close_all(self) -> list[Output]:
        """Report all periods that have events, or changed since their report, at the end."""
        outputs: list[Output] = []
        keys = self._windows.monitored()
        for schedule_ms in self._settings.schedules_ms:
            starts = [start for key in keys for start in self._with_events(key, schedule_ms)]
            end = max(starts, default=0) + schedule_ms
            schedule = self._state.schedules[schedule_ms]
            while starts and (schedule.closed_ms is None or schedule.closed_ms < end):
                outputs += self._close(schedule_ms, end)
        return [*outputs, *self._report_changed(keys, FOREVER_MS)]

    def close_early(self, model: str) -> list[Output]:
        """Report a model's open and changed periods early, and drop all its sums."""
        outputs: list[Output] = []
        for key in [key for key in self._windows.monitored() if key.model == model]:
            key_state = self._state.key_state(key)
            for schedule_ms in self._settings.schedules_ms:
                outputs += [
                    self._report(key, (schedule_ms, start), early=True)
                    for start in sorted(self._with_events(key, schedule_ms))
                    if self._is_open_or_changed(key_state, (schedule_ms, start))
                ]
            for period in list(self._sums.get(key, ())):
                self._drop(key, period)
            for period in list(key_state.periods):
                _reset(key_state, period)
        return outputs

    def finish(self, bound_ms: int) -> list[Output]:
        """Report what changed in periods that get no more events, and drop their sums.

        Panes that end at or before ``bound_ms`` get no more events.
        """
        moved = [self._move_finished(each, bound_ms) for each in self._settings.schedules_ms]
        if not any(moved):
            return []
        keys = self._windows.monitored()
        outputs = self._report_changed(keys, bound_ms)
        for key in keys:
            periods = self._state.key_state(key).periods
            for period in [each for each in periods if self._is_finished(each)]:
                del periods[period]
            for period in [each for each in self._sums.get(key, ()) if self._is_finished(each)]:
                self._drop(key, period)
        return outputs

    def forget(self, model: str) -> None:
        """Stop monitoring a model: its periods without events are not reported."""
        for key, key_state in self._state.known():
            if key.model == model:
                key_state.newest_periods.clear()

    def open_from(self) -> int:
        """Return a time at or before the start of each period that may still change."""
        schedules = self._state.schedules.values()
        finished = [schedule.finished_ms for schedule in schedules]
        known = [finished_ms for finished_ms in finished if finished_ms is not None]
        return min(known, default=FOREVER_MS) if len(known) == len(finished) else -FOREVER_MS

    def _close(self, schedule_ms: int, until_ms: int) -> list[Output]:
        """Report the periods that end at or before this time, or as many as a step may report."""
        schedule = self._state.schedules[schedule_ms]
        boundary = until_ms // schedule_ms * schedule_ms
        if schedule.closed_ms is not None and boundary <= schedule.closed_ms:
            return []
        outputs: list[Output] = []
        with_events = 0
        for end, key in sorted(self._due(schedule_ms, boundary)):
            if with_events == MOST_AT_ONCE or len(outputs) == MOST_EMPTY_AT_ONCE:
                schedule.closed_ms = end - schedule_ms
                return outputs
            report = self._report(key, (schedule_ms, end - schedule_ms))
            self._period_state(key, (schedule_ms, end - schedule_ms)).closed = True
            with_events += report.status != "NoData"
            outputs.append(report)
        schedule.closed_ms = boundary
        return outputs

    def _due(self, schedule_ms: int, boundary: int) -> Iterator[tuple[int, ModelKey]]:
        """The ends of the periods to report up to ``boundary``, with events or without."""
        closed = self._state.schedules[schedule_ms].closed_ms
        for key in self._windows.monitored():
            key_state = self._state.key_state(key)
            newest = key_state.newest_periods.get(schedule_ms)
            starts = {
                start
                for start in self._with_events(key, schedule_ms)
                if (closed is None or start >= closed) and start < boundary
            }
            due = set(starts)
            for start in (*sorted(starts), boundary):
                if newest is not None:
                    most = newest + (MOST_EMPTY + 1) * schedule_ms
                    first = max(newest + schedule_ms, newest if closed is None else closed)
                    due.update(range(first, min(start, most), schedule_ms))
                newest = start if newest is None else max(newest, start)
            for start in due:
                state = key_state.periods.get((schedule_ms, start), PeriodState())
                if not state.closed and (start in starts or state.revision < 0):
                    yield start + schedule_ms, key

    def _with_events(self, key: ModelKey, schedule_ms: int) -> set[int]:
        """The starts of the periods that have events and are not finished."""
        starts = {start for length, start in self._sums.get(key, ()) if length == schedule_ms}
        starts |= {pane_ms // schedule_ms * schedule_ms for pane_ms in self._windows.held(key)}
        periods = self._state.key_state(key).periods
        starts |= {
            start
            for (length, start), state in periods.items()
            if length == schedule_ms and any(state.width_mismatches)
        }
        return {start for start in starts if not self._is_finished((schedule_ms, start))}

    def _is_open_or_changed(self, key_state: KeyState, period: Period) -> bool:
        changed = period in key_state.periods and key_state.periods[period].changed
        return changed or not self._is_closed(key_state, period)

    def _is_closed(self, key_state: KeyState, period: Period) -> bool:
        """Whether a period of a model and variant was reported at its end."""
        closed = self._state.schedules[period[0]].closed_ms
        reported = period in key_state.periods and key_state.periods[period].closed
        return reported or (closed is not None and sum(period) <= closed)

    def _is_finished(self, period: Period) -> bool:
        schedule = self._state.schedules.get(period[0])
        finished = None if schedule is None else schedule.finished_ms
        return finished is not None and sum(period) <= finished

    def _move_finished(self, schedule_ms: int, bound_ms: int) -> bool:
        """Finish the periods that are reported and end before the bound; whether there are any."""
        schedule = self._state.schedules[schedule_ms]
        if schedule.closed_ms is None:
            return False
        finished = min(bound_ms, schedule.closed_ms) // schedule_ms * schedule_ms
        if schedule.finished_ms is not None and finished <= schedule.finished_ms:
            return False
        schedule.finished_ms = finished
        return True

    def _report_changed(self, keys: Sequence[ModelKey], bound_ms: int) -> list[Output]:
        """Report again the reported periods that changed and end at or before ``bound_ms``."""
        return [
            self._report(key, period)
            for key in keys
            for period, state in sorted(self._state.key_state(key).periods.items())
            if state.changed and sum(period) <= bound_ms
        ]

    def _report(self, key: ModelKey, period: Period, early: bool = False) -> ScheduleReport:
        schedule_ms, start = period
        state = self._period_state(key, period)
        state.revision += 1
        state.changed = False
        profile, mismatches = self._sum(key, period)
        if profile.rows or any(mismatches):
            newest = self._state.key_state(key).newest_periods
            newest[schedule_ms] = max(start, newest.get(schedule_ms, start))
        span = self._span(key, period, mismatches, early)
        baseline = self._windows.baselines[key.model]
        return self._judge.scheduled(span, schedule_ms, baseline, profile)

    def _span(
        self, key: ModelKey, period: Period, mismatches: WidthMismatches, early: bool
    ) -> WindowSpan:
        schedule_ms, start = period
        model = self._state.models[key.model]
        notes = missing_reasons(self._state, start, start + schedule_ms)
        if early or (model.incomplete_before_ms is not None and start < model.incomplete_before_ms):
            notes.append("baseline or window length changed in this period")
        since_ms = self._state.schedules[schedule_ms].since_ms
        if since_ms is not None and start < since_ms:
            notes.append("the schedule was added in this period")
        return WindowSpan(
            model=key.model,
            variant=key.variant,
            start_ms=start,
            end_ms=start + schedule_ms,
            revision=self._period_state(key, period).revision,
            incomplete=bool(notes) and not model.learning,
            learning=model.learning,
            too_narrow=mismatches.too_narrow,
            too_wide=mismatches.too_wide,
            notes=tuple(notes),
        )

    def _sum(self, key: ModelKey, period: Period) -> tuple[Profile, WidthMismatches]:
        """The counts of a period: those of its dropped panes and of those that are held."""
        schedule_ms, start = period
        total = Profile(self._windows.baselines[key.model].layout)
        dropped = self._periods.get(self._id(key, period))
        if dropped is not None:
            total.merge(dropped)
        key_state = self._state.key_state(key)
        mismatches = self._period_state(key, period).width_mismatches
        for pane_ms in sorted(self._windows.held(key)):
            if start <= pane_ms < start + schedule_ms:
                profile = self._windows.profile(key, pane_ms)
                if profile is not None:
                    total.merge(profile)
                counted = key_state.width_mismatches.get(pane_ms, WidthMismatches())
                mismatches = mismatches.plus(counted)
        return total, mismatches

    def _add(self, key: ModelKey, period: Period, profile: Profile) -> None:
        id_ = self._id(key, period)
        total = self._periods.get(id_)
        if total is None:
            total = profile.copy()
        else:
            total.merge(profile)
        self._periods.put(id_, total)
        self._sums.setdefault(key, set()).add(period)

    def _drop(self, key: ModelKey, period: Period) -> None:
        self._periods.drop(self._id(key, period))
        self._sums[key].discard(period)

    def _id(self, key: ModelKey, period: Period) -> PeriodId:
        layout = self._windows.baselines[key.model].layout
        return PeriodId(key.model, key.variant, layout.fingerprint, *period)

    def _period_state(self, key: ModelKey, period: Period) -> PeriodState:
        return self._state.key_state(key).periods.setdefault(period, PeriodState())


def _period(pane_ms: int, schedule_ms: int) -> Period:
    """The period of a schedule in which a pane lies."""
    return schedule_ms, pane_ms // schedule_ms * schedule_ms


def _reset(key_state: KeyState, period: Period) -> None:
    """Forget the content of a period, but not which reports it had."""
    revision = key_state.periods[period].revision
    if revision < 0:
        del key_state.periods[period]
    else:
        key_state.periods[period] = PeriodState(revision)
