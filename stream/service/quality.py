"""The quality of the models of a job: their baselines, classes and rules, and how labels join."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.decisions.quality_judge import QualityJudge
from detectors.durations import duration_ms
from detectors.quality.baseline import QualityBaseline
from detectors.quality.classes import class_pair
from detectors.quality.config import QualityConfig
from detectors.quality.estimates.fitted import fitted_estimator
from detectors.quality.judged import JudgedQuality
from detectors.quality.problem import problem_of
from stream.aggregation.labels import LabelParts
from stream.aggregation.quality_model import QualityModel, label_settings
from stream.baselining.quality.configured import configured_quality
from stream.baselining.quality.limits import metric_rules
from stream.config.classes import with_class_pairs
from stream.config.model import Config
from stream.labels.classes import LabelledModel
from stream.state.tables import StateTables

MOST_NAMED: Final = 10
"""The number of classes that a text names."""


def with_quality_baselines(
    config: Config,
) -> tuple[Config, dict[str, QualityBaseline | None]]:
    """Return the configuration with the classes of all models, and their quality baselines.

    Raises :class:`~stream.errors.ConfigError` for baselines that cannot be used.
    """
    baselines = configured_quality(config)
    pairs = {
        name: (baseline.positive, baseline.negative)
        for name, baseline in baselines.items()
        if baseline is not None and baseline.problem == "binary" and baseline.positive
    }
    return with_class_pairs(config, pairs), baselines


def label_parts(
    config: Config,
    baselines: Mapping[str, QualityBaseline | None],
    tables: StateTables,
    generation: str,
) -> LabelParts | None:
    """Return what the aggregator needs to join labels; ``None`` for a job without them."""
    if config.labels is None:
        return None
    models = {
        name: _model(model.quality, baselines.get(name))
        for name, model in config.models.items()
        if model.quality is not None
    }
    judge = QualityJudge(
        job=config.job,
        rules=config.rules,
        models={name: model.judged for name, model in models.items()},
        expose_values=config.expose_values,
        generation=generation,
    )
    horizon_ms = duration_ms(config.labels.horizon)
    settings = label_settings(horizon_ms, config.every_ms, config.labels.duplicates)
    return LabelParts(settings, models, judge, tables.joins, tables.quality_panes)


def join_rule(config: Config) -> str:
    """Return the rule of the join in words; a change of it needs a new beginning of the join.

    The id is part of it: what waits is known by the hash of one id, and no other id finds it.
    """
    labels = config.labels
    if labels is None:
        return ""
    id_ = labels.join or "inference_id, else event_id"
    rule = f"horizon {duration_ms(labels.horizon)} ms, duplicates {labels.duplicates}"
    panes = f"windows of {duration_ms(config.window)} ms every {config.every_ms} ms"
    return f"{rule}, joined by {id_}, {panes}"


def panes_of(rule: str) -> str:
    """Return the part of a rule of the join that tells the panes and windows."""
    return rule.rpartition(", ")[2]


def problem_text(quality: QualityConfig, baseline: QualityBaseline | None) -> str:
    """Return what the counts of a model mean, in words; a change of it makes them useless."""
    answer = quality.prediction or f"{quality.probability} above {quality.threshold:g}"
    score = f" with {quality.probability}" if quality.prediction and quality.probability else ""
    text = f"{quality.problem} by {answer}{score}"
    if quality.problem == "binary":
        pair = class_pair(quality, None)
        return f"{text}, {pair.positive!r} against {pair.negative!r}"
    if quality.problem == "multiclass" and baseline is not None and baseline.classes:
        return f"{text}, {_class_list(baseline.classes)}"
    return text


def _class_list(classes: Sequence[str]) -> str:
    """Return classes as a text that differs where they do; the first ones are named."""
    if len(classes) <= MOST_NAMED:
        return "classes " + ", ".join(map(repr, classes))
    digest = hashlib.sha256(repr(tuple(classes)).encode()).hexdigest()[:8]
    named = ", ".join(map(repr, classes[:MOST_NAMED]))
    return f"{len(classes):,} classes {named}, ... ({digest})"


def _model(config: QualityConfig, baseline: QualityBaseline | None) -> QualityModel:
    edges = None if baseline is None else np.array(baseline.score_edges)
    pair = class_pair(config, None)
    classes = () if baseline is None else baseline.classes
    if config.problem == "binary":
        classes = (pair.negative, pair.positive)
    judged = JudgedQuality(
        config=config,
        problem=problem_of(config, edges),
        rules=metric_rules(config, baseline),
        classes=classes,
        confusion={} if baseline is None else baseline.confusion,
        fingerprint="-" if baseline is None else baseline.fingerprint,
    )
    meaning = LabelledModel(
        problem=config.problem,
        positive=pair.positive,
        negative=pair.negative,
        classes=classes if config.problem == "multiclass" else (),
    )
    estimator = None
    if config.estimate is not None and baseline is not None:
        estimator = fitted_estimator(baseline, config.estimate)
    return QualityModel(judged, meaning, estimator)
