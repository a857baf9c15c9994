"""Numbers of any size lead to numbers within their extremes, and to no warning of NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.report import FeatureReport
from detectors.statistics.measures import measure
from stream.baselining.build import make
from stream.testing.baselines import window

LARGEST = 1.7976931348623157e308
ORDINARY = np.random.default_rng(1).normal(size=400).tolist()
HUGE = (np.random.default_rng(2).uniform(-1, 1, 400) * LARGEST).tolist()
COLUMNS = {
    "ordinary": ORDINARY,
    "huge": HUGE,
    "both largest": [LARGEST, -LARGEST] * 200,
    "one outlier": [*ORDINARY, LARGEST],
    "largest": [LARGEST] * 400,
    "smallest": [5e-324, 0.0] * 200,
    "few": [1e300, 2e300, -1e308] * 130,
}


def judged(before: Sequence[float], after: Sequence[float], statistic: str) -> FeatureReport:
    """The report of a window, made from the text of the training data; NumPy must not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = pa.table({"x": pa.array(map(repr, before), pa.string())})
        base = make(lambda: [table]).baseline
        span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
        counted = window(base.layout, {"x": list(after)})
        judge = Judge("j", Rules(statistic=statistic))
        report = judge.report(span, base, counted, EpisodeState())
        judge.advance(EpisodeState(), report, base)
    return report.features[0]


@pytest.mark.parametrize("after", COLUMNS)
@pytest.mark.parametrize("before", COLUMNS)
@pytest.mark.parametrize("statistic", ["psi", "wasserstein"])
def test_no_size_of_numbers_raises_or_warns(before: str, after: str, statistic: str) -> None:
    for rows in (100, 400):
        report = judged(COLUMNS[before], COLUMNS[after][:rows], statistic)
        assert report.n == min(rows, len(COLUMNS[after]))
        if report.mean is not None:
            assert report.min is not None
            assert report.max is not None
            assert report.min <= report.mean <= report.max


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 1e15 + 0.3, -3e-9])
@pytest.mark.parametrize("rows", [60, 100, 300])
def test_a_constant_is_its_own_mean_and_does_not_deviate(constant: float, rows: int) -> None:
    for before in ([0.0, 1.0, 0.3] * 200, ORDINARY, [1e15, 2e15] * 100):
        report = judged(before, [constant] * rows, "psi")
        assert (report.min, report.mean, report.max, report.std) == (constant, *[constant] * 2, 0.0)


def test_the_moments_of_ordinary_numbers_are_exact() -> None:
    base = make(lambda: [pa.table({"x": pa.array(map(repr, ORDINARY), pa.string())})]).baseline
    measures = measure(base, window(base.layout, {"x": ORDINARY[:300]}))
    assert measures.mean[0] == pytest.approx(np.mean(ORDINARY[:300]), rel=1e-12)
    assert measures.std[0] == pytest.approx(np.std(ORDINARY[:300]), rel=1e-12)
