"""Sink ``cloudwatch``: the metrics of SageMaker Model Monitor, under the same names, minutes
instead of hours after the fact.
"""

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
MOST_DATA = 1_000
MOST_BYTES = 900_000
"""CloudWatch takes 1 MB a call; the request's own words need some of it."""
LARGEST = 2.0**360
LONGEST_NAME = 255


class Cloudwatch(Sink, frozen=True, tag="cloudwatch"):
    """Puts the data-quality metrics of SageMaker Model Monitor, by their names there, into
    ``namespace``.

    For each feature ``feature_data_{f}`` (numbers: a statistic set), ``feature_non_null_{f}``
    (completeness), ``feature_baseline_drift_{f}`` (the deciding distance). Dimensions ``Endpoint``
    (``endpoint``, else the model's name) and ``MonitoringSchedule`` (``schedule``, else the job's
    name); a variant other than ``AllTraffic`` is added as ``Variant``. One datum a window with the
    window's end as time, revision 0 only; windows without a verdict (no data, learning) put none.

    A repeat after a crash puts a window's data once more: averages, minima and maxima stay right,
    ``SampleCount`` and ``Sum`` of that minute count double. A retry goes on behind the last call
    that was answered. At most 1,000 data and 1 MB a call. CloudWatch itself rejects windows that
    ended more than two weeks ago or lie more than two hours ahead. Needs
    ``cloudwatch:PutMetricData`` for the namespace and nothing more.
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
        """The client is made here; nothing is sent."""
        return CloudwatchDelivery(self, job, client("cloudwatch", self.region, self.endpoint_url))


class CloudwatchDelivery:
    """The running half; ``aws`` is a CloudWatch client."""

    def __init__(self, sink: Cloudwatch, job: str, aws: Any) -> None:
        self._sink, self._job, self._aws = sink, job, aws
        self._answered = ("", 0)
        """The window put last, and how many of its calls were answered."""
        self.left_out = 0
        """Metrics of windows that were put which CloudWatch cannot hold."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Put the data of all items: a window at a time, each in as few calls as the limits allow."""
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
        """The data of a window, and how many were left out with a line in the log because
        CloudWatch cannot hold them: a number that is not finite or beyond 2**360, a name of more
        than 255 characters.
        """
        common = self._common(report)
        every = [
            {**common, **metric} for feature in report.features for metric in metrics_of(feature)
        ]
        kept = [datum for datum in every if _can_be_held(datum)]
        if len(kept) < len(every):
            log.warning(
                "metrics left out",
                sink="cloudwatch",
                report=report.id,
                count=len(every) - len(kept),
            )
        return kept, len(every) - len(kept)

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Nothing to rebuild: CloudWatch keeps its own history."""

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
    """Names and values of one feature. The samples of a statistic set are the cells that held a
    finite number.
    """
    written = feature.types.get("integral", 0.0) + feature.types.get("fractional", 0.0)
    numbers = round((feature.n - feature.missing) * written)
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
    """Data in calls of at most 1,000 and less than 1 MB, in whichever protocol the client writes
    them.
    """
    batch: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        length = 2 * len(json.dumps(datum, default=str)) + 200
        if batch and (len(batch) == MOST_DATA or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
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
