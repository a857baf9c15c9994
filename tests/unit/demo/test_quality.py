"""The error of several windows, from the counts of their newest reports."""

import numpy as np
import pytest

from demo.quality import QualityReports
from detectors.quality.config import QualityConfig
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows
from detectors.quality_report import QUALITY_REPORT_VERSION, QualityReport, QualityState


def report(
    start_ms: int, errors: list[float], revision: int = 0, state: QualityState = "ok"
) -> QualityReport:
    n = len(errors)
    rows = LabelledRows(
        prediction=np.array(errors) + 5.0,
        probability=np.full(n, np.nan),
        label=np.full(n, 5.0),
        weight=np.ones(n, np.int64),
        delay_ms=np.zeros(n, np.int64),
    )
    problem = problem_of(QualityConfig(problem="regression"))
    (counts,) = problem.tally(rows, np.zeros(n, np.int64), 1)
    return QualityReport(
        version=QUALITY_REPORT_VERSION,
        id=f"{start_ms}/{revision}",
        job="demo",
        model="m",
        variant="v",
        start_ms=start_ms,
        end_ms=start_ms + 10,
        revision=revision,
        state=state,
        final=False,
        problem="regression",
        baseline="-",
        predictions=n,
        labelled=n,
        coverage=1.0,
        labels_until_ms=1000 + start_ms,
        counts=counts.encode(),
    )


def test_counts_of_windows_are_added() -> None:
    reports = QualityReports()
    for each in (report(0, [3.0, -1.0]), report(10, [-5.0]), report(20, [100.0])):
        reports.add(each)
    measured = reports.measured(0, 20)
    assert measured.labelled == 3
    assert measured.mae == pytest.approx((3 + 1 + 5) / 3)
    assert measured.rmse == pytest.approx(((9 + 1 + 25) / 3) ** 0.5)


def test_the_newest_revision_counts_whatever_the_order() -> None:
    for order in (0, 1), (1, 0):
        revisions = [report(0, [3.0]), report(0, [3.0, 4.0], revision=1)]
        reports = QualityReports()
        for position in order:
            reports.add(revisions[position])
        assert reports.measured(0, 10).labelled == 2
        assert reports.judged == 1


def test_windows_without_a_verdict_or_beyond_the_span_are_left_out() -> None:
    reports = QualityReports()
    reports.add(report(0, [3.0], state="awaiting labels"))
    reports.add(report(10, [4.0]))
    assert (reports.judged, reports.measured(0, 30).labelled) == (1, 1)
    nothing = reports.measured(11, 30)
    assert (nothing.rmse, nothing.mae, nothing.labelled) == (None, None, 0)


def test_a_verdict_keeps_the_time_of_its_labels_and_the_newest_window_is_known() -> None:
    reports = QualityReports()
    assert reports.newest_verdict is None
    for each in (report(20, [1.0]), report(0, [2.0]), report(30, [3.0], state="awaiting labels")):
        reports.add(each)
    assert reports.labels_until_ms("20/0") == 1020
    assert reports.labels_until_ms("30/0") is None
    assert reports.newest_verdict is not None
    assert reports.newest_verdict.start_ms == 20
