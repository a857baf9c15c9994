"""Sink ``cloudwatch_quality``: model quality once per schedule, as by SageMaker Model Monitor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from detectors.quality.counts import QualityCounts
from detectors.quality.merged import metrics_together
from detectors.quality_report import QualityReport
from sinks.aws.client import client, url_faults
from sinks.aws.metric_data import Puts, log_left_out
from sinks.aws.metric_names import dimension_faults, namespace_faults
from sinks.aws.metric_place import MetricPlace, schedule_faults
from sinks.aws.repeats import Repeats
from sinks.base import ConfiguredNames, Delivery, Published, Sink

_OF_PREDICTIONS: Final = ("accuracy", "precision", "recall", "f0_5", "f1", "f2")
_CONSTANT: Final = "_best_constant_classifier"
_OF_CLASSES: Final = ("accuracy", *(f"weighted_{name}" for name in _OF_PREDICTIONS[1:]))
METRICS: Final = {
    "binary": (
        "auc",
        *_OF_PREDICTIONS,
        "true_positive_rate",
        "true_negative_rate",
        "false_positive_rate",
        "false_negative_rate",
        *(name + _CONSTANT for name in _OF_PREDICTIONS),
    ),
    "multiclass": (*_OF_CLASSES, *(name + _CONSTANT for name in _OF_CLASSES)),
    "regression": ("mae", "mse", "rmse", "r2"),
}
"""The metrics of SageMaker Model Monitor by problem."""
AWAITING: Final = "awaiting labels"
LATEST_MS: Final = 24 * 3_600_000
"""How much longer than ``after`` labels that do not come are waited for, in time of predictions.
It bounds what stays in the outbox.
"""


class CloudwatchQuality(Sink, frozen=True, tag="cloudwatch_quality"):
    """Puts the quality of each model into ``namespace`` once per ``schedule``.

    The windows that ended within one hour (``schedule``, aligned to UTC) are merged: their counts
    are added, and each metric is that of all their rows together. It is put as one datum an hour,
    timed at the end of the hour plus ``after``: when the labels are read up to that time, as a run
    of SageMaker Model Monitor with that offset has seen them. So its alarms, of any statistic with
    a period up to an hour, see the value that they saw. Metrics have SageMaker's names; others, and
    metrics that are undefined, are left out. Windows that are not judged by then are left out, too;
    an hour without a judged window has no datum, as after a run without ground truth. Of windows
    that overlap, the newest is taken and those that it overlaps are left out.

    Dimensions ``Endpoint`` (``endpoint``, else the model's name) and ``MonitoringSchedule``
    (``schedule_name``, else the job's name); a variant other than ``AllTraffic`` is added as
    ``Variant``. In a namespace of batch transform jobs (``aws/sagemaker/ModelMonitoring/...``)
    there is no dimension ``Endpoint``. Names are replaced as by the sink ``cloudwatch``.

    A report moves the time, so an hour is put with the first report after its moment. If labels are
    silent, the hour is put 24 hours of event time later with what is judged. Reports of an hour
    stay in the outbox until the hour is put: a restart neither loses nor repeats it. After a
    crash between the call and the next commit, the first hours are looked up in CloudWatch, and a
    repeat is left out: with the permission ``cloudwatch:GetMetricStatistics``, and unless the crash
    was less than about two minutes ago, when CloudWatch may not show the data yet. A repeat that is
    put leaves averages, minima and maxima correct, ``SampleCount`` and ``Sum`` of that minute
    double. Needs the permission ``cloudwatch:PutMetricData`` for the namespace.
    """

    takes: ClassVar = (QualityReport,)

    namespace: str = "aws/sagemaker/Endpoints/model-metrics"
    """The namespace: by default that of SageMaker Model Monitor for model quality."""
    endpoint: str = ""
    """The dimension ``Endpoint``; empty: the model's name."""
    schedule_name: str = ""
    """The dimension ``MonitoringSchedule``; empty: the job's name."""
    schedule: Duration = "1h"
    """The time between two data of a metric."""
    after: Duration = "1h"
    """How long after its end an hour is put: the time that labels have to come."""
    region: str = ""
    """The AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""

    def check(self) -> list[Fault]:
        """Check the namespace, the dimensions, the schedule and the address."""
        faults = namespace_faults(self.namespace)
        faults += dimension_faults(self.endpoint, self.schedule_name)
        faults += schedule_faults(self.schedule)
        return faults + url_faults(self.endpoint_url)

    @property
    def place(self) -> MetricPlace:
        """The namespace and the dimensions of the metrics."""
        return MetricPlace(
            self.namespace, self.endpoint, self.schedule_name, self.region, self.endpoint_url
        )

    def replaced_names(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return the names that CloudWatch does not accept, and the names that stand for them."""
        pairs = self.place.replaced(names)
        return [(name, stands_for) for name, stands_for in pairs if name != stands_for]

    def destinations(self) -> list[str]:
        """Return the metrics' place: two sinks would add up their data."""
        return [self.place.destination()]

    def open(self, job: str) -> Delivery:
        """Create the client; nothing is sent."""
        aws = client("cloudwatch", self.region, self.endpoint_url)
        return CloudwatchQualityDelivery(self, job, aws)


class _Hour(msgspec.Struct):
    """The windows that ended within one period of the schedule, up to ``end_ms``.

    ``first`` is the id of the first report on any of them; ``reports`` has the newest report on
    each window of a model and variant, by its end.
    """

    end_ms: int
    first: str
    reports: dict[tuple[str, str], dict[int, QualityReport]] = {}


class CloudwatchQualityDelivery(Delivery):
    """The running half; ``aws`` is a CloudWatch client.

    Hours begin in order: the first report on a window opens its hour if that is later than all
    hours before. What is delivered again after a restart begins with the report that opened the
    oldest hour that was not put. So everything on an hour that no such report opened belongs to one
    that was put, or came too late, and is left out.
    """

    def __init__(self, sink: CloudwatchQuality, job: str, aws: Any) -> None:
        self._sink = sink
        self._job = job
        self._aws = aws
        self._repeats = Repeats("cloudwatch_quality", sink.namespace)
        self._schedule_ms = duration_ms(sink.schedule)
        self._after_ms = duration_ms(sink.after)
        self._hours: dict[int, _Hour] = {}
        self._pending: deque[tuple[_Hour, Puts]] = deque()
        """Hours whose moment has come, with their data that have no answer yet."""
        self._first: set[str] = set()
        """The reports that opened the hours that have not been put."""
        self._opened_ms = self._closed_ms = -1
        self._labels_ms = self._labels_before_ms = -1
        """The time of labels in the last report, and the one before it that was earlier."""
        self.left_out = 0
        """Metrics of hours that CloudWatch does not accept."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Take reports, and put the hours whose moment comes with them.

        All reports are taken, so that they do not fill the queue while CloudWatch cannot be
        reached: then only the last one is to be delivered again.
        """
        for item in items:
            if isinstance(item, QualityReport):
                self._take(item)
                self._end_hours()
        while self._pending:
            hour, puts = self._pending[0]
            self._repeats.leave_out(self._aws, puts, len(items) - 1)
            puts.put(self._aws, self._sink.namespace, len(items) - 1)
            self._settle(puts)
            self._pending.popleft()
            self._first.discard(hour.first)

    def needs(self, item: Published) -> bool:
        """Return whether an hour that has not been put begins with this report."""
        return item.id in self._first

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()

    def _hour_of(self, report: QualityReport) -> int:
        return -(-report.end_ms // self._schedule_ms) * self._schedule_ms

    def _take(self, report: QualityReport) -> None:
        """Keep the newest report on each window, from its first report on."""
        self._closed_ms = max(self._closed_ms, report.end_ms)
        if report.labels_until_ms is not None and report.labels_until_ms > self._labels_ms:
            self._labels_before_ms, self._labels_ms = self._labels_ms, report.labels_until_ms
        end_ms = self._hour_of(report)
        if report.revision == 0 and end_ms > self._opened_ms:
            self._opened_ms = end_ms
            self._hours[end_ms] = _Hour(end_ms, report.id)
            self._first.add(report.id)
        hour = self._hours.get(end_ms)
        if hour is None:
            return
        of_key = hour.reports.setdefault((report.model, report.variant), {})
        known = of_key.get(report.end_ms)
        if report.revision == 0 or (known is not None and report.revision > known.revision):
            of_key[report.end_ms] = report

    def _is_due(self, end_ms: int) -> bool:
        """Return whether all reports with the labels up to the moment of an hour were taken.

        All reports of one step have the same time of labels. So they were taken once a report has
        a later one.
        """
        due_ms = end_ms + self._after_ms
        known_ms = min(self._closed_ms, self._labels_before_ms)
        return known_ms >= due_ms or self._closed_ms >= due_ms + LATEST_MS

    def _end_hours(self) -> None:
        """Merge the hours whose moment has come: their data are final, whenever they are put."""
        for end_ms in sorted(self._hours):
            if self._is_due(end_ms):
                hour = self._hours.pop(end_ms)
                name = datetime.fromtimestamp(end_ms / 1000, UTC).isoformat()
                self._pending.append((hour, Puts.of(name, list(self._data(hour)))))

    def _settle(self, puts: Puts) -> None:
        """Count what CloudWatch does not accept of an answered hour."""
        self.left_out += puts.left_out
        log_left_out("cloudwatch_quality", puts)

    def _data(self, hour: _Hour) -> Iterator[dict[str, Any]]:
        time = datetime.fromtimestamp((hour.end_ms + self._after_ms) / 1000, UTC)
        for (model, variant), reports in sorted(hour.reports.items()):
            common = {
                "Timestamp": time,
                "Dimensions": self._sink.place.dimensions(model, variant, self._job),
            }
            for name, value in merged(judged_apart(reports.values())).items():
                yield {**common, "MetricName": name, "Value": value}


def judged_apart(reports: Iterable[QualityReport]) -> list[QualityReport]:
    """Return the judged windows that do not overlap, newest first.

    Of windows that overlap, the newest is returned.
    """
    apart: list[QualityReport] = []
    for report in sorted(reports, key=lambda report: -report.end_ms):
        if report.state != AWAITING and (not apart or report.end_ms <= apart[-1].start_ms):
            apart.append(report)
    return apart


def merged(reports: Sequence[QualityReport]) -> dict[str, float]:
    """Return the metrics of SageMaker Model Monitor of all rows of some windows, where defined.

    If the problem of the model changed, the windows with that of the newest count.
    """
    counted = [report for report in reports if report.counts]
    if not counted:
        return {}
    problem = counted[0].problem
    parts = [QualityCounts.decode(report.counts) for report in counted if report.problem == problem]
    metrics = metrics_together(problem, parts)
    return {name: metrics[name] for name in METRICS[problem] if name in metrics}
