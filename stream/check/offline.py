"""The offline part of `driftline check`: a summary of the configuration, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from detectors.components import type_of
from detectors.decisions.metric_rulings import is_judged
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from detectors.quality.judged import MetricRule
from stream.baselining.configured import (
    configured_baselines,
    unread_constraints,
    without_constraints,
    without_counts,
)
from stream.baselining.joint_features import few_rows_lines
from stream.baselining.quality.configured import configured_quality
from stream.baselining.quality.limits import metric_rules
from stream.baselining.unweighted import NO_WEIGHT, unweighted_models
from stream.check.chance import chance_warnings
from stream.check.cloudwatch_bill import offline_bills
from stream.check.findings import format_duration
from stream.check.limit_effects import limit_warnings
from stream.check.model_columns import model_warnings
from stream.check.sagemaker_reading import sagemaker_warnings
from stream.check.seasons import season_lines
from stream.check.sink_names import name_warnings
from stream.check.unused_rules import unused_rules, unused_thresholds
from stream.config.environment import Environment
from stream.config.model import Config
from stream.config.timing import settings_of

NO_SINKS: Final = (
    "none configured: windows and signals are only logged, and /metrics has no figures of features;"
    " add {type: prometheus}, or {type: jsonl, path: reports/}, which driftline explain needs"
)
NO_CONSTRAINTS: Final = (
    "does not exist: the constraints that were written with the baseline apply, without later edits"
)
UNREAD: Final = "keys that driftline does not know are not read, and require nothing"
NO_COUNTS: Final = (
    "no distribution of these features, so that their drift is not judged (completeness, type and"
    " domain are)"
)
NOTHING_JUDGED: Final = (
    "no metric has a limit, so nothing is judged: add `limits`, or a `baseline` that driftline"
    " baseline made with --quality"
)


def summary(config: Config, with_bills: bool = False) -> list[str]:
    """Return a line for each model, its seasons and its quality, one about labels, and one about
    windows and about schedules.

    ``with_bills``: and one for the monthly cost of each CloudWatch sink.

    Raises ``ConfigError`` as ``driftline run`` does if a baseline cannot be used.
    """
    baselines = configured_baselines(config)
    models = [f"model {name}: {_described(baseline)}" for name, baseline in baselines.items()]
    grace = format_duration(config.grace_ms)
    seasons = [
        line
        for name, baseline in baselines.items()
        for line in season_lines(name, config.models[name], baseline)
    ]
    return [
        *models,
        *seasons,
        *_labels(config),
        f"windows of {config.window}, reported {grace} (grace) after their end",
        *_schedules(config),
        *(offline_bills(config) if with_bills else ()),
    ]


def _schedules(config: Config) -> list[str]:
    """A line about the schedules of the sinks, if there are any."""
    lengths = [format_duration(each) for each in settings_of(config).schedules_ms]
    if not lengths:
        return []
    return [f"schedules of {' and '.join(lengths)}: each period is also reported as a whole"]


def warnings(config: Config, environment: Environment) -> list[str]:
    """Return warnings about possible mistakes.

    Unset variables, missing constraints, keys of constraints that are not read, no sinks, names
    that sinks replace, predictions without a baseline, models that learn first, models without a
    weight, limits without an effect, methods under which chance gives violations, quality
    without a limit.

    Raises ``ConfigError`` as ``driftline run`` does if a baseline cannot be used.
    """
    unset = [
        f"{path}: environment variable {name} is not set; driftline run needs it"
        for path, names in environment.unset.items()
        for name in names
    ]
    lost = [f"{key}: {path} {NO_CONSTRAINTS}" for key, path in without_constraints(config).items()]
    unread = [f"{path}: {UNREAD}: {', '.join(k)}" for path, k in unread_constraints(config).items()]
    sinks = [*name_warnings(config)] if config.sinks else [f"sinks: {NO_SINKS}"]
    baselines = configured_baselines(config)
    lost += _without_counts(baselines)
    columns = model_warnings(config, baselines)
    limits = _limit_warnings(config, baselines)
    return [*unset, *lost, *unread, *sinks, *columns, *limits, *_without_verdicts(config)]


def _limit_warnings(config: Config, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line about each limit that does not decide, and each that chance violates."""
    if config.rules.is_sagemaker:
        yield from sagemaker_warnings(config, baselines)
        return
    yield from unused_rules(config)
    for name in unweighted_models(config, baselines):
        yield f"models.{name}: {NO_WEIGHT}"
    if config.rules.by_evidence:
        yield from unused_thresholds(baselines)
        for name, baseline in baselines.items():
            yield from (f"models.{name}.joint: {line}" for line in few_rows_lines(baseline))
        return
    yield from limit_warnings(config, baselines)
    yield from chance_warnings(config, baselines)


def _without_counts(baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a warning for each model with features of which the baseline knows no distribution."""
    for name, baseline in baselines.items():
        if features := without_counts(baseline):
            yield f"models.{name}.baseline: {NO_COUNTS}: {', '.join(map(repr, features))}"


def _without_verdicts(config: Config) -> Iterator[str]:
    """Yield a warning for each model whose quality is measured and never judged."""
    for name, baseline in configured_quality(config).items():
        quality = config.models[name].quality
        if quality is None or quality.error_detectors:
            continue
        if not any(map(is_judged, metric_rules(quality, baseline).values())):
            yield f"models.{name}.quality: {NOTHING_JUDGED}"


def _labels(config: Config) -> Iterator[str]:
    """Yield what is measured of each model, and where its labels come from."""
    if config.labels is None:
        return
    baselines = configured_quality(config)
    for name, model in config.models.items():
        quality = model.quality
        if quality is not None:
            answer = quality.prediction or f"{quality.probability} above {quality.threshold:g}"
            yield f"model {name}: quality of a {quality.problem} problem, answer in {answer}"
            rules = metric_rules(quality, baselines[name]).values()
            judged = [_limit(rule) for rule in rules if is_judged(rule)]
            if judged:
                yield f"model {name}: judged are {', '.join(judged)}"
    labels = config.labels
    join = labels.join or "inference_id, else event_id"
    share = "" if labels.sample == 1 else f", a sample of {labels.sample:.3g}"
    yield (
        f"labels from {labels.source.identity} as {type_of(labels.format)}, by {join};"
        f" predictions wait {labels.horizon} (horizon){share}"
    )


def _limit(rule: MetricRule) -> str:
    """Return the range of a metric, as ``f1 >= 0.8``."""
    low = "" if rule.low is None else f"{rule.low:.4g} <= "
    high = "" if rule.high is None else f" <= {rule.high:.4g}"
    if low and not high:
        return f"{rule.name} >= {rule.low:.4g}"
    return f"{low}{rule.name}{high}"


def _described(baseline: Baseline) -> str:
    if not baseline.columns:
        return "the baseline will be learned from the first events"
    features = counted(len(baseline.layout.features), "feature")
    return f"baseline {baseline.fingerprint}, {features}"
