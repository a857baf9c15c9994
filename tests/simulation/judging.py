"""The judge of the simulated job."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from detectors.arrays import Ints
from detectors.decisions.conditions import CONDITION_CHECK, ROWS
from detectors.decisions.early_episodes import EarlyState, opened_early, tellable
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance
from detectors.decisions.evidence.window_evidence import Memory
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.early_finding import EarlyFinding
from detectors.profiles.baseline import Baseline
from detectors.profiles.joint_counts import JointPairs
from detectors.profiles.profile import Profile
from detectors.report import Signal, State, WindowReport
from detectors.schedule_report import ScheduleReport, Status
from detectors.statistics.evidence.early import EProcess
from detectors.statistics.evidence.early_starts import EarlyStarts
from detectors.statistics.evidence.horizons import HORIZONS, History
from detectors.statistics.evidence.tallies import tally_layout
from detectors.violation import Violation
from tests.simulation.reading import LAYOUT, parts_of

RULES = Rules(k=2, of=3, min_n=1, cooldown="100ms")

VALUES = 4
SHOPS_AND_OTHERS = ("a", "b", "all others")
PAIRS = JointPairs(LAYOUT)
LEAST_ROWS = 2
"""The rows below which a look says nothing."""


class PlainJudge:
    """Reports plain counts, because the protocol is under test and not the statistics.

    A window violates if the value 3 has the majority, which is overwhelming if it has two thirds,
    and if it has no rows. A look into an open window signals the majority of two rows or more. The
    ``rules`` of a report are what it was judged together with: the number of windows, itself
    included, and their counts by value; and ``since`` is what was remembered, the end of the last
    window that moved the episodes. ``pooled`` has the counts of the window and of those windows by
    shop and value, and the table of values and shops.
    """

    job = "sim"
    rules = replace(RULES, mode="evidence", conditions=("rows < 1",))
    expects_rows = False
    looks_early = True

    def report(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        state: EpisodeState,
        history: History | None = None,
        segments: History | None = None,
    ) -> WindowReport:
        counts = profile.counts[LAYOUT.bins(0)]
        violations = _violations(span, profile.rows, counts)
        window = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}"
        return WindowReport(
            version=1,
            id=f"sim/{window}/{baseline.fingerprint}/{span.revision}",
            job="sim",
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state=_state(span, bool(violations)),
            rows=profile.rows,
            baseline=baseline.fingerprint,
            layout="l",
            violations=violations,
            rules={
                **_pooled(span, baseline, profile, history or History()),
                "since": state.memory.since.get("x", 0),
            },
            notes=span.notes,
            profile=_profile(counts, span.too_narrow),
            pooled=_parts(span, baseline, profile, segments or History()),
        )

    def scheduled(
        self, span: WindowSpan, schedule_ms: int, baseline: Baseline, profile: Profile
    ) -> ScheduleReport:
        """Return a report whose ``rules`` are the counts by value."""
        counts = [*profile.counts[LAYOUT.bins(0)].tolist(), span.too_narrow]
        period = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}/{schedule_ms}"
        status: Status = "Completed" if any(counts) else "NoData"
        return ScheduleReport(
            version=1,
            id=f"sim/{period}/{baseline.fingerprint}/{span.revision}",
            job="sim",
            model=span.model,
            variant=span.variant,
            schedule_ms=schedule_ms,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            status="Incomplete" if span.incomplete else status,
            rows=profile.rows,
            baseline=baseline.fingerprint,
            rules={str(value): count for value, count in enumerate(counts)},
            notes=span.notes,
        )

    def silence(self, model: str, variant: str, start_ms: int, end_ms: int | None) -> WindowReport:
        revision = int(end_ms is not None)
        return WindowReport(
            version=1,
            id=f"sim/{model}/{variant}/{start_ms}/silence/{revision}",
            job="sim",
            model=model,
            variant=variant,
            start_ms=start_ms,
            end_ms=end_ms,
            revision=revision,
            state="no data",
            rows=0,
            baseline="-",
            layout="-",
        )

    def remembers(self, report: WindowReport) -> bool:
        return report.state in ("ok", "violations")

    def look(
        self,
        span: WindowSpan,
        baseline: Baseline,
        process: EProcess,
        tallies: Ints,
        starts: EarlyStarts,
    ) -> tuple[EarlyFinding, ...]:
        """Return a finding if the value 3 has the majority since any earlier look."""
        layout = tally_layout(baseline)
        for k, cells in enumerate(layout.cells(starts.sums(tallies))[:, :VALUES].tolist()):
            rows = sum(cells)
            if rows >= LEAST_ROWS and cells[3] * 2 > rows:
                return (_finding(rows, starts.at_ms(k)),)
        return ()

    def open_early(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        found: tuple[EarlyFinding, ...],
        episodes: EpisodeState,
        early: EarlyState,
    ) -> tuple[EarlyState, list[Signal]]:
        told = tellable(early, episodes, found)
        if not told:
            return early, []
        report = self.report(span, baseline, profile, episodes, History())
        return opened_early(early, report, told, RULES)

    def advance(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> tuple[EpisodeState, list[Signal]]:
        state, signals = advance(state, report, RULES)
        return replace(state, memory=Memory(since={"x": report.end_ms or 0})), signals


def _finding(rows: int, since_ms: int) -> EarlyFinding:
    return EarlyFinding(
        feature="x",
        subject="drift",
        log_e_value=1.0,
        needed=1.0,
        n=rows,
        since_ms=since_ms,
        effect=1.0,
        direction=0,
    )


def _state(span: WindowSpan, violates: bool) -> State:
    if span.incomplete:
        return "incomplete"
    return "violations" if violates else "ok"


def _pooled(
    span: WindowSpan, baseline: Baseline, profile: Profile, history: History
) -> dict[str, float | int | str]:
    layout = tally_layout(baseline)
    sums = history.sums(span.start_ms, layout.tallies(profile.counts))
    counts = layout.cells(sums)[-1][:VALUES].tolist()
    return {"windows": HORIZONS[len(sums) - 1], **{str(k): n for k, n in enumerate(counts)}}


def _parts(span: WindowSpan, baseline: Baseline, profile: Profile, history: History) -> bytes:
    """The counts by shop and value of the window, the table of both, and the pooled counts."""
    if not profile.rows or baseline.by_segment is None:
        return b""
    segments = parts_of(profile)
    layout = tally_layout(baseline.by_segment)
    sums = history.sums(span.start_ms, layout.tallies(segments.counts))
    pooled = layout.cells(sums)[-1].reshape(len(SHOPS_AND_OTHERS), -1)[:, :VALUES]
    by_shop = segments.counts.reshape(len(SHOPS_AND_OTHERS), -1)[:, LAYOUT.bins(0)]
    (table,) = PAIRS.tables(profile.pairs)
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (by_shop, table, pooled))


def parts(report: WindowReport) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """What ``pooled`` of a report holds: by shop and value, by value and shop, pooled by shop."""
    numbers = np.frombuffer(report.pooled, np.int64).reshape(-1, VALUES).tolist()
    shops = len(SHOPS_AND_OTHERS)
    return numbers[:shops], numbers[shops : shops + VALUES], numbers[shops + VALUES :]


def _profile(counts: Ints, too_narrow: int) -> bytes:
    """The records by value; empty in a window without any."""
    found = np.append(counts, too_narrow)
    return found.tobytes() if found.any() else b""


def _violations(span: WindowSpan, rows: int, counts: Ints) -> tuple[Violation, ...]:
    if not rows:
        known = not span.incomplete
        return (replace(_violation(rows, counts), feature=ROWS, check=CONDITION_CHECK),) * known
    return (_violation(rows, counts),) if counts[3] * 2 > rows else ()


def _violation(rows: int, counts: Ints) -> Violation:
    return Violation(
        feature="x",
        check="baseline_drift_check",
        statistic="psi",
        value=1.0,
        limit=0.1,
        n=rows,
        description="",
        overwhelming=bool(counts[3] * 3 > 2 * rows),
    )
