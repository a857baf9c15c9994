"""What is found about existing alarms, each of which is written down with its expected change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sinks.aws.monitor_namespaces import BATCH_DATA, ENDPOINT_DATA
from stream.check.alarms.findings import alarm_findings, judged
from stream.check.alarms.listing import AlarmedMetric, metrics_of_alarm
from stream.check.alarms.puts import SinkPuts, puts_of
from stream.check.findings import Finding
from stream.config.load import parse
from tests.support.jobs import config, learn_from

OURS = {"Endpoint": "churn", "MonitoringSchedule": "churn-hourly"}
NAMES = {"endpoint": "churn", "schedule_name": "churn-hourly"}
SAGEMAKER = {"type": "cloudwatch", "layout": "sagemaker", **NAMES}
WINDOWS = {"type": "cloudwatch", **NAMES}


def put_by(folder: Path, *sinks: dict[str, Any], **changes: Any) -> list[SinkPuts]:
    """What sinks put for a model with the number ``area``, the text ``city``, and ``price``."""
    return [puts for _, puts in puts_of(parsed(folder, *sinks, **changes))]


def parsed(folder: Path, *sinks: dict[str, Any], **changes: Any) -> Any:
    cells = {
        "area": [str(k) for k in range(300)],
        "city": ["a", "b"] * 150,
        "price": [str(k % 7) for k in range(300)],
    }
    model = {"baseline": str(learn_from(cells, ("price",), folder))}
    return parse(config("", models={"m": model}, sinks=list(sinks), **changes), folder)


def alarm(name: str = "feature_baseline_drift_area", **changes: Any) -> AlarmedMetric:
    """An alarm as Model Monitor's demo creates it."""
    demo: dict[str, Any] = {
        "alarm": "drift",
        "namespace": ENDPOINT_DATA,
        "name": name,
        "dimensions": OURS,
        "statistic": "Sum",
        "period_s": 600,
        "missing": "breaching",
        "threshold": 0.1,
        "operator": "GreaterThanThreshold",
    }
    return AlarmedMetric(**{**demo, **changes})


def found(puts: list[SinkPuts], *alarms: AlarmedMetric) -> list[Finding]:
    return list(judged(alarms, puts, "psi"))


def warned(puts: list[SinkPuts], *alarms: AlarmedMetric) -> list[Finding]:
    return [finding for finding in found(puts, *alarms) if finding.level == "warning"]


@pytest.mark.parametrize("period_s", [60, 600, 3_600])
@pytest.mark.parametrize("statistic", ["Sum", "Average", "Maximum", "Minimum", "SampleCount"])
def test_alarms_of_model_monitor_keep_their_meaning(
    tmp_path: Path, period_s: int, statistic: str
) -> None:
    puts = put_by(tmp_path, SAGEMAKER)
    alarms = [
        alarm(name, period_s=period_s, statistic=statistic, alarm=name)
        for name in ("feature_data_area", "feature_non_null_city", "feature_baseline_drift_price")
    ]
    (only,) = found(puts, *alarms)
    assert (only.level, only.message) == (
        "ok",
        "0 alarms change, 3 keep their meaning, of 3 alarms",
    )


def test_an_alarm_of_model_monitor_gets_no_data_from_windows(tmp_path: Path) -> None:
    """A gap of 0.1 between two normal laws is a PSI of 0.063."""
    (change,) = warned(put_by(tmp_path, WINDOWS), alarm())
    assert change.subject == "alarm drift on feature_baseline_drift_area"
    assert change.message == f"gets no data: no sink puts into '{ENDPOINT_DATA}'"
    assert change.advice == (
        "Add the sink {type: cloudwatch, layout: sagemaker, endpoint: churn, schedule_name:"
        " churn-hourly}; or move the alarm to driftline/data-metrics, with Maximum or Average, and"
        " a threshold of 0.063 (psi) in place of 0.1"
    )


