"""Sink ``cloudwatch``: the metrics of SageMaker Model Monitor, under the same names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, ClassVar

import structlog

from detectors.faults import Fault
from detectors.report import FeatureReport, WindowReport
from sinks.aws.client import call, client, url_faults
from sinks.base import Delivery, Published, Sink

log = structlog.get_logger("driftline.sink")
MAX_DATA = 1_000
MAX_BYTES = 900_000
"""CloudWatch accepts 1 MB a call, which includes the other parameters of the request."""
LARGEST = 2.0**360
LONGEST_NAME = 255


class Cloudwatch(Sink, frozen=True, tag="cloudwatch"):
    """Puts the data-quality metrics of SageMaker Model Monitor into ``namespace``.

    For each feature ``feature_data_{f}`` (numbers: a statistic set), ``feature_non_null_{f}``
    (completeness), ``feature_baseline_drift_{f}`` (the deciding distance). Dimensions ``Endpoint``
    (``endpoint``, else the model's name) and ``MonitoringSchedule`` (``schedule``, else the job's
    name); a variant other than ``AllTraffic`` is added as ``Variant``. Each metric gets one datum
    per window, timed at the window's end, for revision 0 only; windows without a verdict (no data,
    learning) have none.

    A repeat after a crash puts a window's data again: averages, minima and maxima stay correct,
    ``SampleCount`` and ``Sum`` of that minute are doubled. A retry resumes after the last call that
    succeeded. A call holds at most 1,000 data and 1 MB. CloudWatch itself rejects windows
    that ended more than two weeks ago or lie more than two hours ahead. Needs the permission
    ``cloudwatch:PutMetricData`` for the namespace and nothing else.
    """

    takes: ClassVar = (WindowReport,)
    lossless: ClassVar = False

    namespace: str = "aws/sagemaker/Endpoints/data-metrics"
    """The namespace; the default is that of SageMaker Model Monitor."""
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
        """Check the namespace, the resolution and the address."""
        faults = []
        if not self.namespace:
            faults.append(Fault("namespace", "a name is required"))
        if self.namespace.startswith(("AWS/", ":")):
            faults.append(Fault("namespace", f"{self.namespace!r} is reserved for AWS"))
        if self.resolution_s not in (1, 60):
            message = f"CloudWatch accepts 1 or 60, found {self.resolution_s}"
            faults.append(Fault("resolution_s", message))
        return faults + url_faults(self.endpoint_url)

    def open(self, job: str) -> Delivery:
        """Create the client; nothing is sent."""
        return CloudwatchDelivery(self, job, client("cloudwatch", self.region, self.endpoint_url))


class CloudwatchDelivery(Delivery):
    """The running half; ``aws`` is a CloudWatch client."""

    def __init__(self, sink: Cloudwatch, job: str, aws: Any) -> None:
        self._sink = sink
        self._job = job
        self._aws = aws
        self._answered = ("", 0)
        """The last window, and the number of its calls that succeeded."""
        self.left_out = 0
        """Metrics of delivered windows that CloudWatch cannot hold."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Put the data of the windows one after another, each in as few calls as possible."""
        for k, item in enumerate(items):
            if isinstance(item, WindowReport) and _has_metrics(item):
                self._put(k, item)

    def _put(self, index: int, report: WindowReport) -> None:
        data, left_out = self.data(report)
        calls = list(batches(data))
        window, answered = self._answered
        for number in range(answered if window == report.id else 0, len(calls)):
            arguments = {"Namespace": self._sink.namespace, "MetricData": calls[number]}
            call(self._aws.put_metric_data, "ResponseMetadata", index, arguments)
            self._answered = (report.id, number + 1)
        self.left_out += left_out

    def data(self, report: WindowReport) -> tuple[list[dict[str, Any]], int]:
        """Return the data of a window, and the number of metrics that were left out.

        CloudWatch cannot hold a value that is not finite or is beyond 2**360, or a name of more
        than 255 characters. Such metrics are left out, and logged.
        """
        common = self._common(report)
        metrics = [
            {**common, **metric} for feature in report.features for metric in metrics_of(feature)
        ]
        data = [datum for datum in metrics if _can_be_held(datum)]
        left_out = len(metrics) - len(data)
        if left_out:
            log.warning("metrics_left_out", sink="cloudwatch", report=report.id, count=left_out)
        return data, left_out

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()

    def _common(self, report: WindowReport) -> dict[str, Any]:
        names = {
            "Endpoint": self._sink.endpoint or report.model,
            "MonitoringSchedule": self._sink.schedule or self._job,
        }
        if report.variant != "AllTraffic":
            names["Variant"] = report.variant
        return {
            "Timestamp": datetime.fromtimestamp((report.end_ms or 0) / 1000, UTC),
            "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
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
        yield {"MetricName": f"feature_data_{feature.name}", "StatisticValues": values}
    for name, value in (
        ("feature_non_null", feature.completeness),
        ("feature_baseline_drift", feature.value),
    ):
        if value is not None:
            yield {"MetricName": f"{name}_{feature.name}", "Value": value}


def batches(data: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split data into calls of at most 1,000 data and less than 1 MB, in any protocol of AWS."""
    batch: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        length = 2 * len(json.dumps(datum, default=str)) + 200
        if batch and (len(batch) == MAX_DATA or size + length > MAX_BYTES):
            yield batch
            batch = []
            size = 0
        batch.append(datum)
        size += length
    if batch:
        yield batch


def _has_metrics(report: WindowReport) -> bool:
    return (
        not report.revision
        and report.end_ms is not None
        and report.state not in ("no data", "learning")
    )


def _can_be_held(datum: dict[str, Any]) -> bool:
    values = datum["StatisticValues"].values() if "StatisticValues" in datum else [datum["Value"]]
    return len(datum["MetricName"]) <= LONGEST_NAME and all(map(_fits, values))


def _fits(value: float) -> bool:
    return isfinite(value) and abs(value) <= LARGEST and (value == 0 or abs(value) >= 1 / LARGEST)
