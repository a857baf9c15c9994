"""Prometheus: how many series the job will have."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.prometheus import Prometheus
from stream.check.findings import Finding, counted
from stream.check.setup import CheckContext


def look(sink: Prometheus, setup: CheckContext) -> list[Finding]:
    """Series of one variant of each model, against the cap."""
    return [series_finding(sink, [one.features for one in setup.watched().values()])]


def series_finding(sink: Prometheus, features: Sequence[int]) -> Finding:
    """How many series models with so many features have at most; beyond ``max_series`` the calmest
    are left out.
    """
    total = sum(map(sink.series, features))
    what = (
        f"at most {total:,} series a variant of {counted(len(features), 'model')} (max_series"
        f" {sink.max_series:,})"
    )
    if total > sink.max_series:
        return Finding(
            "prometheus",
            what,
            "warning",
            "The calmest features will not be shown: raise max_series",
        )
    return Finding("prometheus", what)
