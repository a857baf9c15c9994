"""Metric families that several collectors of the service export."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import GaugeMetricFamily


def gauge(job: str, name: str, text: str, value: float) -> GaugeMetricFamily:
    """Return a gauge with one value."""
    family = GaugeMetricFamily(name, text, labels=["job"])
    family.add_metric([job], value)
    return family


def by_partition(
    job: str, name: str, text: str, values: Mapping[str, float | None]
) -> GaugeMetricFamily:
    """Return a gauge with a value for each partition that has one."""
    family = GaugeMetricFamily(name, text, labels=["job", "partition"])
    for partition, value in values.items():
        if value is not None:
            family.add_metric([job, partition], value)
    return family


def seconds(time_ms: int | None) -> float | None:
    """Return a time in milliseconds in seconds, ``None`` for none."""
    return None if time_ms is None else time_ms / 1000
