"""Sink ``cloudwatch``: data-quality metrics, named as by SageMaker Model Monitor."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from detectors.report import FeatureReport, WindowReport
from detectors.schedule_report import ScheduleReport
from sinks.aws.client import client, url_faults
from sinks.aws.feature_choice import FeatureChoice, chosen, unknown_names
from sinks.aws.feature_metrics import DRIFT, metrics_of
from sinks.aws.metric_data import Puts, log_left_out
from sinks.aws.metric_names import dimension_faults, metric_name, namespace_faults
from sinks.aws.metric_place import MetricPlace, schedule_faults
from sinks.aws.monitor_namespaces import ENDPOINT_DATA, is_model_monitor
from sinks.aws.repeats import Repeats
from sinks.base import ConfiguredNames, Delivery, Published, Sink
from sinks.errors import SinkRejected

OWN_DATA: Final = "driftline/data-metrics"
HOURLY: Final = "1h"
OLDEST_MS: Final = 14 * 86_400_000
"""CloudWatch accepts data of the last two weeks."""


class Cloudwatch(Sink, frozen=True, tag="cloudwatch"):
    """Puts data-quality metrics into CloudWatch: of each window, or once per ``schedule``.

    For each feature ``feature_data_{f}`` (numbers: a statistic set), ``feature_non_null_{f}``
    (completeness), ``feature_baseline_drift_{f}`` (a distance). Dimensions ``Endpoint``
    (``endpoint``, else the model's name) and ``MonitoringSchedule`` (``schedule_name``, else the
    job's name); a variant other than ``AllTraffic`` is added as ``Variant``.

    ``layout: driftline`` puts one datum per window into ``driftline/data-metrics``, with the
    deciding distance: made for alarms on ``Average`` or ``Maximum``. It refuses the namespaces of
    SageMaker Model Monitor, which puts one datum an hour: an alarm on the ``Sum`` of an hour would
    add up the values of all windows. If the sink cannot keep up, the oldest windows are dropped.

    ``layout: sagemaker`` puts what SageMaker Model Monitor puts, for its alarms: one datum per
    ``schedule`` into ``aws/sagemaker/Endpoints/data-metrics``, from the merged counts of all
    windows of that period, with SageMaker's own distance. In a namespace of batch transform jobs
    (``aws/sagemaker/ModelMonitoring/...``) there is no dimension ``Endpoint``. An hour without rows
    has no datum, as after a failed execution; if its baseline is replaced within it, the hour has
    the datum of the rows before. No hour is lost while CloudWatch cannot be reached, up to the two
    weeks after which CloudWatch itself refuses data; reading does not pause.

    A datum is timed at the end of its window or period, and put for revision 0 only. Windows and
    periods without a verdict (no data, learning) have none, nor have features whose
    ``emit_metrics`` is ``Disabled`` in ``constraints.json``.

    CloudWatch accepts printable ASCII characters, 255 in the name of a metric and 1,024 in the
    value of a dimension. In any other name the unaccepted characters become ``_``, the end is cut
    off, and ``~`` with eight hexadecimal digits is added, which identify the name. A value that
    CloudWatch cannot hold is left out; if it refuses a call, the data are put in ever smaller
    calls, and only those that it refuses by themselves are left out, within a limit of 100
    refused calls a window.

    A repeat after a crash puts the data of a window again: averages, minima and maxima stay
    correct, ``SampleCount`` and ``Sum`` of that minute are doubled. With ``layout: sagemaker`` the
    first periods after a start are looked up in CloudWatch, and a repeat is left out: with the
    permission ``cloudwatch:GetMetricStatistics``, and unless the crash was less than about two
    minutes ago, when CloudWatch may not show the data yet. A retry resumes after the last call that
    succeeded. A call holds at most 1,000 data and 1 MB. CloudWatch itself rejects data of more than
    two weeks ago or more than two hours ahead. Needs the permission ``cloudwatch:PutMetricData``
    for the namespace.
    """

    layout: Literal["driftline", "sagemaker"] = "driftline"
    """``driftline``: one datum per window, with the deciding distance. ``sagemaker``: one datum per
    ``schedule``, with SageMaker's own distance, for alarms on its metrics.
    """
    namespace: str = ""
    """The namespace; empty: ``driftline/data-metrics``, or with ``layout: sagemaker``
    ``aws/sagemaker/Endpoints/data-metrics``.
    """
    endpoint: str = ""
    """The dimension ``Endpoint``; empty: the model's name."""
    schedule_name: str = ""
    """The dimension ``MonitoringSchedule``; empty: the job's name."""
    schedule: Duration | None = None
    """With ``layout: sagemaker`` the time between two data of a metric; by default 1h."""
    features: FeatureChoice = "all"
    """The features with metrics: ``all``, the worst of each report (``{worst: 20}``), or a list of
    names.
    """
    region: str = ""
    """The AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""
    resolution_s: int = 60
    """The storage resolution in seconds, 1 or 60."""

    @property
    def takes(self) -> tuple[type[Published], ...]:
        """Windows or schedules, by the layout."""
        return (ScheduleReport,) if self.by_schedule else (WindowReport,)

    @property
    def lossless(self) -> bool:
        """Whether nothing may be dropped: an alarm is missed with a datum that is put only once."""
        return self.by_schedule

    @property
    def by_schedule(self) -> bool:
        """Whether one datum is put per schedule, not per window."""
        return self.layout == "sagemaker"

    @property
    def schedule_ms(self) -> int:
        """The time between two data of a metric with ``layout: sagemaker``, in milliseconds."""
        return duration_ms(self.schedule or HOURLY)

    @property
    def into(self) -> str:
        """The namespace in use."""
        return self.namespace or (ENDPOINT_DATA if self.by_schedule else OWN_DATA)

    @property
    def _place(self) -> MetricPlace:
        return MetricPlace(
            self.into, self.endpoint, self.schedule_name, self.region, self.endpoint_url
        )

    def schedules_ms(self) -> tuple[int, ...]:
        """Return the schedule of ``layout: sagemaker``."""
        return (self.schedule_ms,) if self.by_schedule else ()

    def check(self) -> list[Fault]:
        """Check the namespace, the dimensions, the schedule, the resolution and the address."""
        faults = self._namespace_faults() + self._schedule_faults()
        faults += dimension_faults(self.endpoint, self.schedule_name)
        if self.features == ():
            faults.append(Fault("features", "an empty list: name features, or write all"))
        if self.resolution_s not in (1, 60):
            message = f"CloudWatch accepts 1 or 60, found {self.resolution_s}"
            faults.append(Fault("resolution_s", message))
        return faults + url_faults(self.endpoint_url)

    def _namespace_faults(self) -> list[Fault]:
        if self.namespace and not self.by_schedule and is_model_monitor(self.namespace):
            reason = "SageMaker Model Monitor puts the same metrics there, once an hour, and alarms"
            effect = "on Sum would add up all windows of an hour"
            advice = "set layout: sagemaker for one datum an hour, or remove the key"
            return [Fault("namespace", f"{self.namespace!r}: {reason} {effect}: {advice}")]
        return namespace_faults(self.into)

    def _schedule_faults(self) -> list[Fault]:
        if self.schedule is None:
            return []
        if not self.by_schedule:
            message = "layout: driftline puts one datum a window: set layout: sagemaker, or remove"
            return [Fault("schedule", f"{message} the key")]
        return schedule_faults(self.schedule)

    def replaced_names(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return the names that CloudWatch does not accept, and the names that stand for them."""
        features = dict.fromkeys(name for of_model in names.models.values() for name in of_model)
        pairs = self._place.replaced(names)
        # The longest prefix leaves the least room for the name of the feature.
        pairs += [(name, metric_name(DRIFT, name).removeprefix(DRIFT)) for name in features]
        return [(name, stands_for) for name, stands_for in pairs if name != stands_for]

    def unknown_names(self, names: ConfiguredNames) -> list[str]:
        """Return the names in ``features`` that no model has."""
        known = (name for of_model in names.models.values() for name in of_model)
        return unknown_names(self.features, known)

    def destinations(self) -> list[str]:
        """Return the metrics' place with ``layout: sagemaker``: two sinks would add up data."""
        if not self.by_schedule:
            return []
        return [self._place.destination()]

    def open(self, job: str) -> Delivery:
        """Create the client; nothing is sent."""
        aws = client("cloudwatch", self.region, self.endpoint_url)
        kind = ScheduleDelivery if self.by_schedule else WindowDelivery
        return kind(self, job, aws)

    def common(self, report: WindowReport | ScheduleReport, job: str) -> dict[str, Any]:
        """Return what all data of a report have in common: their time and their dimensions."""
        return {
            "Timestamp": datetime.fromtimestamp((report.end_ms or 0) / 1000, UTC),
            "Dimensions": self._place.dimensions(report.model, report.variant, job),
            "StorageResolution": self.resolution_s,
        }


class WindowDelivery(Delivery):
    """The running half of ``layout: driftline``; ``aws`` is a CloudWatch client."""

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
        self._window.put(self._aws, self._sink.into, index)
        self._settle(index, self._window)

    def _settle(self, index: int, window: Puts) -> None:
        """Count what was left out of an answered window; reject it if all of it was refused."""
        self._window = Puts("", [])
        if window.refused and not window.accepted:
            raise SinkRejected(index, window.reason)
        self.left_out += window.left_out
        log_left_out("cloudwatch", window)

    def data(self, report: WindowReport) -> list[dict[str, Any]]:
        """Return the data of a window, also those that CloudWatch cannot hold."""
        common = self._sink.common(report, self._job)
        return [
            {**common, **metric}
            for feature in chosen(report.features, self._sink.features)
            for metric in metrics_of(feature, feature.value)
        ]

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()


class _Period(msgspec.Struct, frozen=True):
    """A period that is to be put: its end, and its encoded data without what they have in common.

    They are kept encoded, because two weeks of them may wait.
    """

    id: str
    end_ms: int
    common: dict[str, Any]
    metrics: bytes


class ScheduleDelivery(Delivery):
    """The running half of ``layout: sagemaker``; ``aws`` is a CloudWatch client.

    Periods are taken from the queue at once and put in order, so that no number of them fills the
    queue while CloudWatch cannot be reached. What is not put stays in the outbox.
    """

    def __init__(self, sink: Cloudwatch, job: str, aws: Any) -> None:
        self._sink = sink
        self._job = job
        self._aws = aws
        self._pending: deque[_Period] = deque()
        self._ids: set[str] = set()
        """The ids of the pending periods."""
        self._first = Puts("", [])
        """The calls of the first pending period that have no answer yet."""
        self._repeats = Repeats("cloudwatch", sink.into)
        self._taken_ms: dict[tuple[str, str], int] = {}
        """The end of the newest period of each model and variant."""
        self.left_out = 0
        """Metrics of periods that CloudWatch does not accept."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Take all reports, then put the data of the periods that wait, oldest first."""
        for item in items:
            if isinstance(item, ScheduleReport) and self._is_put(item):
                self._take(item)
        while self._pending:
            self._put_first(len(items) - 1)

    def needs(self, item: Published) -> bool:
        """Return whether the period of this report has not been put."""
        return item.id in self._ids

    def close(self) -> None:
        """Close the client's connections."""
        self._aws.close()

    def _is_put(self, report: ScheduleReport) -> bool:
        """Return whether a report has a datum that was not taken before."""
        is_new = report.end_ms > self._taken_ms.get((report.model, report.variant), -1)
        return (
            is_new
            and report.schedule_ms == self._sink.schedule_ms
            and not report.revision
            and report.status not in ("NoData", "Learning")
        )

    def _take(self, report: ScheduleReport) -> None:
        self._taken_ms[report.model, report.variant] = report.end_ms
        self._give_up(report.end_ms - OLDEST_MS)
        common = self._sink.common(report, self._job)
        data = [
            metric
            for feature in chosen(report.features, self._sink.features, by_sagemaker=True)
            for metric in metrics_of(feature, _sagemaker_distance(feature))
        ]
        period = _Period(report.id, report.end_ms, common, msgspec.json.encode(data))
        self._pending.append(period)
        self._ids.add(report.id)

    def _give_up(self, before_ms: int) -> None:
        """Leave out the periods that ended before a time: CloudWatch refuses them by now."""
        while self._pending and self._pending[0].end_ms < before_ms:
            period = self._pending[0]
            count = len(msgspec.json.decode(period.metrics))
            self._settle(Puts(period.id, [], count, reason="ended more than two weeks ago"))

    def _put_first(self, index: int) -> None:
        period = self._pending[0]
        if self._first.id != period.id:
            metrics = msgspec.json.decode(period.metrics)
            data = [{**period.common, **metric} for metric in metrics]
            self._first = Puts.of(period.id, data)
        self._repeats.leave_out(self._aws, self._first, index)
        self._first.put(self._aws, self._sink.into, index)
        self._settle(self._first)

    def _settle(self, period: Puts) -> None:
        """Remove the first pending period, and count what was left out of it."""
        self._ids.discard(self._pending.popleft().id)
        self._first = Puts("", [])
        self.left_out += period.left_out
        log_left_out("cloudwatch", period)


def _sagemaker_distance(feature: FeatureReport) -> float | None:
    return feature.sagemaker.distance if feature.sagemaker else None


def _has_metrics(report: WindowReport) -> bool:
    return (
        not report.revision
        and report.end_ms is not None
        and report.state not in ("no data", "learning")
    )
