"""Estimates the rows of a window from the traffic of a sample. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from detectors.arrays import Ints
from detectors.phrases import counted
from stream.check.findings import Finding, format_duration, round_up
from stream.check.setup import CheckContext

FEWEST: Final = 20
"""The smallest number of events from which a rate is estimated."""


def events_per_ms(times_ms: Iterable[Ints]) -> float:
    """Return the rate of the events of all partitions: events over the time that they span.

    0 if no partition has two events at different times.

    >>> import numpy as np
    >>> events_per_ms([np.array([0, 10, 20]), np.array([5]), np.array([0, 40])])
    0.125
    """
    rates = (
        (len(times) - 1) / span
        for times in times_ms
        if len(times) > 1 and (span := int(times.max() - times.min()))
    )
    return sum(rates)


def traffic_findings(
    subject: str, times_ms: Collection[Ints], models: Mapping[str, int], context: CheckContext
) -> Iterator[Finding]:
    """Yield a warning for each model whose windows would hold fewer than ``min_n`` rows.

    Such windows stay ``insufficient``, except by evidence and by the checks of SageMaker.
    ``times_ms`` are the event times of each partition, and ``models`` counts the events by model.
    The estimate takes one row for an event.
    """
    least = context.config.rules.least_rows
    if least == 1:
        return
    window_ms = context.times.window_ms
    rate = events_per_ms(times_ms)
    if sum(map(len, times_ms)) < FEWEST or not rate:
        return
    for model, count in models.items():
        model_rate = rate * count / sum(models.values())
        if model_rate * window_ms >= least:
            continue
        events = counted(round(model_rate * window_ms), "event")
        message = (
            f"traffic of model {model}: about {events} in a window of"
            f" {format_duration(window_ms)}, fewer than rules.min_n ({least})"
        )
        advice = (
            f"Its windows stay insufficient: raise window to {round_up(2 * least / model_rate)},"
            " or lower rules.min_n"
        )
        yield Finding(subject, message, "warning", advice)
