"""The place of metrics that Model Monitor's alarms read: their namespace and their dimensions."""

from __future__ import annotations

from typing import NamedTuple

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from sinks.aws.metric_names import LONGEST_VALUE, accepted, dimensions
from sinks.aws.monitor_namespaces import is_batch
from sinks.base import ConfiguredNames


class MetricPlace(NamedTuple):
    """Where a sink puts its metrics, as it is configured; empty texts are defaults."""

    namespace: str
    endpoint: str
    schedule_name: str
    region: str
    endpoint_url: str

    def dimensions(self, model: str, variant: str, job: str) -> list[dict[str, str]]:
        """Return the dimensions of the metrics of a model; batch jobs have no endpoint."""
        endpoint = None if is_batch(self.namespace) else self.endpoint or model
        return dimensions(endpoint, self.schedule_name or job, variant)

    def replaced(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return the values of dimensions, each with the one that CloudWatch has in its place."""
        used = [
            *([] if self.endpoint or is_batch(self.namespace) else names.models),
            *([] if self.schedule_name else [names.job]),
            *([names.variant] if names.variant else []),
        ]
        return [(name, accepted(name, LONGEST_VALUE)) for name in used]

    def destination(self) -> str:
        """Return the place in words: the data of two sinks in one place would be added up."""
        endpoint = self.endpoint or "each model"
        schedule = self.schedule_name or "the job"
        return f"{self.namespace} of {endpoint} and {schedule} {self.region}{self.endpoint_url}"


def schedule_faults(schedule: Duration) -> list[Fault]:
    """Return the fault of a schedule that is not of whole minutes."""
    length_ms = duration_ms(schedule)
    if length_ms >= 60_000 and length_ms % 60_000 == 0:
        return []
    return [Fault("schedule", f"whole minutes are needed, at least 1m, found {schedule!r}")]
