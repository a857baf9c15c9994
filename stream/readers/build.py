"""Builds a reader and its plan from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.baseline import Baseline
from stream.baselining.columns import columns_by_model
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.readers.label_reader import LabelReader, LabelReading
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.sources.base import Reading


def reader_of(config: Config, reading: Reading) -> Reader:
    """Return a reader of an open source; its ``use`` must be called before it reads."""
    return Reader(
        reading,
        config.format,
        config.identity,
        settings_of(config),
        keep_payload=config.dead_letters.keep_payload,
        dedupe=config.dedupe,
    )


def label_reader_of(config: Config, reading: Reading) -> LabelReader:
    """Return a reader of the open source of the labels, which must be configured."""
    if config.labels is None:
        raise ValueError("the configuration has no labels")
    rules = LabelReading(
        sample=config.labels.sample,
        dates_records=config.labels.source.dates_records,
        keep_payload=config.dead_letters.keep_payload,
    )
    return LabelReader(reading, config.labels.format, settings_of(config), rules)


def plan_of(config: Config, baselines: Mapping[str, Baseline]) -> ReadingPlan:
    """Return the plan by which readers decode and count the records of the models."""
    return ReadingPlan(columns_by_model(config, baselines), config.format)