def test_a_sum_adds_up_windows(tmp_path: Path) -> None:
    puts = put_by(tmp_path, WINDOWS, window="60s")
    own: dict[str, Any] = {"namespace": "driftline/data-metrics", "period_s": 3_600}
    (change,) = warned(puts, alarm(**own))
    assert change.message == (
        "Sum adds up 60 data, one each 1 min, in its period of 1 h: a constant 0.002 reads 0.12"
    )
    (completeness,) = warned(puts, alarm("feature_non_null_area", **own))
    assert completeness.message.endswith("a constant 1 reads 60")
    assert warned(puts, alarm(**own, statistic="Maximum")) == []
    assert warned(puts, alarm(namespace="driftline/data-metrics", period_s=60)) == []


def test_a_sum_over_several_schedules_adds_up_too(tmp_path: Path) -> None:
    (change,) = warned(put_by(tmp_path, SAGEMAKER), alarm(period_s=86_400))
    assert "adds up 24 data, one each 1 h, in its period of 1 d" in change.message
    assert change.advice.startswith("Set schedule: 1d in sinks[0]")
    daily = put_by(tmp_path, {**SAGEMAKER, "schedule": "24h"})
    assert warned(daily, alarm(period_s=86_400)) == []


def test_a_period_shorter_than_a_window_has_gaps(tmp_path: Path) -> None:
    puts = put_by(tmp_path, WINDOWS, window="10m")
    own: dict[str, Any] = {"namespace": "driftline/data-metrics", "statistic": "Average"}
    (change,) = warned(puts, alarm(**own, period_s=60))
    assert change.message.startswith("its period of 1 min is shorter than the 10 min between")
    assert "'breaching'" in change.message
    assert warned(puts, alarm(**own, period_s=600)) == []


@pytest.mark.parametrize(
    "namespace",
    [
        "/aws/sagemaker/Endpoints/data-metrics",
        "/aws/sagemaker/Endpoints/data-metric",
        "/aws/sagemaker/Endpoint/data-metrics",
        BATCH_DATA,
    ],
)
def test_another_spelling_of_the_namespace_is_told(tmp_path: Path, namespace: str) -> None:
    (change,) = warned(put_by(tmp_path, SAGEMAKER), alarm(namespace=namespace))
    assert change.message == f"reads {namespace!r}; sinks[0] puts into '{ENDPOINT_DATA}'"
    assert f"Set namespace: {namespace} in sinks[0]" in change.advice
    spelled = put_by(tmp_path, {**SAGEMAKER, "namespace": namespace})
    dimensions = {"MonitoringSchedule": "churn-hourly"} if namespace == BATCH_DATA else OURS
    assert warned(spelled, alarm(namespace=namespace, dimensions=dimensions)) == []


@pytest.mark.parametrize(
    ("dimensions", "advice"),
    [
        ({"EndpointName": "churn", "ScheduleName": "churn-hourly"}, "Correct the dimensions"),
        ({"Endpoint": "churn"}, "Correct the dimensions"),
        ({}, "Correct the dimensions"),
        ({**OURS, "Variant": "canary"}, "Correct the dimensions"),
        ({"Endpoint": "churn", "MonitoringSchedule": "old"}, "Set schedule_name: old in sinks[0]"),
        (
            {"Endpoint": "other", "MonitoringSchedule": "churn-hourly"},
            "Set endpoint: other in sinks[0]",
        ),
    ],
)
def test_other_dimensions_are_told_with_the_keys_to_set(
    tmp_path: Path, dimensions: dict[str, str], advice: str
) -> None:
    (change,) = warned(put_by(tmp_path, SAGEMAKER), alarm(dimensions=dimensions))
    assert change.message.endswith("sinks[0] puts Endpoint=churn, MonitoringSchedule=churn-hourly")
    assert change.advice.startswith(advice)


def test_a_variant_of_the_configuration_is_a_dimension(tmp_path: Path) -> None:
    puts = put_by(tmp_path, SAGEMAKER, variant={"from": "const", "name": "canary"})
    assert warned(puts, alarm(dimensions={**OURS, "Variant": "canary"})) == []
    (change,) = warned(puts, alarm())
    assert "MonitoringSchedule=churn-hourly, Variant=canary" in change.message


