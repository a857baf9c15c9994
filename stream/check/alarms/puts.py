"""What each CloudWatch sink of a configuration puts, as far as an alarm can see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from detectors.durations import duration_ms
from detectors.profiles.baseline import Baseline
from sinks.aws.feature_choice import FeatureChoice
from sinks.aws.feature_metrics import DATA, DRIFT, NON_NULL
from sinks.aws.metric_names import LONGEST_VALUE, accepted, metric_name
from sinks.aws.monitor_namespaces import is_batch
from sinks.cloudwatch import Cloudwatch
from sinks.cloudwatch_quality import METRICS, CloudwatchQuality
from stream.baselining.columns import columns_by_model
from stream.baselining.configured import configured_baselines
from stream.config.model import Config
from stream.config.timing import settings_of

DATA_QUALITY: Final = "data"
MODEL_QUALITY: Final = "model"


class PutMetric(msgspec.Struct, frozen=True):
    """A metric that a sink puts, or leaves out: of a feature, or of the quality of a model.

    ``exists`` is false for the statistic set of a text; ``emitted`` and ``chosen`` are false where
    ``emit_metrics`` or the sink's ``features`` leave the metric out.
    """

    feature: str = ""
    exists: bool = True
    emitted: bool = True
    chosen: bool = True


class SinkPuts(msgspec.Struct, frozen=True, kw_only=True):
    """What a sink puts: its namespace and dimensions, how often, and the metrics of each endpoint.

    ``where`` names the sink, ``kind`` is ``data`` or ``model`` quality. ``by_schedule``: one datum
    per schedule, not per window. ``metrics`` has the metrics by their name, by endpoint.
    """

    where: str
    kind: str
    namespace: str
    schedule_name: str
    variant: str
    by_schedule: bool
    every_ms: int
    features: FeatureChoice
    metrics: Mapping[str, Mapping[str, PutMetric]]

    def dimensions(self, endpoint: str) -> dict[str, str]:
        """Return the dimensions of the metrics of an endpoint."""
        names = {} if is_batch(self.namespace) else {"Endpoint": endpoint}
        names["MonitoringSchedule"] = self.schedule_name
        return names | ({"Variant": self.variant} if self.variant else {})


def puts_of(config: Config) -> list[tuple[Cloudwatch | CloudwatchQuality, SinkPuts]]:
    """Return each CloudWatch sink of a configuration, and what it puts.

    Raises ``ConfigError`` as ``driftline run`` does if a baseline cannot be used.
    """
    baselines = configured_baselines(config)
    every_ms = settings_of(config).every_ms
    found: list[tuple[Cloudwatch | CloudwatchQuality, SinkPuts]] = []
    for position, sink in enumerate(config.sinks):
        where = f"sinks[{position}]"
        if isinstance(sink, Cloudwatch):
            metrics = {
                model: _of_features(sink, names, baselines[model])
                for model, names in _features(config, baselines).items()
            }
            found.append((sink, _data_puts(sink, where, config, every_ms, metrics)))
        elif isinstance(sink, CloudwatchQuality):
            found.append((sink, _quality_puts(sink, where, config)))
    return found


def _data_puts(
    sink: Cloudwatch,
    where: str,
    config: Config,
    window_every_ms: int,
    metrics: Mapping[str, Mapping[str, PutMetric]],
) -> SinkPuts:
    return SinkPuts(
        where=where,
        kind=DATA_QUALITY,
        namespace=sink.into,
        schedule_name=accepted(sink.schedule_name or config.job, LONGEST_VALUE),
        variant=_variant(config),
        by_schedule=sink.by_schedule,
        every_ms=sink.schedule_ms if sink.by_schedule else window_every_ms,
        features=sink.features,
        metrics=_by_endpoint(sink.endpoint, metrics),
    )


def _quality_puts(sink: CloudwatchQuality, where: str, config: Config) -> SinkPuts:
    metrics = {
        name: {metric: PutMetric() for metric in METRICS[model.quality.problem]}
        for name, model in config.models.items()
        if model.quality is not None
    }
    return SinkPuts(
        where=where,
        kind=MODEL_QUALITY,
        namespace=sink.namespace,
        schedule_name=accepted(sink.schedule_name or config.job, LONGEST_VALUE),
        variant=_variant(config),
        by_schedule=True,
        every_ms=duration_ms(sink.schedule),
        features="all",
        metrics=_by_endpoint(sink.endpoint, metrics),
    )


def _by_endpoint(
    endpoint: str, metrics: Mapping[str, Mapping[str, PutMetric]]
) -> dict[str, dict[str, PutMetric]]:
    """The metrics by endpoint: that of the sink, else one for each model."""
    found: dict[str, dict[str, PutMetric]] = {}
    for model, of_model in metrics.items():
        found.setdefault(accepted(endpoint or model, LONGEST_VALUE), {}).update(of_model)
    return found


def _of_features(
    sink: Cloudwatch, features: Sequence[tuple[str, bool]], baseline: Baseline
) -> dict[str, PutMetric]:
    chosen = set(sink.features) if isinstance(sink.features, tuple) else None
    metrics = {}
    for name, numeric in features:
        for prefix in (DATA, NON_NULL, DRIFT):
            metrics[metric_name(prefix, name)] = PutMetric(
                feature=name,
                exists=numeric or prefix != DATA,
                emitted=baseline.constraints.emits(name),
                chosen=chosen is None or name in chosen,
            )
    return metrics


def _features(
    config: Config, baselines: Mapping[str, Baseline]
) -> dict[str, list[tuple[str, bool]]]:
    """The features of each model, and whether each may be a number."""
    columns = columns_by_model(config, baselines)
    return {
        model: [
            *((feature.name, feature.numeric) for feature in of_model.layout.features),
            *((name, True) for name in of_model.unlearned),
        ]
        for model, of_model in columns.items()
    }


def _variant(config: Config) -> str:
    """The dimension of a constant variant; empty for the one that has none."""
    name = config.variant.name if config.variant.source == "const" else "AllTraffic"
    return "" if name == "AllTraffic" else accepted(name, LONGEST_VALUE)
