"""Sink ``cloudwatch``: data-quality metrics of each window, named as by SageMaker Model Monitor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import structlog

from detectors.faults import Fault
from detectors.report import FeatureReport, WindowReport
from sinks.aws.client import client, url_faults
from sinks.aws.metric_data import Puts
from sinks.aws.metric_names import (
    LONGEST_VALUE,
    accepted,
    dimension_faults,
    dimensions,
    metric_name,
    namespace_faults,
)
from sinks.base import ConfiguredNames, Delivery, Published, Sink
from sinks.errors import SinkRejected

log = structlog.get_logger("driftline.sink")
DATA: Final = "feature_data_"
NON_NULL: Final = "feature_non_null_"
DRIFT: Final = "feature_baseline_drift_"
MODEL_MONITOR: Final = re.compile(r"/?aws/sagemaker(/|$)", re.IGNORECASE)
"""The namespaces of SageMaker Model Monitor, as its jobs and its documentation write them."""


class Cloudwatch(Sink, frozen=True, tag="cloudwatch"):
    """Puts the data-quality metrics of each window into ``namespace``.

    For each feature ``feature_data_{f}`` (numbers: a statistic set), ``feature_non_null_{f}``
    (completeness), ``feature_baseline_drift_{f}`` (the deciding distance). Dimensions ``Endpoint``
    (``endpoint``, else the model's name) and ``MonitoringSchedule`` (``schedule``, else the job's
    name); a variant other than ``AllTraffic`` is added as ``Variant``. Each metric gets one datum
    per window, timed at the window's end, for revision 0 only; windows without a verdict (no data,
    learning) have none, nor have features whose ``emit_metrics`` is ``Disabled`` in
    ``constraints.json``. The namespaces of SageMaker Model Monitor are refused: it puts one datum
    an hour, so that an alarm on the ``Sum`` of an hour would add up the values of all windows.

    CloudWatch accepts printable ASCII characters, 255 in the name of a metric and 1,024 in the
    value of a dimension. In any other name the unaccepted characters become ``_``, the end is cut
    off, and ``~`` with eight hexadecimal digits is added, which identify the name. A value that
    CloudWatch cannot hold is left out; if it refuses a call, the data are put in ever smaller
    calls, and only those that it refuses by themselves are left out, within a limit of 100
    refused calls a window.

    A repeat after a crash puts a window's data again: averages, minima and maxima stay correct,
    ``SampleCount`` and ``Sum`` of that minute are doubled. A retry resumes after the last call that
    succeeded. A call holds at most 1,000 data and 1 MB. CloudWatch itself rejects windows
    that ended more than two weeks ago or lie more than two hours ahead. Needs the permission
    ``cloudwatch:PutMetricData`` for the namespace and nothing else.
    """

    takes: ClassVar = (WindowReport,)
    lossless: ClassVar = False

    namespace: str = "driftline/data-metrics"
    """The namespace; not one of SageMaker Model Monitor."""
    endpoint: str = ""
    """The dimension ``Endpoint``; empty: the model's name."""
    schedule: str = ""
    """The dimension ``MonitoringSchedule``; empty: the job's name."""
    region: str = ""
    """The AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""
    resolution_s: int = 60
    """The storage resolution in seconds, 1 or 60."""

    def check(self) -> list[Fault]:
        """Check the namespace, the dimensions, the resolution and the address."""
        faults = _namespace_faults(self.namespace)
        faults += dimension_faults(self.endpoint, self.schedule)
        if self.resolution_s not in (1, 60):
            message = f"CloudWatch accepts 1 or 60, found {self.resolution_s}"
            faults.append(Fault("resolution_s", message))
        return faults + url_faults(self.endpoint_url)

    def replaced_names(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return the names that CloudWatch does not accept, and the names that stand for them."""
        dimensions = [
            *([] if self.endpoint else names.models),
            *([] if self.schedule else [names.job]),
            *([names.variant] if names.variant else []),
        ]
        features = dict.fromkeys(name for of_model in names.models.values() for name in of_model)
        pairs = [(name, accepted(name, LONGEST_VALUE)) for name in dimensions]
        # The longest prefix leaves the least room for the name of the feature.
        pairs += [(name, metric_name(DRIFT, name).removeprefix(DRIFT)) for name in features]
        return [(name, stands_for) for name, stands_for in pairs if name != stands_for]

    def open(self, job: str) -> Delivery:
        """Create the client; nothing is sent."""
        return CloudwatchDelivery(self, job, client("cloudwatch", self.region, self.endpoint_url))


