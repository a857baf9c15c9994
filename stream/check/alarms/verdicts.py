"""What becomes of an alarm on a metric of SageMaker Model Monitor, or of driftline. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from detectors.statistics.catalogue import DISTANCES
from sinks.aws.feature_choice import WorstFeatures
from sinks.aws.feature_metrics import DRIFT, NON_NULL
from sinks.aws.monitor_namespaces import is_model_monitor, kind_of
from stream.check.alarms.listing import AlarmedMetric
from stream.check.alarms.puts import DATA_QUALITY, MODEL_QUALITY, PutMetric, SinkPuts
from stream.check.findings import format_duration
from stream.config.renamed_keys import duration_text

ENDPOINT: Final = ("Endpoint", "EndpointName")
SCHEDULE: Final = ("MonitoringSchedule", "ScheduleName")
"""The names of the dimensions: that of the metrics, and that of the documentation."""
UNDEFINED: Final = frozenset({"precision", "f0_5", "f1", "f2"})
"""Metrics that are not defined without positive predictions: Model Monitor puts 0."""
SINK_TYPES: Final = {
    DATA_QUALITY: "cloudwatch, layout: sagemaker",
    MODEL_QUALITY: "cloudwatch_quality",
}


class AlarmChange(NamedTuple):
    """What changes for an alarm, and what to do about it."""

    message: str
    advice: str


Judged = Iterator[AlarmChange]


def concerns(metric: AlarmedMetric, puts: Sequence[SinkPuts]) -> bool:
    """Return whether an alarm watches Model Monitor's namespaces, or those of the sinks."""
    return is_model_monitor(metric.namespace) or any(
        metric.namespace == each.namespace for each in puts
    )


def is_about(metric: AlarmedMetric, puts: Sequence[SinkPuts]) -> bool:
    """Return whether an alarm names an endpoint or a schedule of these sinks, or neither."""
    endpoint, schedule = _named(metric, ENDPOINT), _named(metric, SCHEDULE)
    if not endpoint and not schedule:
        return True
    return any(endpoint in each.metrics or schedule == each.schedule_name for each in puts)


def changes(metric: AlarmedMetric, puts: Sequence[SinkPuts], statistic: str) -> list[AlarmChange]:
    """Return what changes for an alarm that :func:`is_about` these sinks; empty: nothing.

    ``statistic`` is the deciding one of windows.
    """
    for each in puts:
        for endpoint, metrics in each.metrics.items():
            if _is_read(metric, each, endpoint):
                return list(_of_metric(metric, each, metrics))
    return [_without_data(metric, puts, statistic)]


def _is_read(metric: AlarmedMetric, puts: SinkPuts, endpoint: str) -> bool:
    return metric.namespace == puts.namespace and dict(metric.dimensions) == puts.dimensions(
        endpoint
    )


def _without_data(metric: AlarmedMetric, puts: Sequence[SinkPuts], statistic: str) -> AlarmChange:
    """Return why no sink puts data where an alarm reads."""
    here = [each for each in puts if each.namespace == metric.namespace]
    if here:
        return _other_dimensions(metric, here[0])
    kind = kind_of(metric.namespace)
    alike = [each for each in puts if each.kind == kind and is_model_monitor(each.namespace)]
    if alike:
        put = alike[0]
        message = f"reads {metric.namespace!r}; {put.where} puts into {put.namespace!r}"
        advice = f"Set namespace: {metric.namespace} in {put.where} if the alarm has had data"
        return AlarmChange(message, f"{advice}; else correct the namespace of the alarm")
    return _without_sink(metric, kind, statistic)


def _without_sink(metric: AlarmedMetric, kind: str, statistic: str) -> AlarmChange:
    sink = SINK_TYPES.get(kind)
    if sink is None:
        message = f"reads {metric.namespace!r}, into which driftline puts nothing"
        return AlarmChange(message, "Keep the monitor that puts it, or delete the alarm")
    keys = [f"type: {sink}"]
    for key, name in (("endpoint", ENDPOINT), ("schedule_name", SCHEDULE)):
        if value := _named(metric, name):
            keys.append(f"{key}: {value}")
    advice = f"Add the sink {{{', '.join(keys)}}}"
    if kind == DATA_QUALITY and metric.name.startswith(DRIFT) and metric.threshold is not None:
        own = DISTANCES[statistic].equivalent(min(max(metric.threshold, 0.0), 1.0))
        advice += (
            f"; or move the alarm to driftline/data-metrics, with Maximum or Average, and a"
            f" threshold of {own:.2g} ({statistic}) in place of {metric.threshold:g}"
        )
    return AlarmChange(f"gets no data: no sink puts into {metric.namespace!r}", advice)


