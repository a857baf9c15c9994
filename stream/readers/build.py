"""Builds a reader and its plan from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.baseline import Baseline
from stream.baselining.columns import columns_now
from stream.config.model import Config
from stream.config.timing import times_of
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.sources.base import Reading


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
