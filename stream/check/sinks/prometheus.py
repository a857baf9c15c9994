"""Live check of Prometheus: the number of series of the job."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.prometheus import Prometheus
from stream.check.findings import Finding, counted
from stream.check.setup import CheckContext


def live_check(sink: Prometheus, context: CheckContext) -> list[Finding]:
    """Compare the series of one variant of each model with the cap."""
    return [series_finding(sink, [model.features for model in context.monitored().values()])]


def series_finding(sink: Prometheus, features: Sequence[int]) -> Finding:
    """Return the highest number of series, given the number of features of each model.

    Beyond ``max_series`` the features furthest below their limit are left out.
    """
    total = sum(map(sink.series, features))
    models = counted(len(features), "model")
    message = f"at most {total:,} series per variant of {models} (max_series {sink.max_series:,})"
    if total <= sink.max_series:
        return Finding("prometheus", message)
    advice = "The features furthest below their limit will not be shown: raise max_series"
    return Finding("prometheus", message, "warning", advice)
