"""The life of a quality window: awaiting labels, judged, revised, final."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.decisions.judge import Judge
from detectors.decisions.quality_judge import QualityJudge
from detectors.decisions.rules import Rules
from detectors.quality.config import JudgeAt, MetricLimit, QualityConfig
from detectors.quality.error_detectors import ErrorAdwin
from detectors.quality.judged import JudgedQuality, MetricRule
from detectors.quality.problem import problem_of
from detectors.quality_report import QualityReport
from detectors.report import Signal
from stream.aggregation import quality_windows
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.labels import LabelParts
from stream.aggregation.quality_model import QualityModel, label_settings
from stream.events import (
    DiscoveredPartition,
    EndOfInput,
    ForgetQuality,
    OfLabels,
    Output,
    Tick,
)
from stream.labels.classes import LabelledModel
from stream.labels.rows import LABEL, NUMBER, PREDICTION, LabelRange, Predictions
from tests.support.records import job_settings
from tests.support.stores import MemoryJoinStore, MemoryQualityPanes
from tests.unit.stream.aggregation.job import LAYOUT, Job, M, baseline

RULES = Rules(min_n=1, k=1, of=1, alpha=0.01)
SETTINGS = job_settings(
    window_ms=10, every_ms=10, grace_ms=0, lateness_ms=0, idle_ms=50, tolerance_ms=0
)


def model(**keys: Any) -> QualityModel:
    config = QualityConfig(
        problem="binary",
        prediction="p",
        **{"limits": {"accuracy": MetricLimit(min=0.9)}, "judge_at": JudgeAt(coverage=0.5), **keys},
    )
    rules = {
        name: MetricRule(name, limit.min, limit.max, judged=True)
        for name, limit in config.limits.items()
    }
    judged = JudgedQuality(config, problem_of(config), rules, classes=("0", "1"))
    meaning = LabelledModel(problem="binary", positive="1", negative="0")
    return QualityModel(judged, meaning)


@dataclass
class LabelJob(Job):
    """A job whose model has labels; its panes and horizon are 10 and 100 ms long."""

    quality: QualityModel = field(default_factory=model)
    store: MemoryJoinStore = field(default_factory=MemoryJoinStore)
    quality_panes: MemoryQualityPanes = field(default_factory=MemoryQualityPanes)
    read: int = 0

    def __post_init__(self) -> None:
        parts = LabelParts(
            label_settings(100, 10, "last"),
            {"m": self.quality},
            QualityJudge("j", RULES, {"m": self.quality.judged}),
            self.store,
            self.quality_panes,
        )
        self.aggregator = Aggregator(
            settings=self.settings,
            baselines={"m": baseline(LAYOUT)},
            judge=Judge("j", RULES),
            state=self.state,
            panes=self.panes,
            labels=parts,
        )
        if not self.state.partitions:
            self.step(DiscoveredPartition("p", 0), OfLabels(DiscoveredPartition("labels", 0)))

    def predict(self, *ids: int, time_ms: int = 0, code: int = 1) -> list[Output]:
        """Pass events of one row with these ids and this predicted class to the aggregator."""
        rows = [(i, time_ms // 10 * 10, 0, 0, 1, code, np.nan) for i in ids]
        predictions = Predictions(keys=(M,), rows=np.array(rows, PREDICTION).tobytes())
        partial = self.partial([time_ms] * len(ids))
        body = msgspec.msgpack.encode(predictions)
        return self.step(msgspec.structs.replace(partial, predictions=body))

    def label(self, labels: dict[int, float], time_ms: int) -> list[Output]:
        """Pass labels of these ids to the aggregator."""
        rows = [(i, time_ms, k, 0, 0, 1, NUMBER, y) for k, (i, y) in enumerate(labels.items())]
        first, self.read = self.read, self.read + len(labels)
        return self.step(
            LabelRange(
                partition="labels",
                claim=1,
                first=first,
                next=self.read,
                mark_ms=time_ms,
                at_end=False,
                read=len(labels),
                rows=np.array(rows, LABEL).tobytes(),
                texts=(),
                positions=[*range(first, self.read)],
                rejected={},
            )
        )

    def tick(self, now_ms: int = 0) -> list[Output]:
        return self.step(Tick(now_ms))


def told(outputs: Sequence[Output]) -> list[tuple[int, int, str, int, bool]]:
    """End, revision, state, labelled rows and finality of the quality reports."""
    return [
        (out.end_ms, out.revision, out.state, out.labelled, out.final)
        for out in outputs
        if isinstance(out, QualityReport)
    ]


def test_a_window_awaits_labels_is_judged_at_its_coverage_and_ends_at_the_horizon() -> None:
    job = LabelJob(SETTINGS)
    job.predict(1, 2, 3, 4)
    assert told(job.tick()) == []  # the window is open
    job.predict(5, time_ms=12)
    assert told(job.tick()) == [(10, 0, "awaiting labels", 0, False)]
    job.label({1: 1.0}, 20)
    assert told(job.tick()) == []  # a quarter of the labels
    job.label({2: 1.0}, 21)
    assert told(job.tick()) == [(10, 1, "ok", 2, False)]
    job.predict(6, time_ms=200)
    assert told(job.label({6: 1.0}, 111)) == [(10, 2, "ok", 2, True)]


def test_labels_of_a_judged_window_are_told_at_the_next_revision_only() -> None:
    job = LabelJob(SETTINGS, quality=model(revise_every="30ms"))
    job.predict(1, 2, 3, 4)
    job.label({1: 1.0, 2: 1.0}, 10)
    job.predict(5, time_ms=12)
    assert told(job.tick()) == [(10, 0, "ok", 2, False)]
    job.label({3: 0.0}, 20)
    assert told(job.tick()) == []
    job.label({4: 0.0}, 40)
    assert told(job.tick()) == [(10, 1, "violations", 4, False)]


def test_a_round_of_revisions_takes_several_ticks_and_has_each_window_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quality_windows, "MOST_REVISIONS", 2)
    job = LabelJob(SETTINGS, quality=model(revise_every="30ms"))
    for window in range(5):
        job.predict(*range(4 * window, 4 * window + 4), time_ms=10 * window)
    job.predict(99, time_ms=52)
    job.label({i: 1.0 for i in range(20) if i % 4 < 2}, 55)
    assert [end for end, *_ in told(job.tick())] == [10, 20, 30, 40, 50]  # the first verdicts
    job.label({i: 1.0 for i in range(20) if i % 4 == 2}, 90)
    assert told(job.tick()) == [(10, 1, "ok", 3, False), (20, 1, "ok", 3, False)]
    job.label({3: 1.0, 7: 1.0}, 91)  # changed again: they wait for the next round
    assert [end for end, *_ in told(job.tick())] == [30, 40]
    assert [end for end, *_ in told(job.tick())] == [50]
    assert told(job.tick()) == []
    assert told(job.step(EndOfInput())) == [
        (10, 2, "ok", 4, False),
        (20, 2, "ok", 4, False),
        (60, 0, "awaiting labels", 0, False),
    ]


def test_the_end_of_the_input_revises_all_windows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_windows, "MOST_REVISIONS", 1)
    job = LabelJob(SETTINGS, quality=model(revise_every="1h"))
    for window in range(3):
        job.predict(window, 10 + window, time_ms=10 * window)
    job.predict(99, time_ms=32)
    job.label({0: 1.0, 1: 1.0, 2: 1.0}, 35)
    assert len(told(job.tick())) == 3
    job.label({10: 1.0, 11: 1.0, 12: 1.0}, 36)
    assert told(job.tick()) == []
    assert [(end, rows) for end, _, _, rows, _ in told(job.step(EndOfInput()))] == [
        (10, 2),
        (20, 2),
        (30, 2),
        (40, 0),
    ]


def test_a_verdict_waits_for_the_age_of_the_window_and_for_nothing_else() -> None:
    job = LabelJob(SETTINGS, quality=model(judge_at=JudgeAt(coverage=0.5, after="40ms")))
    job.predict(1, 2)
    job.predict(3, time_ms=12)
    job.label({1: 0.0, 2: 0.0}, 15)
    assert told(job.tick()) == [(10, 0, "awaiting labels", 2, False)]
    job.predict(4, time_ms=45)
    assert told(job.tick()) == [(20, 0, "awaiting labels", 0, False)]
    job = restarted(job)
    job.predict(5, time_ms=52)
    outputs = job.tick()
    assert told(outputs) == [(10, 1, "violations", 2, False), (50, 0, "awaiting labels", 0, False)]
    assert [out.features for out in outputs if isinstance(out, Signal)] == [("accuracy",)]


def test_a_window_without_labels_ends_as_insufficient() -> None:
    job = LabelJob(SETTINGS)
    job.predict(1)
    job.predict(2, time_ms=300)
    outputs = [*job.tick(), *job.label({9: 1.0}, 200), *job.tick()]
    assert told(outputs) == [(10, 0, "awaiting labels", 0, False), (10, 1, "insufficient", 0, True)]
    job.label({9: 1.0}, 320)  # neither a label nor an event with this id may come any more
    assert job.state.labels is not None
    assert job.state.labels.ledger.predictions == {
        "taken": 2,
        "waiting": 1,
        "labelled": 0,
        "expired": 1,
    }


def test_a_label_that_changes_withdraws_what_it_said_before() -> None:
    job = LabelJob(SETTINGS, quality=model(revise_every="1ms"))
    job.predict(1, 2)
    job.predict(3, time_ms=12)
    job.label({1: 1.0, 2: 1.0}, 15)
    first = job.tick()
    job.label({1: 0.0}, 30)
    last = job.tick(10)
    confusion = [out.confusion_matrix for out in [*first, *last] if isinstance(out, QualityReport)]
    assert confusion == [
        {"0": {"0": 0, "1": 0}, "1": {"0": 0, "1": 2}},
        {"0": {"0": 0, "1": 1}, "1": {"0": 0, "1": 1}},
    ]
    assert job.state.labels is not None
    counts = job.state.labels.ledger.labels
    assert {name: count for name, count in counts.items() if count} == {
        "matched": 2,
        "conflicting": 1,
    }


def test_a_range_that_was_accepted_before_is_refused() -> None:
    job = LabelJob(SETTINGS)
    job.predict(1)
    job.label({1: 1.0}, 15)
    job.read = 0
    outputs = job.label({1: 1.0}, 15)
    assert job.state.labels is not None
    assert job.state.labels.ledger.ranges_dropped == 1
    assert job.state.labels.ledger.labels["matched"] == 1
    assert told(outputs) == []


def test_an_early_label_waits_for_its_prediction() -> None:
    job = LabelJob(SETTINGS)
    job.label({1: 1.0}, 5)
    job.predict(1)
    job.predict(2, time_ms=12)
    assert told(job.tick()) == [(10, 0, "ok", 1, False)]


def test_a_change_of_the_error_is_told_by_a_window_that_can_raise_a_signal() -> None:
    """The wrong answers are of an old window: its revisions move no episode."""
    watched = model(limits={}, revise_every="1ms", error_detectors=[ErrorAdwin()])
    job = LabelJob(SETTINGS, quality=watched)
    job.predict(*range(300))
    job.predict(*range(300, 900), time_ms=12)
    job.predict(1000, time_ms=25)
    job.label(dict.fromkeys([*range(200), *range(300, 700)], 1.0), 30)
    assert [end for end, *_ in told(job.tick())] == [10, 20]
    job.label(dict.fromkeys(range(200, 300), 0.0), 40)
    assert told(job.tick(10)) == [(10, 1, "ok", 300, False)]
    job.label({700: 1.0}, 50)
    outputs = job.tick(20)
    assert told(outputs) == [(20, 1, "violations", 401, False)]
    assert [out.features for out in outputs if isinstance(out, Signal)] == [("(errors)",)]


def test_a_model_that_is_forgotten_leaves_no_episode_and_no_stream_of_errors() -> None:
    """What was learned of one problem means nothing for another one."""
    late = JudgeAt(coverage=0.5, after="40ms")
    job = LabelJob(SETTINGS, quality=model(judge_at=late, error_detectors=[ErrorAdwin()]))
    job.predict(1)
    job.label({1: 0.0}, 5)
    job.predict(2, time_ms=52)
    job.label({2: 1.0}, 55)
    job.tick()
    job.predict(3, time_ms=62)
    job.tick()
    labels = job.state.labels
    assert labels is not None
    assert all((labels.too_young, labels.episodes, labels.error_streams))
    job.step(ForgetQuality("m"))
    assert not any(
        (
            labels.touched,
            labels.too_young,
            labels.episodes,
            labels.error_streams,
            labels.changes,
        )
    )
    assert told(job.tick()) == []


def restarted(job: LabelJob) -> LabelJob:
    state = type(job.state).decode(job.state.encode())
    again = LabelJob(
        job.settings,
        state=state,
        panes=job.panes,
        assigned=dict(job.assigned),
        quality=job.quality,
        store=job.store,
        quality_panes=job.quality_panes,
        read=job.read,
    )
    again.assigned = {assign.partition: assign for assign in again.aggregator.resume()}
    return again
