"""Warnings about rules that have no effect in the mode of a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.decisions.rules import FeatureRules, Rules
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
    if keys:
        yield f"{', '.join(keys)}: no effect on verdicts; rules.mode is {mode}"
