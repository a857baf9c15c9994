"""Warnings about rules and thresholds that have no effect in the mode of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from detectors.decisions.rules import FeatureRules, Rules
from detectors.profiles.baseline import Baseline, Thresholds
from stream.config.model import Config

UNUSED: Final = {
    "evidence": ("limit", "floor", "vanished_n"),
    "threshold": ("false_alarms", "effect", "early"),
    "sagemaker": (
        *("limit", "type_match", "domain_match", "negative_share", "vanished_n"),
        *("false_alarms", "effect", "early"),
    ),
}
"""Rules without an effect on the verdicts on data, by mode."""
UNUSED_OF_FEATURES: Final = {
    "evidence": ("limit",),
    "threshold": ("effect", "weight"),
    "sagemaker": ("limit", "effect", "weight"),
}
"""The same of the rules of single features."""

OF_DISTANCES: Final = (
    "comparison_threshold",
    "categorical_comparison_threshold",
    "comparison_method",
    "categorical_drift_method",
)
"""Keys of ``constraints.json`` that say when a distance is too large."""


def unused_rules(config: Config) -> Iterator[str]:
    """Yield a line for the rules, and one for those of features, that are set without an effect."""
    mode, default = config.rules.mode, Rules()
    keys = [
        f"rules.{key}"
        for key in UNUSED.get(mode, ())
        if getattr(config.rules, key) != getattr(default, key)
    ]
    keys += [
        f"models.{name}.features.{feature}.{key}"
        for name, model in config.models.items()
        for feature, rules in model.features.items()
        for key in UNUSED_OF_FEATURES.get(mode, ())
        if getattr(rules, key) != getattr(FeatureRules(), key)
    ]
    if mode != "evidence":
        keys += [f"models.{name}.weights" for name, model in config.models.items() if model.weights]
        keys += [f"models.{name}.joint" for name, model in config.models.items() if model.joint]
    if keys:
        yield f"{', '.join(keys)}: no effect on verdicts; rules.mode is {mode}"


def unused_thresholds(baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line for each model whose ``constraints.json`` judges distances in a way of its own.

    That has no effect by evidence, where no distance is compared with a threshold. What SageMaker
    writes into every file is not named.
    """
    usual = Thresholds(categorical_comparison_threshold=Thresholds().comparison_threshold)
    for name, baseline in baselines.items():
        own = baseline.constraints.thresholds
        defaults = (Thresholds(), usual)
        keys = [k for k in OF_DISTANCES if getattr(own, k) not in [getattr(d, k) for d in defaults]]
        if keys:
            at = f"models.{name}.baseline: {', '.join(keys)} in constraints.json"
            yield f"{at}: no effect on verdicts; rules.mode is evidence"
