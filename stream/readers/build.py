"""Builds a reader and its plan from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.baseline import Baseline
from stream.baselining.columns import ModelColumns, columns_of
from stream.config.model import Config
from stream.config.timing import times_of
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.sources.base import Reading


def columns_now(config: Config, baselines: Mapping[str, Baseline]) -> dict[str, ModelColumns]:
    """The columns of all models with the baselines in force."""
    return {name: model_columns(config, name, baselines[name]) for name in config.models}


def model_columns(config: Config, name: str, baseline: Baseline) -> ModelColumns:
    """The columns of one model with the baseline in force."""
    model = config.models[name]
    return columns_of(name, baseline if baseline.columns else None, model.outputs, model.inputs)


def reader_of(config: Config, reading: Reading) -> Reader:
    """A reader of an open source; it must be told what to ``use`` before it reads."""
    return Reader(
        reading,
        config.format,
        config.origin,
        times_of(config),
        config.dead_letters.keep_payload,
        config.dedupe,
    )


def plan_of(config: Config, baselines: Mapping[str, Baseline]) -> ReadingPlan:
    """What a reader must know of the models."""
    return ReadingPlan(columns_now(config, baselines), config.format)
