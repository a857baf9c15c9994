"""The weights of features: from the configuration, or from a file of importances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from detectors.decisions.rules import (
    LARGEST_WEIGHT,
    SMALLEST_WEIGHT,
    WEIGHTS,
    Amount,
    FeatureRules,
)
from stream.config.faults import mismatch
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
                wrong = list(_file_faults(name, model.weights, weights))
                faults += wrong
                weights = {} if wrong else weights
            except (OSError, msgspec.MsgspecError) as error:
                expected = f"{model.weights!r}: expected JSON with a number for each feature"
                reason = f"importances in {expected}: {_cause(error)}"
                faults.append(ConfigFault(path=f"models.{name}.weights", reason=reason))
                weights = {}
            models[name] = replace(model, weights=weights)
    return replace(config, models=models), faults


def weight_faults(config: Config) -> Iterator[ConfigFault]:
    """Yield the faults of weights above 0 that are too small; the type knows the largest one."""
    for name, model in config.models.items():
        own = {
            f"features.{column}.weight": rules.weight for column, rules in model.features.items()
        }
        own |= {f"weights.{column}": weight for column, weight in _weights(model)}
        for key, weight in own.items():
            if not _is_weight(weight):
                yield mismatch(f"models.{name}.{key}", WEIGHTS, f"{weight:g}")


def _file_faults(model: str, file: str, weights: dict[str, float]) -> Iterator[ConfigFault]:
    for column, weight in weights.items():
        if not _is_weight(weight):
            reason = (
                f"the importance of {column!r} in {file!r} is {weight:g} times their mean; a weight"
                f" is {WEIGHTS}"
            )
            yield ConfigFault(path=f"models.{model}.weights", reason=reason)


def _is_weight(value: float) -> bool:
    """Whether a number may be a weight; not so NaN."""
    return value == 0 or SMALLEST_WEIGHT <= value <= LARGEST_WEIGHT


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
    largest = max(found.values(), default=0.0)
    if not largest:
        return found
    parts = {name: value / largest for name, value in found.items()}  # their sum cannot overflow
    mean = sum(parts.values()) / len(parts)
    return {name: value / mean for name, value in parts.items()}


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
