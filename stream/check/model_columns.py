"""Warnings about predictions without a baseline, and about models that learn before they judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from detectors.durations import duration_ms
from detectors.profiles.baseline import Baseline
from stream.baselining.columns import columns_by_model
from stream.config.model import Config, LearnConfig
from stream.formats.json import Json


def model_warnings(config: Config, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line for each model without predictions, and for each that still learns columns."""
    for name, columns in columns_by_model(config, baselines).items():
        if config.models[name].learned or columns.unlearned:
            unlearned = ", ".join(columns.unlearned)
            what = "the baseline" if config.models[name].learned else f"the baseline of {unlearned}"
            rows = _rows(config.models[name].learn or config.learn)
            yield (
                f"models.{name}: {what} is learned from {rows}; until then no window of the model"
                " is judged and no signal is sent, so those rows should be normal traffic"
            )
        elif not columns.outputs and _states_predictions(config):
            yield (
                f"models.{name}: predictions are not monitored: the baseline has none, and there is"
                f" no `outputs`; name them in `models.{name}.outputs`, or make the baseline with"
                " --predictions"
            )


def _rows(learn: LearnConfig) -> str:
    if not duration_ms(learn.at_least):
        return f"the first {learn.events:,} rows"
    return f"{learn.events:,} rows over at least {learn.at_least}"


def _states_predictions(config: Config) -> bool:
    """Whether events have a place for predictions; plain JSON only if ``prediction`` names one."""
    return not isinstance(config.format, Json) or bool(config.format.prediction)
