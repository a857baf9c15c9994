"""What the models of a configuration learn their seasons by."""

from __future__ import annotations

from detectors.durations import duration_ms
from stream.aggregation.season_learning import SeasonPlan
from stream.config.model import Config
from stream.config.seasons import calendar_of


def season_plans(config: Config) -> dict[str, SeasonPlan]:
    """Return what each model with ``season`` learns, by its name."""
    return {
        name: SeasonPlan(calendar_of(model.season), duration_ms(model.season.learn))
        for name, model in config.models.items()
        if model.season is not None
    }
