"""The durations of a configuration in milliseconds."""

from __future__ import annotations

from detectors.durations import duration_ms
from stream.config.model import Config
from stream.event_time import JobSettings, Times


def settings_of(config: Config) -> JobSettings:
    """What the protocol must know of a configuration."""
    return JobSettings(
        job=config.job,
        window_ms=duration_ms(config.window),
        every_ms=config.every_ms,
        grace_ms=config.grace_ms,
        lateness_ms=duration_ms(config.lateness),
        idle_ms=duration_ms(config.idle),
        learn_rows=config.learn.events,
        stop_on_gap=config.on_gap == "stop",
    )


def times_of(config: Config) -> Times:
    """What a reader must know of time."""
    settings = settings_of(config)
    return Times(
        settings.every_ms, settings.grace_ms, settings.lateness_ms, duration_ms(config.tolerance)
    )