def _other_dimensions(metric: AlarmedMetric, put: SinkPuts) -> AlarmChange:
    """Say how the dimensions of an alarm differ from those of the metrics."""
    found = ", ".join(f"{name}={value}" for name, value in metric.dimensions.items()) or "none"
    endpoint = _named(metric, ENDPOINT)
    wanted = put.dimensions(endpoint if endpoint in put.metrics else next(iter(put.metrics), ""))
    expected = ", ".join(f"{name}={value}" for name, value in wanted.items())
    message = f"gets no data: its dimensions are {found}; {put.where} puts {expected}"
    if metric.dimensions.keys() != wanted.keys():
        return AlarmChange(
            message, "Correct the dimensions of the alarm: all of them must be the same"
        )
    keys = [
        f"{key}: {metric.dimensions[name]}"
        for key, name in (("endpoint", "Endpoint"), ("schedule_name", "MonitoringSchedule"))
        if name in wanted and metric.dimensions[name] != wanted[name]
    ]
    return AlarmChange(message, f"Set {', '.join(keys)} in {put.where}, or correct the alarm")


def _of_metric(metric: AlarmedMetric, put: SinkPuts, metrics: Mapping[str, PutMetric]) -> Judged:
    """Yield what changes for an alarm on data that a sink puts."""
    known = metrics.get(metric.name)
    if known is None or not known.exists:
        what = "no model has" if known is None else "a text has no"
        yield AlarmChange(f"gets no data: {what} {metric.name}", "Correct the alarm, or delete it")
    elif not known.emitted:
        advice = "Set emit_metrics: Enabled in constraints.json"
        yield AlarmChange(f"gets no data: emit_metrics of {known.feature} is Disabled", advice)
    elif not known.chosen:
        advice = f"Add {known.feature} to features of {put.where}"
        yield AlarmChange(f"gets no data: features of {put.where} leaves it out", advice)
    else:
        for rule in (_sums, _gaps, _worst, _undefined):
            yield from rule(metric, put)


def _sums(metric: AlarmedMetric, put: SinkPuts) -> Judged:
    """Sum over a period that holds several data."""
    count = metric.period_s * 1_000 // put.every_ms
    if metric.statistic != "Sum" or count < 2:
        return
    every, period = format_duration(put.every_ms), format_duration(metric.period_s * 1_000)
    message = f"Sum adds up {count:,} data, one each {every}, in its period of {period}"
    if put.by_schedule:
        length = duration_text(metric.period_s * 1_000)
        advice = f"Set schedule: {length} in {put.where} if its schedule was that"
        yield AlarmChange(message, f"{advice}; else use Average or Maximum")
    else:
        healthy = 1.0 if metric.name.startswith(NON_NULL) else 0.002
        advice = "Use Average or Maximum, or a sink with layout: sagemaker"
        yield AlarmChange(f"{message}: a constant {healthy:g} reads {healthy * count:.3g}", advice)


def _gaps(metric: AlarmedMetric, put: SinkPuts) -> Judged:
    """Periods without a datum between windows; between schedules Model Monitor has them, too."""
    if put.by_schedule or metric.period_s * 1_000 >= put.every_ms:
        return
    every, period = format_duration(put.every_ms), format_duration(metric.period_s * 1_000)
    message = f"its period of {period} is shorter than the {every} between two data"
    missing = f"missing data are {metric.missing!r}"
    yield AlarmChange(f"{message}, and {missing}", f"Use a period of at least {every}")


def _worst(metric: AlarmedMetric, put: SinkPuts) -> Judged:
    """A feature that has data only while it is among the worst."""
    if not isinstance(put.features, WorstFeatures):
        return
    message = f"has data only while its feature is one of the {put.features.worst} worst"
    if metric.missing == "breaching":
        advice = "Treat missing data as notBreaching, or name its feature in features"
        yield AlarmChange(f"{message}, and missing data are breaching: it fires in between", advice)
    elif metric.name.startswith(NON_NULL):
        advice = "Name its feature in features: a distance says nothing about missing values"
        yield AlarmChange(message, advice)


def _undefined(metric: AlarmedMetric, put: SinkPuts) -> Judged:
    """A metric of quality that has no datum where Model Monitor puts 0."""
    below = metric.operator.startswith("LessThan") and metric.missing != "breaching"
    if put.kind == MODEL_QUALITY and metric.name in UNDEFINED and below:
        message = "an hour without positive predictions has no datum; Model Monitor puts 0"
        yield AlarmChange(message, "Treat missing data as breaching if such an hour should alarm")


def _named(metric: AlarmedMetric, names: Sequence[str]) -> str:
    return next((metric.dimensions[name] for name in names if name in metric.dimensions), "")
