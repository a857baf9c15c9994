"""The weights of features: from the configuration, or from a file of importances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from detectors.decisions.rules import Amount, FeatureRules
from stream.config.model import Config, ModelConfig
from stream.errors import ConfigFault


def with_weights(config: Config, folder: Path) -> tuple[Config, list[ConfigFault]]:
    """The configuration with the weights of each model as a mapping, and faults of their files.

    Paths start at ``folder``. The importances in a file are divided by their mean: a feature that
    is not in it counts as one of average importance.
    """
    faults: list[ConfigFault] = []
    models = {}
    for name, model in config.models.items():
        models[name] = model
        if isinstance(model.weights, str):
            try:
                weights = _importances(folder / model.weights)
            except (OSError, msgspec.MsgspecError) as error:
                reason = f"the importances in {model.weights!r} cannot be read: {_cause(error)}"
                faults.append(ConfigFault(path=f"models.{name}.weights", reason=reason))
                weights = {}
            models[name] = replace(model, weights=weights)
    return replace(config, models=models), faults


def rules_of_features(model: ModelConfig) -> dict[str, FeatureRules]:
    """The rules of single features of a model, with their weights."""
    rules = dict(model.features)
    for name, weight in _weights(model):
        rules[name] = replace(rules.get(name, FeatureRules()), weight=weight)
    return rules


def _weights(model: ModelConfig) -> Iterator[tuple[str, float]]:
    if not isinstance(model.weights, str):
        yield from model.weights.items()


def _importances(path: Path) -> dict[str, float]:
    """A JSON file of one number a feature, divided by their mean."""
    found = msgspec.json.decode(path.read_bytes(), type=dict[str, Amount])
    mean = sum(found.values()) / max(len(found), 1)
    return {name: value / mean for name, value in found.items()} if mean else found


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
