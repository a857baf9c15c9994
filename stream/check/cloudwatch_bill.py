"""The estimated monthly bill of a CloudWatch sink, by its layout and its choice of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final, NamedTuple

from detectors.durations import duration_ms
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from sinks.aws.feature_choice import WorstFeatures
from sinks.cloudwatch import Cloudwatch
from sinks.cloudwatch_quality import METRICS, CloudwatchQuality
from stream.baselining.columns import ModelColumns, columns_by_model
from stream.baselining.configured import configured_baselines
from stream.check.cloudwatch_cost import HOUR_MS, monthly_cost
from stream.config.model import Config
from stream.config.timing import settings_of

OF_NUMBER: Final = 3
OF_TEXT: Final = 2


class Bill(NamedTuple):
    """The metrics of one variant of each model, at least and at most, and their monthly cost.

    ``learned``: the type of every column is known; otherwise the numbers are upper limits.
    """

    least: int
    most: int
    least_cost: float
    most_cost: float
    learned: bool = True

    def text(self) -> str:
        """Return the bill in words."""
        prices = "list price of us-east-1; other regions differ"
        if self.least != self.most:
            metrics = f"{self.least:,} to {counted(self.most, 'metric')} per variant and hour"
            cost = f"${self.least_cost:,.2f} to ${self.most_cost:,.2f} per month"
            return f"{metrics}, by how often the worst features change: {cost} ({prices})"
        most = "" if self.learned else "at most "
        cost = f"{most or 'about '}${self.most_cost:,.2f} per month"
        return f"{most}{counted(self.most, 'metric')} per variant: {cost} ({prices})"


def bill_of(
    sink: Cloudwatch | CloudwatchQuality,
    config: Config,
    baselines: Mapping[str, Baseline],
    window_every_ms: int,
) -> Bill:
    """Return the bill of a sink for the models of a configuration, with the baselines in force.

    CloudWatch charges a metric for each hour in which it gets a datum. So the ``worst`` features of
    windows cost more, the more often others are the worst.
    """
    if isinstance(sink, CloudwatchQuality):
        qualities = [model.quality for model in config.models.values() if model.quality]
        counts = [len(METRICS[quality.problem]) for quality in qualities]
        cost = monthly_cost(counts, duration_ms(sink.schedule))
        return Bill(sum(counts), sum(counts), cost, cost)
    every_ms = sink.schedule_ms if sink.by_schedule else window_every_ms
    columns = columns_by_model(config, baselines)
    ranges = [
        metric_range(sink, columns[name], baseline, ceil(HOUR_MS / every_ms))
        for name, baseline in baselines.items()
    ]
    least, most = [low for low, _ in ranges], [high for _, high in ranges]
    learned = not any(of_model.unlearned for of_model in columns.values())
    costs = (monthly_cost(least, every_ms), monthly_cost(most, every_ms))
    return Bill(sum(least), sum(most), *costs, learned=learned)


def metric_range(
    sink: Cloudwatch, columns: ModelColumns, baseline: Baseline, reports_an_hour: int
) -> tuple[int, int]:
    """Return how many metrics one variant of a model has in an hour, at least and at most.

    Three for each number, two for each text; a column that is not learned yet may be a number.
    """
    layout = [(feature.name, feature.numeric) for feature in columns.layout.features]
    candidates = [*layout, *((name, True) for name in columns.unlearned)]
    counts = sorted(
        OF_NUMBER if numeric else OF_TEXT
        for name, numeric in candidates
        if baseline.constraints.emits(name) and _may_be_chosen(sink, name)
    )
    if not isinstance(sink.features, WorstFeatures):
        return sum(counts), sum(counts)
    worst = sink.features.worst
    return sum(counts[:worst]), sum(counts[-worst * reports_an_hour :])


def offline_bills(config: Config) -> Iterator[str]:
    """Yield a line for each CloudWatch sink, by the baselines of files.

    Raises ``ConfigError`` as ``driftline run`` does if a baseline cannot be used.
    """
    baselines = configured_baselines(config)
    every_ms = settings_of(config).every_ms
    for position, sink in enumerate(config.sinks):
        if isinstance(sink, Cloudwatch | CloudwatchQuality):
            bill = bill_of(sink, config, baselines, every_ms)
            yield f"sinks[{position}]: CloudWatch: {bill.text()}"


def _may_be_chosen(sink: Cloudwatch, name: str) -> bool:
    return isinstance(sink.features, str | WorstFeatures) or name in sink.features
