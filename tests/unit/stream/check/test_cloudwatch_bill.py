"""The number of metrics that a CloudWatch sink puts, and their monthly cost, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detectors.profiles.baseline import Constraint, Thresholds
from sinks.aws.feature_choice import WorstFeatures
from sinks.cloudwatch import Cloudwatch
from stream.baselining.columns import columns_of
from stream.check.cloudwatch_bill import metric_range, offline_bills
from stream.check.cloudwatch_cost import monthly_cost
from stream.config.load import parse
from stream.testing.baselines import baseline
from tests.support.jobs import config, learn_from

DATA: dict[str, list[Any]] = {
    **{f"n{k}": [1.0, 2.0, 3.0] for k in range(8)},
    **{f"t{k}": ["a", "b", "c"] for k in range(2)},
}
"""Eight numbers and two texts: 8 x 3 and 2 x 2 metrics."""


@pytest.mark.parametrize(
    ("features", "an_hour", "expected"),
    [
        ("all", 1, (28, 28)),
        ("all", 60, (28, 28)),
        (("n0", "t0", "gone"), 60, (5, 5)),
        (WorstFeatures(3), 1, (2 + 2 + 3, 9)),
        (WorstFeatures(3), 2, (7, 6 * 3)),
        (WorstFeatures(3), 60, (7, 28)),
        (WorstFeatures(99), 60, (28, 28)),
    ],
)
def test_metrics_are_counted_by_type_and_choice(
    features: Any, an_hour: int, expected: tuple[int, int]
) -> None:
    base = baseline(DATA)
    sink = Cloudwatch(features=features)
    assert metric_range(sink, columns_of("m", base), base, an_hour) == expected


def test_metrics_that_are_off_cost_nothing() -> None:
    off = {"n0": Constraint(emit_metrics=False)}
    base = baseline(DATA, off)
    assert metric_range(Cloudwatch(), columns_of("m", base), base, 1) == (25, 25)
    none = baseline(DATA, thresholds=Thresholds(emit_metrics=False))
    assert metric_range(Cloudwatch(), columns_of("m", none), none, 1) == (0, 0)


def test_a_metric_is_charged_for_the_hours_in_which_it_has_a_datum() -> None:
    hour_ms = 3_600_000
    assert monthly_cost([28], hour_ms) == pytest.approx(28 * 0.30 + 720 / 1000 * 0.01)
    assert monthly_cost([28], 60_000) == pytest.approx(28 * 0.30 + 43_200 / 1000 * 0.01)
    assert monthly_cost([28], 24 * hour_ms) == pytest.approx(28 * 0.30 / 24 + 30 / 1000 * 0.01)
    assert monthly_cost([1_001, 2], hour_ms) == pytest.approx(1_003 * 0.30 + 3 * 720 / 1000 * 0.01)
    assert monthly_cost([], hour_ms) == 0


def test_check_tells_the_bill_of_each_sink_without_aws(tmp_path: Path) -> None:
    cells = {
        "area": [str(k) for k in range(300)],
        "city": ["a", "b"] * 150,
        "price": [str(k % 7) for k in range(300)],
    }
    model = {"baseline": str(learn_from(cells, ("price",), tmp_path))}
    sinks = [
        {"type": "cloudwatch", "region": "us-east-1"},
        {"type": "cloudwatch", "region": "us-east-1", "layout": "sagemaker", "schedule": "1h"},
        {"type": "cloudwatch", "region": "us-east-1", "features": {"worst": 1}},
        {"type": "jsonl", "path": "reports"},
    ]
    parsed = parse(config("", models={"m": model}, sinks=sinks), tmp_path)
    prices = " (list price of us-east-1; other regions differ)"
    assert [line.removesuffix(prices) for line in offline_bills(parsed)] == [
        "sinks[0]: CloudWatch: 8 metrics per variant: about $2.83 per month",
        "sinks[1]: CloudWatch: 8 metrics per variant: about $2.41 per month",
        (
            "sinks[2]: CloudWatch: 2 to 8 metrics per variant and hour, by how often the worst"
            " features change: $1.03 to $2.83 per month"
        ),
    ]