def test_without_keys_the_dimensions_are_those_of_model_and_job(tmp_path: Path) -> None:
    puts = put_by(tmp_path, {"type": "cloudwatch", "layout": "sagemaker"}, job="hourly")
    named = {"Endpoint": "m", "MonitoringSchedule": "hourly"}
    assert warned(puts, alarm(dimensions=named)) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("feature_baseline_drift_aera", "no model has feature_baseline_drift_aera"),
        ("feature_data_city", "a text has no feature_data_city"),
    ],
)
def test_a_metric_that_no_model_has_is_told(tmp_path: Path, name: str, message: str) -> None:
    (change,) = warned(put_by(tmp_path, SAGEMAKER), alarm(name))
    assert change.message == f"gets no data: {message}"


def test_a_feature_that_is_not_chosen_is_told(tmp_path: Path) -> None:
    puts = put_by(tmp_path, {**SAGEMAKER, "features": ["city"]})
    (change,) = warned(puts, alarm(), alarm("feature_baseline_drift_city"))
    assert change.message == "gets no data: features of sinks[0] leaves it out"
    assert change.advice == "Add area to features of sinks[0]"


def test_the_worst_features_have_data_now_and_then(tmp_path: Path) -> None:
    puts = put_by(tmp_path, {**SAGEMAKER, "features": {"worst": 2}})
    (fires,) = warned(puts, alarm())
    assert fires.message.endswith("missing data are breaching: it fires in between")
    assert warned(puts, alarm(missing="notBreaching")) == []
    (misses,) = warned(puts, alarm("feature_non_null_area", missing="notBreaching"))
    assert "a distance says nothing about missing values" in misses.advice


def test_alarms_on_quality_are_judged_by_their_own_sink(tmp_path: Path) -> None:
    quality = {"namespace": "aws/sagemaker/Endpoints/model-metrics"}
    (change,) = warned(put_by(tmp_path, SAGEMAKER), alarm("f2", **quality))
    assert change.advice == (
        "Add the sink {type: cloudwatch_quality, endpoint: churn, schedule_name: churn-hourly}"
    )
    (bias,) = warned(
        put_by(tmp_path, SAGEMAKER), alarm("x", namespace="aws/sagemaker/Endpoints/bias-metrics")
    )
    assert bias.message.endswith("into which driftline puts nothing")


def test_alarms_on_other_endpoints_are_counted_and_named(tmp_path: Path) -> None:
    other = {"Endpoint": "fraud", "MonitoringSchedule": "fraud-hourly"}
    puts = put_by(tmp_path, SAGEMAKER)
    cpu = alarm("CPUUtilization", namespace="AWS/EC2", alarm="cpu")
    first, second = found(puts, alarm(dimensions=other), cpu)
    assert first.message == "0 alarms change, 0 keep their meaning, of 2 alarms"
    assert second.message.startswith(
        "1 alarm of Model Monitor on other endpoints and schedules: Endpoint=fraud,"
    )


def test_the_metrics_of_an_expression_are_judged(tmp_path: Path) -> None:
    part = {
        "Namespace": "driftline/data-metrics",
        "MetricName": "feature_baseline_drift_area",
        "Dimensions": [{"Name": name, "Value": value} for name, value in OURS.items()],
    }
    listed = {
        "AlarmName": "worst",
        "Metrics": [
            {"Id": "e", "Expression": "MAX([a, 0])"},
            {"Id": "a", "MetricStat": {"Metric": part, "Period": 3_600, "Stat": "Sum"}},
        ],
    }
    (metric,) = metrics_of_alarm(listed)
    assert (metric.threshold, metric.missing) == (None, "missing")
    (change,) = warned(put_by(tmp_path, WINDOWS), metric)
    assert "adds up 60 data" in change.message


def test_a_configuration_without_cloudwatch_is_told_what_to_add(tmp_path: Path) -> None:
    (finding,) = alarm_findings(parsed(tmp_path, {"type": "jsonl", "path": "reports"}))
    assert finding.level == "warning"
    assert "layout: sagemaker" in finding.advice
