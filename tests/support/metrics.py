"""A registry in which every metric of driftline has at least one sample."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry

from detectors.decisions.catalogue import CHECKS
from detectors.decisions.episode_state import Episode, EpisodeState
from detectors.finding import Evidence, EvidenceFinding
from detectors.profiles.calendar import Calendar
from detectors.quality_report import EstimateReport, EstimateSection
from sinks.base import Published
from sinks.courier import CourierCounts
from sinks.prometheus import Prometheus
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import (
    JobState,
    KeyState,
    LabelState,
    LogState,
    ModelState,
    SeasonState,
)
from stream.event_time import PartitionState
from stream.events import CoveredRange
from stream.telemetry.metrics import Telemetry
from stream.testing.quality_reports import awaiting, quality_report, quality_signal
from stream.testing.reports import START_MS, calm, feature, report, signal, silence, violation
from stream.testing.schedule_reports import schedule_report

ODD_NAME = 'of "two"\\\nlines \u00e9'
"""Quotes, a backslash, a line break and a letter that is not ASCII."""
STATISTICS = [
    "n",
    "missing",
    "nan",
    "inf",
    "mean",
    "std",
    "sum",
    "min",
    "max",
    "outlier_share",
    "psi",
    "ks",
    "l_infinity",
]


class FullPage:
    """Telemetry and the Prometheus sink of a job, with at least one sample of every metric."""

    def __init__(self, job: str = "sample") -> None:
        self.telemetry = Telemetry(job)
        self.sink = Prometheus(per_feature=tuple(STATISTICS), per_class=True).open(job)
        self.telemetry.register(self.sink)
        self._fill_telemetry()
        self._fill_sink()

    @property
    def registry(self) -> CollectorRegistry:
        return self.telemetry.registry

    def _fill_telemetry(self) -> None:
        telemetry = self.telemetry
        telemetry.iteration(1.5)
        telemetry.batch(0.01, [covered_range()])
        telemetry.commit(0.02, 1_000, state(), {"t-0": 7}, {"l-0": 9})
        counts = CourierCounts(delivered=1, retried=2, rejected=3, dropped=4, waiting=5, busy_s=0.5)
        telemetry.sinks({"sns": counts}, paused=False)
        telemetry.reader_replaced("killed")
        telemetry.log_verdicts(verdicts())
        now_ms = int(time.time() * 1000)
        live = report(start_ms=now_ms - 1_000, end_ms=now_ms)
        telemetry.latency.committed([live])
        telemetry.latency.delivered("sns", [live])
        telemetry.latency.attempted("sns", "delivered", 0.1)

    def _fill_sink(self) -> None:
        self.sink.deliver(verdicts())


def covered_range() -> CoveredRange:
    """Twelve records of 400 bytes that were accepted."""
    return CoveredRange(
        partition="t-0",
        claim=1,
        first=0,
        next=12,
        mark_ms=None,
        at_end=False,
        read=12,
        outcomes={"accepted": 12},
        dated=12,
        rows=12,
        bytes={"accepted": 400},
    )


def open_episode() -> Episode:
    """An open episode of one feature that has violated since the first window."""
    return Episode(
        id="e",
        first_violation_ms=START_MS,
        last_signal_ms=START_MS,
        features=("amount",),
        ever=("amount",),
        reasons=(),
        sizes={},
        report="sample/flights/AllTraffic/0/1/b0/0",
    )


HOURS = Calendar(by=("hour_of_day",))


def state() -> JobState:
    """A state with two partitions and an open episode; each count of its ledger is above 0."""
    ledger = Ledger(
        {"t-0": Account(12, {"accepted": 10, "json": 2})},
        {"accepted": 380, "json": 20},
        rows_accepted=10,
        rows_folded=10,
        rows_closed=9,
        rows_late_after_idle=1,
        width_mismatches_late_after_idle=8,
        partials_accepted=7,
        partials_dropped=2,
        gaps=1,
        gap_records=40,
        future=3,
        unremembered=6,
        rows_of_other_variants=7,
    )
    opened = EpisodeState(open=open_episode())
    return JobState(
        watermark_ms=START_MS,
        partitions={
            "t-0": PartitionState(1, 12, START_MS, START_MS),
            "t-1": PartitionState(1, 5, START_MS, ended=True),
        },
        ledger=ledger,
        models={"flights": ModelState("b0", season=SeasonState(HOURS, 345_600_000))},
        keys={"flights\x1fAllTraffic": KeyState(active_until_ms=START_MS, episodes=opened)},
        labels=label_state(),
    )


def label_state() -> LabelState:
    """A label ledger whose laws hold and whose counts are above 0, two partitions of labels, and an
    open episode of quality.
    """
    ledger = LabelLedger(
        read={"l-0": 16},
        labels={
            "matched": 5,
            "duplicate": 4,
            "conflicting": 3,
            "waiting": 2,
            "expired": 1,
            "json": 1,
        },
        predictions={"taken": 12, "labelled": 5, "waiting": 4, "expired": 3},
        untaken={"without_id": 2},
        rows_taken=12,
        rows_in_panes=7,
        rows_closed=5,
        rows_labelled=5,
        labelled_in_panes=3,
        labelled_closed=2,
        gaps=1,
        gap_records=30,
        ranges_dropped=2,
    )
    partitions = {
        "l-0": PartitionState(1, 16, START_MS, arrival_ms=START_MS),
        "l-1": PartitionState(1, 3, START_MS, ended=True),
    }
    return LabelState(
        log=LogState(partitions=partitions),
        watermark_ms=START_MS - 1_000,
        episodes={"flights\x1fAllTraffic": EpisodeState(open=open_episode())},
        ledger=ledger,
    )


def verdicts() -> list[Published]:
    """Reports of three models, one with an odd feature name and extreme values, and two signals;
    the quality of one of them, judged and estimated, and a signal about it; a period.
    """
    odd = report(
        model="odd",
        features=(feature(ODD_NAME, sum=1.2345678901234567e107, min=-1e-300), calm()),
        violations=tuple(violation(ODD_NAME, check=check) for check in CHECKS),
    )
    return [
        report(features=(feature(evidence=evidence(finding())), calm())),
        odd,
        silence(model="quiet"),
        signal(),
        signal(1, "recovered"),
        quality_report(per_class={ODD_NAME: {"recall": 0.5}}),
        awaiting(1, estimates=estimates()),
        quality_signal(),
        schedule_report(),
    ]


def finding(**changes: Any) -> EvidenceFinding:
    """A drift of twice the effect that counts, at a thousandth of what its test was allowed."""
    of_drift: dict[str, Any] = {
        "subject": "drift",
        "test": "likelihood_ratio",
        "horizon": 4,
        "n": 400,
        "p_value": 1e-9,
        "allowed": 1e-6,
        "effect": 0.04,
        "effect_limit": 0.02,
        "direction": 1,
    }
    return EvidenceFinding(**{**of_drift, **changes})


def evidence(*findings: EvidenceFinding) -> Evidence:
    """The evidence of a feature with these findings."""
    return Evidence(budget=1e-5, spent=max(f.spent for f in findings), findings=findings)


def estimates() -> EstimateSection:
    """An estimate of the accuracy."""
    accuracy = EstimateReport(name="accuracy", value=0.7, low=0.6, high=0.75, n=125)
    return EstimateSection(method="cbpe", metrics=(accuracy,))