class CloudwatchDelivery(Delivery):
    """The running half; ``aws`` is a CloudWatch client."""

    def __init__(self, sink: Cloudwatch, job: str, aws: Any) -> None:
        self._sink = sink
        self._job = job
        self._aws = aws
        self._window = Puts("", [])
        """The last window: a retry continues with its calls that have no answer yet."""
        self.left_out = 0
        """Metrics of delivered windows that CloudWatch does not accept."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Put the data of the windows one after another, each in as few calls as possible."""
        for k, item in enumerate(items):
            if isinstance(item, WindowReport) and _has_metrics(item):
                self._put(k, item)

    def _put(self, index: int, report: WindowReport) -> None:
        if self._window.id != report.id:
            self._window = Puts.of(report.id, self.data(report))
        self._window.put(self._aws, self._sink.namespace, index)
        self._settle(index, self._window)

    def _settle(self, index: int, window: Puts) -> None:
        """Count what was left out of an answered window; reject it if all of it was refused."""
        self._window = Puts("", [])
        if window.refused and not window.accepted:
            raise SinkRejected(index, window.reason)
        self.left_out += window.left_out
        if window.left_out:
            log.warning(
                "metrics_left_out",
                sink="cloudwatch",
                report=window.id,
                count=window.left_out,
                reason=window.reason or "values that are not finite or beyond 2**360",
            )

    def data(self, report: WindowReport) -> list[dict[str, Any]]:
        """Return the data of a window, also those that CloudWatch cannot hold."""
        common = self._common(report)
        return [
            {**common, **metric}
            for feature in report.features
            if feature.emitted
            for metric in metrics_of(feature)
        ]

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()

    def _common(self, report: WindowReport) -> dict[str, Any]:
        endpoint = self._sink.endpoint or report.model
        schedule = self._sink.schedule or self._job
        return {
            "Timestamp": datetime.fromtimestamp((report.end_ms or 0) / 1000, UTC),
            "Dimensions": dimensions(endpoint, schedule, report.variant),
            "StorageResolution": self._sink.resolution_s,
        }


def metrics_of(feature: FeatureReport) -> Iterator[dict[str, Any]]:
    """Yield the metrics of one feature.

    The samples of its statistic set are the values that are finite numbers.
    """
    numeric_share = feature.types.get("integral", 0.0) + feature.types.get("fractional", 0.0)
    numbers = round((feature.n - feature.missing) * numeric_share)
    if numbers and feature.sum is not None and feature.min is not None and feature.max is not None:
        values = {
            "SampleCount": float(numbers),
            "Sum": feature.sum,
            "Minimum": feature.min,
            "Maximum": feature.max,
        }
        yield {"MetricName": metric_name(DATA, feature.name), "StatisticValues": values}
    for prefix, value in ((NON_NULL, feature.completeness), (DRIFT, feature.value)):
        if value is not None:
            yield {"MetricName": metric_name(prefix, feature.name), "Value": value}


def _has_metrics(report: WindowReport) -> bool:
    return (
        not report.revision
        and report.end_ms is not None
        and report.state not in ("no data", "learning")
    )


def _namespace_faults(namespace: str) -> list[Fault]:
    if MODEL_MONITOR.match(namespace):
        reason = "SageMaker Model Monitor puts the same metrics there, once an hour, and its alarms"
        advice = "on Sum would add up all windows of an hour: remove the key, or name another one"
        return [Fault("namespace", f"{namespace!r}: {reason} {advice}")]
    return namespace_faults(namespace)
