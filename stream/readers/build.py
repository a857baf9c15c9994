"""Builds a reader and its plan from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.baseline import Baseline
from stream.baselining.columns import ModelColumns, columns_of
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.sources.base import Reading


def columns_now(config: Config, baselines: Mapping[str, Baseline]) -> dict[str, ModelColumns]:
    """Return the columns of all configured models with the baselines in force."""
    return {name: model_columns(config, name, baselines[name]) for name in config.models}


def model_columns(config: Config, name: str, baseline: Baseline) -> ModelColumns:
    """Return the columns of one model with the baseline in force."""
    model = config.models[name]
    return columns_of(name, baseline if baseline.columns else None, model.outputs, model.inputs)


def reader_of(config: Config, reading: Reading) -> Reader:
    """Return a reader of an open source; call its ``use`` before it reads."""
    return Reader(
        reading,
        config.format,
        config.origin,
        settings_of(config),
        keep_payload=config.dead_letters.keep_payload,
        dedupe=config.dedupe,
    )


def plan_of(config: Config, baselines: Mapping[str, Baseline]) -> ReadingPlan:
    """Return how readers decode and count the records of the models."""
    return ReadingPlan(columns_now(config, baselines), config.format)
