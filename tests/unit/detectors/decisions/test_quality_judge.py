"""A metric violates when its whole interval is beyond its limit, and episodes follow from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import after_window
from detectors.decisions.metric_rulings import metric_report, metric_violation
from detectors.decisions.quality_judge import QualityJudge, QualitySpan
from detectors.decisions.rules import Rules
from detectors.quality.base import Measured, Metric
from detectors.quality.config import JudgeAt, QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.error_change import ErrorChange
from detectors.quality.judged import JudgedQuality, MetricRule
from detectors.quality_report import QualityReport
from detectors.report import Signal

HOUR_MS = 3_600_000
RULES = Rules(k=2, of=3, alpha=0.01, min_n=100, overwhelming_n=500, cooldown="4h")


class RightOrWrong:
    """A problem whose cell 1 counts right answers and cell 0 wrong ones.

    Intervals are Wilson's as scipy has them. ``cost`` is 3 for each wrong answer, with an unknown
    error; ``recall`` is never defined.
    """

    def measure(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> Measured:
        cells = dict(zip(counts.cells.tolist(), counts.counts.tolist(), strict=True))
        right, wrong = cells.get(1, 0), cells.get(0, 0)
        n = right + wrong
        low = high = value = None
        if n:
            value = right / n
            interval = binomtest(right, n).proportion_ci(confidence, "wilson")
            low, high = float(interval.low), float(interval.high)
        metrics = (
            Metric("accuracy", value, low, high, 0.01, n),
            Metric("cost", 3.0 * wrong, None, None, None, n, "worse"),
            Metric("recall", None, None, None, None, n, reason="no rows of class fraud"),
        )
        matrix = {"fraud": {"fraud": right, "odd": 0}, "fine": {"fraud": wrong, "fine": 0}}
        return Measured(n, metrics, matrix, {}, {"p50": 60.0})


def quality(*rules: MetricRule, **changes: Any) -> JudgedQuality:
    config = QualityConfig(problem="multiclass", judge_at=JudgeAt(coverage=0.8, after="1h"))
    fields = {"config": config, "classes": ("fraud", "fine"), "fingerprint": "f00d", **changes}
    return JudgedQuality(
        problem=RightOrWrong(),  # type: ignore[arg-type]
        rules={rule.name: rule for rule in rules},
        **fields,
    )


def judge(*rules: MetricRule, expose_values: bool = False, **changes: Any) -> QualityJudge:
    models = {"m": quality(*rules or (MetricRule("accuracy", low=0.9, judged=True),), **changes)}
    return QualityJudge("j", RULES, models, expose_values)


def counts(right: int, wrong: int) -> QualityCounts:
    return QualityCounts(np.array([0, 1]), np.array([wrong, right]))


def span(hour: int = 0, revision: int = 1, **changes: Any) -> QualitySpan:
    fields: dict[str, Any] = {
        "model": "m",
        "variant": "v",
        "start_ms": hour * HOUR_MS,
        "end_ms": (hour + 1) * HOUR_MS,
        "revision": revision,
        "predictions": 1_000,
        "labelled": 1_000,
        "judge": True,
    }
    return QualitySpan(**{**fields, **changes})


def judged(right: int, wrong: int, *rules: MetricRule, **changes: Any) -> QualityReport:
    total = right + wrong
    fields = {"predictions": total, "labelled": total, **changes}
    return judge(*rules).report(span(**fields), counts(right, wrong), ("fraud", "fine"))


def verdicts(report: QualityReport) -> dict[str, str]:
    return {metric.name: metric.verdict for metric in report.metrics}


@pytest.mark.parametrize("right", range(840, 900, 5))
def test_a_share_violates_exactly_where_its_wilson_interval_is_below_the_limit(right: int) -> None:
    high = binomtest(right, 1_000).proportion_ci(0.99, "wilson").high
    report = judged(right, 1_000 - right)
    assert (verdicts(report)["accuracy"] == "violation") == (high < 0.9)
    assert report.state == ("violations" if high < 0.9 else "ok")


def test_both_sides_of_that_boundary_are_among_the_cases() -> None:
    states = {judged(right, 1_000 - right).state for right in range(840, 900, 5)}
    assert states == {"ok", "violations"}


def test_a_model_exactly_at_its_limit_seldom_violates() -> None:
    """An interval of 99 % leaves half a percent of the windows below it: 20 of 4,000."""
    draws = np.random.default_rng(11).binomial(1_000, 0.9, 4_000)
    worst = [right for right in draws.tolist() if right < 890]
    alarms = sum(judged(right, 1_000 - right).state == "violations" for right in worst)
    assert 5 <= alarms <= 40


def test_windows_without_labels_are_measured_once_for_the_same_classes_and_verdict() -> None:
    """What is kept of them must not show: another judge says the same about each window."""
    known = judge()
    for names in (("fraud", "fine"), ("fraud", "other"), ("fraud", "fine")):
        for changes in ({"judge": False}, {"judge": True}, {"judge": False, "variant": "w"}):
            window = span(labelled=0, **changes)
            expected = judge().report(window, QualityCounts(), names)
            assert known.report(window, QualityCounts(), names) == expected
        assert known.report(span(), counts(999, 1), names).labelled == 1_000


def test_alpha_is_divided_by_the_judged_metrics() -> None:
    rules = [MetricRule(name, low=0.9, judged=True) for name in ("accuracy", "recall")]
    one = judged(865, 135).metrics[0]
    two = judged(865, 135, *rules, MetricRule("cost", high=1.0)).metrics[0]
    assert one.high == pytest.approx(binomtest(865, 1_000).proportion_ci(0.99, "wilson").high)
    assert two.high == pytest.approx(binomtest(865, 1_000).proportion_ci(0.995, "wilson").high)


def test_an_undefined_metric_never_violates() -> None:
    report = judged(1_000, 0, MetricRule("recall", low=0.5, high=0.6, judged=True))
    assert verdicts(report)["recall"] == "undefined"
    assert report.state == "ok"
    nan = Metric("auc", float("nan"), None, None, None, 500)
    assert (
        metric_report(nan, MetricRule("auc", low=0.5, judged=True), None, 0.99).verdict
        == "undefined"
    )


def test_a_value_on_its_limit_is_good_enough() -> None:
    rule = MetricRule("cost", high=30.0, judged=True)
    assert judged(990, 10, rule).state == "ok"
    assert judged(989, 11, rule).state == "violations"


def test_a_metric_of_unknown_error_is_judged_by_its_value_and_never_overwhelms() -> None:
    (violation,) = judged(0, 1_000, MetricRule("cost", high=120.0, judged=True)).violations
    assert violation.value == 3_000.0
    assert not violation.overwhelming
    assert violation.summary == (
        "cost 3,000 (sampling error unknown), limit 120 or less, labels for 100 % of the"
        " predictions"
    )


def test_a_limit_that_is_not_judged_is_shown_and_judges_nothing() -> None:
    report = judged(100, 900, MetricRule("accuracy", low=0.9, baseline=0.95))
    accuracy = report.metrics[0]
    assert (accuracy.verdict, accuracy.limit, accuracy.baseline) == ("not judged", 0.9, 0.95)
    assert report.state == "ok"
    assert report.notes == ("no metric has a limit: nothing is judged",)


def test_a_judged_metric_that_was_not_measured_is_undefined() -> None:
    report = judged(900, 100, MetricRule("auc", low=0.9, judged=True))
    assert (report.metrics[-1].name, report.metrics[-1].verdict) == ("auc", "undefined")


@pytest.mark.parametrize(
    ("value", "limit", "operator"),
    [(0.0, -1.0, "LessThanThreshold"), (4.0, 5.0, "GreaterThanThreshold")],
)
def test_of_two_limits_the_nearer_one_is_reported(
    value: float, limit: float, operator: str
) -> None:
    metric = Metric("bias", value, value, value, 0.0, 500)
    found = metric_report(metric, MetricRule("bias", low=-1.0, high=5.0, judged=True), None, 0.99)
    assert (found.limit, found.comparison_operator, found.verdict) == (limit, operator, "ok")


def test_a_window_awaits_labels_until_it_is_due() -> None:
    report = judged(0, 200, predictions=1_000, judge=False)
    assert report.state == "awaiting labels"
    assert report.violations == ()
    assert verdicts(report)["accuracy"] == "not judged"
    assert report.coverage == 0.2
    (note,) = report.notes
    assert note == (
        "200 of 1,000 predictions have a label; judged at 80 % and 1h after the end of the window,"
        " or at the horizon"
    )


def test_a_final_window_is_judged_in_any_case() -> None:
    report = judged(0, 200, predictions=1_000, judge=False, final=True)
    assert (report.state, report.final) == ("violations", True)
    assert report.notes == (
        "80 % of the predictions never got a label, and need not be like the others",
    )


def test_fewer_labelled_rows_than_min_n_give_no_verdict() -> None:
    assert judged(0, 100).state == "violations"
    report = judged(0, 99, predictions=100)
    assert (report.state, verdicts(report)["accuracy"]) == ("insufficient", "insufficient")
    assert report.notes == ("99 rows with a label, fewer than the 100 of rules.min_n",)


def test_a_window_without_predictions_has_no_coverage() -> None:
    report = judged(0, 0)
    assert (report.state, report.coverage, report.counts) == ("insufficient", None, b"")


def test_the_counts_of_a_report_give_its_metrics_again() -> None:
    report = judged(880, 120)
    again = RightOrWrong().measure(QualityCounts.decode(report.counts), (), 0.99)
    assert again.metrics[0].value == report.metrics[0].value == 0.88


def test_overwhelming_needs_the_rows_and_the_level() -> None:
    """At 1e-9 the interval of 870 of 1,000 reaches above 0.9, and that of 800 does not."""
    assert binomtest(870, 1_000).proportion_ci(1 - 1e-9, "wilson").high > 0.9
    assert binomtest(800, 1_000).proportion_ci(1 - 1e-9, "wilson").high < 0.9
    assert [v.overwhelming for v in judged(870, 130).violations] == [False]
    assert [v.overwhelming for v in judged(800, 200).violations] == [True]
    assert [v.overwhelming for v in judged(200, 299).violations] == [False]


def test_the_description_is_the_sentence_of_sagemaker() -> None:
    """The sentence of a real violations file, with numbers as Java writes them."""
    rule = MetricRule("auc", low=0.9395127993393898, judged=True, baseline=0.9395127993393898)
    auc = Metric("auc", 0.515453080147537, 0.51, 0.52, 8.080858763541535e-4, 4_000)
    violation = metric_violation(metric_report(auc, rule, None, 0.999), 0.999, 0.912, False)
    assert violation.description == (
        "Metric auc with 0.515453080147537 +/- 8.080858763541535E-4 was LessThanThreshold"
        " '0.9395127993393898'"
    )
    assert violation.summary == (
        "auc 0.515 (99.9 % interval 0.51 to 0.52), limit 0.94 or more, baseline 0.94,"
        " labels for 91.2 % of the predictions"
    )
    assert (violation.check, violation.feature) == ("model_quality_check", "auc")


def test_numbers_that_look_like_the_limit_get_more_digits() -> None:
    rule = MetricRule("auc", low=0.9, judged=True)
    auc = Metric("auc", 0.8994, 0.8991, 0.89996, 1e-4, 4_000)
    violation = metric_violation(metric_report(auc, rule, None, 0.999), 0.999, None, False)
    assert violation.summary == "auc 0.8994 (99.9 % interval 0.8991 to 0.89996), limit 0.9 or more"


def test_the_id_names_window_baseline_revision_and_generation() -> None:
    report = judged(900, 100, revision=3)
    assert report.id == "j/m/v/0/3600000/quality/f00d/3"
    models = {"m": quality(fingerprint="-")}
    again = QualityJudge("j", RULES, models, generation="2026-01-01T00:00:00Z")
    assert again.report_id(span()) == "j/m/v/0/3600000/quality/-/1/2026-01-01T00:00:00Z"


RISE = ErrorChange("adwin", True, 900, 0.1, 0.42, 800, 64, 20_064)


def test_a_rise_of_the_error_is_a_violation_of_one_window_and_a_fall_is_none() -> None:
    fall = ErrorChange("adwin", False, 900, 0.9, 0.1, 800, 64, 40_064)
    (violation,) = judged(950, 50, changes=(RISE, fall)).violations
    assert (violation.feature, violation.check) == ("(errors)", "error_change_check")
    assert (violation.limit, violation.value, violation.n) == (0.1, 0.42, 64)
    assert violation.summary == (
        "mean error 0.42 of the last 64 labelled rows, 0.1 of the 800 before (adwin)"
    )
    assert judged(950, 50, changes=(fall,)).state == "ok"
    assert judged(950, 50, judge=False, changes=(RISE,)).violations == ()


def test_a_rise_opens_an_episode_and_is_over_after_k_windows() -> None:
    rising = [judged(950, 50, hour=0, changes=(RISE,))]
    calm = [judged(950, 50, hour=hour) for hour in (1, 2)]
    assert kinds(signals(rising + calm)) == ["opened", "recovered"]


def signals(reports: Sequence[QualityReport], by: QualityJudge | None = None) -> list[Signal]:
    by = by or judge()
    state, raised = EpisodeState(), []
    for report in reports:
        state, new = by.advance(state, report)
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EpisodeState)
        raised += new
    return raised


def kinds(raised: Sequence[Signal]) -> list[str]:
    return [signal.kind for signal in raised]


BAD, GOOD, AWFUL = (860, 140), (900, 100), (500, 500)


def test_k_of_the_last_windows_open_an_episode() -> None:
    assert signals([judged(*BAD, hour=0)]) == []
    (opened,) = signals([judged(*BAD, hour=0), judged(*GOOD, hour=1), judged(*BAD, hour=2)])
    assert (opened.kind, opened.features, opened.first_violation_ms) == ("opened", ("accuracy",), 0)
    assert opened.report == "j/m/v/7200000/10800000/quality/f00d/1"


def test_a_window_that_awaits_labels_changes_nothing() -> None:
    awaiting = judged(*AWFUL, hour=1, judge=False, predictions=9_000)
    state = EpisodeState()
    assert judge().advance(state, awaiting) == (state, [])
    assert judge().advance(state, judged(0, 50)) == (state, [])


def test_a_revision_counts_once_with_what_it_says() -> None:
    """Two reports on one window are one window; the later one takes the place of the earlier."""
    twice = [judged(*BAD, hour=0), judged(*BAD, hour=0, revision=2)]
    assert signals(twice) == []
    healed = [judged(*BAD, hour=0), judged(*GOOD, hour=0, revision=2), judged(*BAD, hour=1)]
    assert signals(healed) == []
    broken = [judged(*GOOD, hour=0), judged(*BAD, hour=0, revision=2), judged(*BAD, hour=1)]
    assert kinds(signals(broken)) == ["opened"]


def test_an_older_window_corrects_the_memory_and_raises_nothing() -> None:
    late = [judged(*GOOD, hour=1), judged(*AWFUL, hour=0)]
    assert signals(late) == []
    assert kinds(signals([*late, judged(*BAD, hour=2)])) == ["opened"]
    corrected = [judged(*BAD, hour=0), judged(*GOOD, hour=1), judged(*GOOD, hour=0, revision=2)]
    assert signals([*corrected, judged(*BAD, hour=2)]) == []


def test_ids_of_signals_are_distinct_whatever_revisions_say() -> None:
    """A window that violates, is well, and violates twice as much: two episodes of one window."""
    flapping = [
        judged(*AWFUL, hour=0),
        judged(*GOOD, hour=0, revision=2),
        judged(*GOOD, hour=1),
        judged(0, 1_000, hour=1, revision=2),
        judged(*GOOD, hour=2),
        judged(*GOOD, hour=3),
    ]
    raised = signals(flapping)
    assert kinds(raised)[0] == "opened"
    assert len({signal.id for signal in raised}) == len(raised)
    assert len({signal.dedupe_id for signal in raised}) == len(raised)


def test_its_episodes_are_not_those_of_the_data_of_the_same_window() -> None:
    report = judged(*AWFUL)
    _, (of_quality,) = judge().advance(EpisodeState(), report)
    origin = ("episode", report.start_ms, report.baseline)
    _, (of_data,) = after_window(EpisodeState(), report, RULES, origin)
    assert of_quality.episode != of_data.episode
    assert of_quality.id != of_data.id
    assert of_quality.dedupe_id != of_data.dedupe_id


def test_a_signal_carries_the_violating_metrics_and_both_confusion_matrices() -> None:
    before = {"fraud": {"fraud": 9, "fine": 1}, "fine": {"fraud": 2, "fine": 8}}
    rules = [MetricRule("accuracy", low=0.9, judged=True, baseline=0.85), MetricRule("cost")]
    by = judge(*rules, confusion=before, expose_values=True)
    (signal,) = signals([judged(*AWFUL, *rules)], by)
    evidence = signal.quality
    assert evidence is not None
    assert [(metric.name, metric.baseline) for metric in evidence.metrics] == [("accuracy", 0.85)]
    assert (evidence.labelled, evidence.coverage, evidence.problem) == (1_000, 1.0, "multiclass")
    assert evidence.confusion_before == before
    assert evidence.confusion_after["fraud"] == {"fraud": 500, "odd": 0}


def test_without_expose_values_a_signal_names_no_class() -> None:
    before = {"fraud": {"fraud": 9, "fine": 1}, "fine": {"fraud": 2, "fine": 8}}
    (signal,) = signals([judged(*AWFUL)], judge(confusion=before))
    assert signal.quality is not None
    assert signal.quality.confusion_before == {
        "class #0": {"class #0": 9, "class #1": 1},
        "class #1": {"class #0": 2, "class #1": 8},
    }
    assert signal.quality.confusion_after["class #0"] == {"class #0": 500, "class #2": 0}
    assert not any(name in msgspec.json.encode(signal) for name in (b"fraud", b"fine", b"odd"))


def test_without_expose_values_a_binary_signal_says_positive_and_negative() -> None:
    config = QualityConfig(problem="binary")
    by = judge(config=config, classes=("fine", "fraud"))
    (signal,) = signals([judged(*AWFUL)], by)
    assert signal.quality is not None
    assert signal.quality.confusion_after == {
        "positive": {"positive": 500, "class #2": 0},
        "negative": {"positive": 500, "negative": 0},
    }
