"""Converts the durations of a configuration to milliseconds."""

from __future__ import annotations

from detectors.durations import duration_ms
from stream.config.model import Config, LearnConfig
from stream.event_time import JobSettings, LearningRule


def settings_of(config: Config) -> JobSettings:
    """Return the settings that readers and aggregator share."""
    schedules_ms = sorted({each for sink in config.sinks for each in sink.schedules_ms()})
    return JobSettings(
        window_ms=duration_ms(config.window),
        every_ms=config.every_ms,
        grace_ms=config.grace_ms,
        lateness_ms=duration_ms(config.lateness),
        idle_ms=duration_ms(config.idle),
        tolerance_ms=duration_ms(config.tolerance),
        learn=_rule(config.learn),
        learn_of={name: _rule(model.learn) for name, model in config.models.items() if model.learn},
        stop_on_gap=config.on_gap == "stop",
        most_variants=config.most_variants,
        schedules_ms=tuple(schedules_ms),
        keep_values=bool(schedules_ms) or config.rules.mode == "sagemaker-compat",
    )


def _rule(learn: LearnConfig) -> LearningRule:
    return LearningRule(rows=learn.events, at_least_ms=duration_ms(learn.at_least))
