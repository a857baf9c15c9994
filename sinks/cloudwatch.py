"""Sink ``cloudwatch``: the metrics of SageMaker Model Monitor, under the same names, minutes instead of hours after the fact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, ClassVar

import botocore.exceptions
import msgspec

from detectors.report import FeatureReport, Signal, WindowReport
from sinks.aws import call, client
from sinks.base import Delivery, Published, Sink
from sinks.errors import SinkRejected

MOST_DATA = 1_000
MOST_BYTES = 900_000
"""CloudWatch takes 1 MB a call; the request's own words need some of it."""
LARGEST = 2.0**360


class Cloudwatch(Sink, frozen=True, tag="cloudwatch"):
    """Puts the data-quality metrics of the SageMaker contract (section 6) into ``namespace``.

    For each feature ``feature_data_{f}`` (numbers: a statistic set), ``feature_non_null_{f}`` (completeness),
    ``feature_baseline_drift_{f}`` (the deciding distance). Dimensions ``Endpoint`` (``endpoint``, else the model's name) and
    ``MonitoringSchedule`` (``schedule``, else the job's name); a variant other than ``AllTraffic`` is added as ``Variant``. One
    datum a window with the window's end as time, revision 0 only; windows without a verdict (no data, learning) put none.

    A repeat after a crash puts a window's data once more: averages, minima and maxima stay right, ``SampleCount`` and ``Sum``
    of that minute count double. At most 1,000 data and 1 MB a call.
    """

    takes: ClassVar = (WindowReport,)
    lossless: ClassVar = False

    namespace: str = "aws/sagemaker/Endpoints/data-metrics"
    endpoint: str = ""
    schedule: str = ""
    region: str = ""
    endpoint_url: str = ""
    resolution_s: int = 60

    def check(self) -> list[str]:
        """Namespace and resolution."""
        faults = [] if self.namespace and not self.namespace.startswith(("AWS/", ":")) else ["namespace: empty, or reserved for AWS"]
        return faults + ([] if self.resolution_s in (1, 60) else ["resolution_s: CloudWatch knows 1 and 60"])

    def open(self, job: str) -> Delivery:
        """The client is made here; nothing is sent."""
        return CloudwatchDelivery(self, job, client("cloudwatch", self.region, self.endpoint_url))


class CloudwatchDelivery:
    """The running half; ``aws`` is a CloudWatch client."""

    def __init__(self, sink: Cloudwatch, job: str, aws: Any) -> None:
        self._sink, self._job, self._aws = sink, job, aws

    def deliver(self, items: Sequence[Published]) -> None:
        """Put the data of all items, in as few calls as the limits allow."""
        for k, item in enumerate(items):
            if isinstance(item, Signal) or item.revision or item.state in ("no data", "learning") or item.end_ms is None:
                continue
            for batch in batches([datum for feature in item.features for datum in self.data(item, feature)]):
                self._put(k, batch)

    def data(self, report: WindowReport, feature: FeatureReport) -> Iterator[dict[str, Any]]:
        """The data of one feature; what is not a finite number CloudWatch can hold is left out."""
        common = self._common(report)
        if feature.sum is not None and feature.min is not None and feature.max is not None:
            finite = feature.n - feature.missing - feature.nan - feature.inf
            values = {"SampleCount": float(finite), "Sum": feature.sum, "Minimum": feature.min, "Maximum": feature.max}
            if finite > 0 and all(map(_fits, values.values())):
                yield {**common, "MetricName": f"feature_data_{feature.name}", "StatisticValues": values}
        singles = {"feature_non_null": feature.completeness, "feature_baseline_drift": feature.value}
        for name, value in singles.items():
            if value is not None and _fits(value):
                yield {**common, "MetricName": f"{name}_{feature.name}", "Value": value}

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Nothing to rebuild: CloudWatch keeps its own history."""

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()

    def _common(self, report: WindowReport) -> dict[str, Any]:
        names = {"Endpoint": self._sink.endpoint or report.model, "MonitoringSchedule": self._sink.schedule or self._job}
        if report.variant != "AllTraffic":
            names["Variant"] = report.variant
        return {
            "Timestamp": datetime.fromtimestamp((report.end_ms or 0) / 1000, UTC),
            "Dimensions": [{"Name": name, "Value": value} for name, value in names.items()],
            "StorageResolution": self._sink.resolution_s,
        }

    def _put(self, index: int, batch: list[dict[str, Any]]) -> None:
        try:
            call(self._aws.put_metric_data, "ResponseMetadata", {"Namespace": self._sink.namespace, "MetricData": batch})
        except botocore.exceptions.ClientError as error:
            raise SinkRejected(index, str(error)) from error


def batches(data: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Data in calls of at most 1,000 and about 1 MB."""
    batch: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        length = 2 * len(msgspec.json.encode(datum)) + 200
        if batch and (len(batch) == MOST_DATA or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(datum)
        size += length
    if batch:
        yield batch


def _fits(value: float) -> bool:
    return isfinite(value) and abs(value) <= LARGEST and (value == 0 or abs(value) >= 1 / LARGEST)
