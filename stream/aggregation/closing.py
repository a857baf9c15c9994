"""Closing windows: which ones, with which panes, reported in which order; silence, revisions, and
letting panes go.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detectors.decisions.judge import Judge, WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from stream.aggregation.panes import PaneId, PaneStore
from stream.aggregation.state import JobState, KeyState
from stream.event_time import JobSettings, window_ends, window_panes
from stream.events import ModelKey, Output, WidthMismatches

FOREVER_MS = 1 << 62


class WindowCloser:
    """The half of the aggregator that deals with windows; shares its state.

    A window closes once, when the watermark reaches its end, if one of its panes has events. Late
    events that are accepted later make a revision at the next tick. Only revision 0, in order of
    time, moves the episodes.
    """

    def __init__(
        self,
        settings: JobSettings,
        judge: Judge,
        state: JobState,
        panes: PaneStore,
        baselines: dict[str, Baseline],
    ) -> None:
        self.baselines = dict(baselines)
        self._settings, self._judge, self._state, self._panes = settings, judge, state, panes
        self._starts = {
            key: set(one.width_mismatches) for key, one in state.known() if key.model in baselines
        }
        for pane in panes.ids():
            if pane.model in baselines:
                self.note(pane.key, pane.start_ms)

    def note(self, key: ModelKey, start_ms: int) -> None:
        """A pane has events now."""
        self._starts.setdefault(key, set()).add(start_ms)
        heard = self._state.key_state(key)
        if heard.heard_ms is None:
            heard.heard_ms = start_ms

    def misfit(self, key: ModelKey, start_ms: int, width_mismatches: WidthMismatches) -> None:
        """Records of a pane had too few or too many columns: its windows say so, even if nothing
        else is in them.
        """
        counted = self._state.key_state(key).width_mismatches
        counted[start_ms] = counted.get(start_ms, WidthMismatches()).plus(width_mismatches)
        self.note(key, start_ms)

    def up_to(self, mark_ms: int) -> list[Output]:
        """Close what ends at or before ``mark_ms`` and tell silences up to there."""
        every, closed = self._settings.every_ms, self._state.closed_ms
        boundary = mark_ms // every * every
        if closed is not None and boundary <= closed:
            return []
        out: list[Output] = []
        for end, key in self._due(closed, boundary):
            out += self._close(key, end)
        self._state.closed_ms = boundary
        for key in sorted(self._starts):
            out += self._silence(key, boundary)
        return out

    def everything(self) -> list[Output]:
        """Close all windows that have events: the input is at its end."""
        ends = [
            max(starts) + self._settings.window_ms for starts in self._starts.values() if starts
        ]
        if not ends:
            return []
        out: list[Output] = [
            piece
            for end, key in self._due(self._state.closed_ms, max(ends))
            for piece in self._close(key, end)
        ]
        for key in sorted(self._starts):
            if self._starts[key]:
                out += self._silence(key, max(self._starts[key]) + self._settings.every_ms)
        self._state.closed_ms = max(*ends, self._state.closed_ms or max(ends))
        self._state.watermark_ms = max(
            self._state.closed_ms, self._state.watermark_ms or self._state.closed_ms
        )
        return out

    def revisions(self) -> list[Output]:
        """Report again the closed windows that late events have changed since."""
        out: list[Output] = []
        for key in sorted(self._starts):
            state = self._state.key_state(key)
            for end in sorted(state.touched):
                out += self._close(key, end)
            state.touched.clear()
        return out

    def cut(self, model: str) -> list[Output]:
        """Close a model's open windows as they are and let all its panes go; windows that began
        before now are incomplete.

        What was seen against the old baseline says nothing against the new one: only an open
        episode is remembered.
        """
        out: list[Output] = []
        latest = self._state.models[model].cut_ms
        for key in [key for key in sorted(self._starts) if key.model == model]:
            starts = self._starts[key]
            ends = {end for start in starts for end in window_ends(start, self._settings)}
            state, closed = self._state.key_state(key), self._state.closed_ms
            for end in sorted(
                end for end in ends if closed is None or end > closed or end in state.touched
            ):
                out += self._close(key, end, cut=True)
            state.touched.clear()
            if starts:
                heard = max(starts) + self._settings.every_ms
                out += self._silence(key, heard)
            if state.heard_ms is not None:
                latest = max(latest or -FOREVER_MS, state.heard_ms)
            for start in sorted(starts):
                self._drop(key, start)
            state.episodes = msgspec.structs.replace(state.episodes, windows=(), series={})
        self._state.models[model].cut_ms = latest
        return out

    def forget(self, model: str) -> None:
        """A model is watched no longer: no window of it closes, no silence of it is told."""
        self.baselines.pop(model)
        for key in [key for key in self._starts if key.model == model]:
            state = self._state.key_state(key)
            state.heard_ms = state.silent_ms = None
        self._starts = {key: starts for key, starts in self._starts.items() if key.model != model}

    def settle(self, before_ms: int) -> list[Output]:
        """Panes that end at or before this time get no more events: report what is open of their
        windows and let them go.

        A pane stays for as long as another pane of one of its windows may still change.
        """
        bound = before_ms // self._settings.every_ms * self._settings.every_ms
        if self._state.settled_ms is not None and bound <= self._state.settled_ms:
            return []
        out: list[Output] = []
        for key in sorted(self._starts):
            state = self._state.key_state(key)
            for end in sorted(end for end in state.touched if end <= bound):
                out += self._close(key, end)
            state.touched = {end for end in state.touched if end > bound}
            for start in sorted(
                start for start in self._starts[key] if start + self._settings.window_ms <= bound
            ):
                self._drop(key, start)
            state.reported = {
                window: revision for window, revision in state.reported.items() if window[1] > bound
            }
        self._state.settled_ms = bound
        self._state.spans = [
            span
            for span in self._state.spans
            if span.to_ms is None or span.to_ms > bound - self._settings.window_ms
        ]
        return out

    def _drop(self, key: ModelKey, start_ms: int) -> None:
        self._starts[key].discard(start_ms)
        self._state.key_state(key).width_mismatches.pop(start_ms, None)
        for pane in self._of(key, start_ms):
            profile = self._panes.get(pane)
            if profile is not None:
                self._state.ledger.rows_closed += profile.rows
                self._state.ledger.rows_in_panes -= profile.rows
                self._panes.drop(pane)

    def _of(self, key: ModelKey, start_ms: int) -> list[PaneId]:
        return [
            PaneId(key.model, key.variant, self.baselines[key.model].layout.fingerprint, start_ms)
        ]

    def _due(self, closed: int | None, boundary: int) -> list[tuple[int, ModelKey]]:
        """Ends of windows with events in ``(closed, boundary]``, in order of time."""
        due: set[tuple[int, ModelKey]] = set()
        for key, starts in self._starts.items():
            for start in starts:
                if closed is None or start + self._settings.window_ms > closed:
                    ends = window_ends(start, self._settings)
                    due.update(
                        (end, key)
                        for end in ends
                        if (closed is None or end > closed) and end <= boundary
                    )
        return sorted(due)

    def _close(self, key: ModelKey, end_ms: int, cut: bool = False) -> list[Output]:
        state, baseline = self._state.key_state(key), self.baselines[key.model]
        window = self._settings.window_ms, end_ms
        revision = state.reported.get(window, -1) + 1
        profile = self._sum(key, end_ms, baseline)
        span = self._span(key, end_ms, revision, cut)
        report = self._judge.report(span, baseline, profile, state.episodes)
        state.reported[window] = revision
        if revision or not self._newest(state, report):
            return [report]
        state.episodes, signals = self._judge.advance(state.episodes, report, baseline)
        return [report, *signals]

    @staticmethod
    def _newest(state: KeyState, report: WindowReport) -> bool:
        windows = state.episodes.windows
        return not windows or (report.end_ms or 0) > windows[-1].end_ms

    def _sum(self, key: ModelKey, end_ms: int, baseline: Baseline) -> Profile:
        total = Profile(baseline.layout)
        for start in window_panes(end_ms, self._settings):
            if start in self._starts.get(key, ()):
                for pane in self._of(key, start):
                    part = self._panes.get(pane)
                    if part is not None:
                        total.merge(part)
        return total

    def _span(self, key: ModelKey, end_ms: int, revision: int, cut: bool) -> WindowSpan:
        start_ms = end_ms - self._settings.window_ms
        model = self._state.models[key.model]
        notes = self._missing(start_ms, end_ms)
        if cut or (model.cut_ms is not None and start_ms < model.cut_ms):
            notes.append("baseline or window length changed in this window")
        learning = model.learning
        counted, odd = self._state.key_state(key).width_mismatches, WidthMismatches()
        for start in window_panes(end_ms, self._settings):
            odd = odd.plus(counted.get(start, WidthMismatches()))
        incomplete = bool(notes) and not learning
        return WindowSpan(
            model=key.model,
            variant=key.variant,
            start_ms=start_ms,
            end_ms=end_ms,
            revision=revision,
            incomplete=incomplete,
            learning=learning,
            too_narrow=odd.too_narrow,
            too_wide=odd.too_wide,
            notes=tuple(notes),
        )

    def _missing(self, start_ms: int, end_ms: int) -> list[str]:
        notes = [
            span.reason
            for span in self._state.spans
            if (span.from_ms is None or span.from_ms < end_ms)
            and (span.to_ms is None or span.to_ms >= start_ms)
        ]
        notes += [
            f"gap in {name}"
            for name, since in self._state.open_gaps.items()
            if since is None or since < end_ms
        ]
        return sorted(set(notes))

    def _silence(self, key: ModelKey, boundary: int) -> Sequence[Output]:
        """Tell silences that begin or end before ``boundary``: a silence is at least one window
        without an event.
        """
        state, settings = self._state.key_state(key), self._settings
        out: list[Output] = []
        if state.heard_ms is None:
            return out
        for start in sorted(
            start for start in self._starts[key] if state.heard_ms <= start < boundary
        ):
            if state.silent_ms is None and start - state.heard_ms >= settings.window_ms:
                state.silent_ms = state.heard_ms
                out.append(self._judge.silence(*key, state.silent_ms, None))
            if state.silent_ms is not None:
                out.append(self._judge.silence(*key, state.silent_ms, start))
                state.silent_ms = None
            state.heard_ms = start + settings.every_ms
        if state.silent_ms is None and boundary - state.heard_ms >= settings.window_ms:
            state.silent_ms = state.heard_ms
            out.append(self._judge.silence(*key, state.silent_ms, None))
        return out
