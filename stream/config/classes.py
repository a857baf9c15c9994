"""Completes a configuration with the classes that quality baselines name."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from detectors.quality.classes import class_pair
from stream.config.model import Config, ModelConfig


def with_class_pairs(config: Config, baseline_pairs: Mapping[str, tuple[str, str]]) -> Config:
    """Return the configuration in which each binary model names its positive and negative class.

    ``baseline_pairs`` has those of the quality baselines, by model; models without one may be left
    out. Readers, which know the configuration alone, then compare with the same classes as the
    owner. A negative class that is unknown stays empty.
    """
    models = {
        name: _with_classes(model, baseline_pairs.get(name))
        for name, model in config.models.items()
    }
    return replace(config, models=models)


def _with_classes(model: ModelConfig, baseline_pair: tuple[str, str] | None) -> ModelConfig:
    quality = model.quality
    if quality is None or quality.problem != "binary":
        return model
    pair = class_pair(quality, baseline_pair)
    return replace(model, quality=replace(quality, positive=pair.positive, negative=pair.negative))
