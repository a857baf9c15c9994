"""Builds a reader and its plan from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.profiles.reading import PLAIN, CellReading
from detectors.quality.classes import class_pair
from detectors.quality.config import QualityConfig
from stream.baselining.columns import ModelColumns, columns_by_model
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.readers.label_reader import LabelReader, LabelReading
from stream.readers.plan import ReadingPlan
from stream.readers.prediction_rules import PredictionColumns, PredictionRules
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
    columns = columns_by_model(config, baselines)
    predictions = _prediction_rules(config, columns)
    return ReadingPlan(
        columns,
        config.format,
        predictions,
        keep_values=settings_of(config).keep_values,
        names_count=config.rules.is_sagemaker,
    )


def _prediction_rules(
    config: Config, columns: Mapping[str, ModelColumns]
) -> PredictionRules | None:
    """Return which predictions wait for labels, ``None`` if no model has ``quality``."""
    predictions = {
        name: prediction_columns(model.quality, columns[name].layout)
        for name, model in config.models.items()
        if model.quality is not None
    }
    if config.labels is None or not predictions:
        return None
    return PredictionRules(predictions, config.labels.join, config.labels.sample)


def prediction_columns(quality: QualityConfig, layout: Layout) -> PredictionColumns:
    """Return where the predictions of a model are, and how its layout reads them.

    The classes are those of the configuration: a pair that a quality baseline names must be in it
    (:func:`stream.config.classes.with_class_pairs`).
    """
    pair = class_pair(quality, None)
    return PredictionColumns(
        problem=quality.problem,
        prediction=quality.prediction,
        probability=quality.probability,
        threshold=quality.threshold,
        positive=pair.positive,
        negative=pair.negative,
        prediction_reading=_reading(layout, quality.prediction),
        probability_reading=_reading(layout, quality.probability),
    )


def _reading(layout: Layout, name: str) -> CellReading:
    index = layout.index.get(name)
    return PLAIN if index is None else layout.features[index].cell_reading
