"""The context of a live check: configuration, baselines, times and last commit of the job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from detectors.profiles.baseline import Baseline
from stream.baselining.columns import columns_by_model
from stream.baselining.configured import configured_baselines
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.event_time import JobSettings
from stream.state.stored import StoredState


class MonitoredFeatures(NamedTuple):
    """The number of a model's features by type; ``unlearned`` columns have no type yet."""

    numbers: int
    texts: int
    unlearned: int

    @property
    def features(self) -> int:
        """The number of all features."""
        return sum(self)


class CheckContext(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a job, its baselines and times, and its last commit.

    ``stored`` is ``None`` if nothing was committed yet.
    """

    config: Config
    baselines: Mapping[str, Baseline]
    times: JobSettings
    idle_ms: int
    stored: StoredState | None

    def monitored(self) -> dict[str, MonitoredFeatures]:
        """Return the features of each model."""
        columns = columns_by_model(self.config, self.baselines)
        features = {}
        for model, baseline in self.baselines.items():
            numeric = [feature.numeric for feature in baseline.layout.features]
            features[model] = MonitoredFeatures(
                numbers=sum(numeric),
                texts=len(numeric) - sum(numeric),
                unlearned=len(columns[model].unlearned),
            )
        return features


def context_of(config: Config, stored: StoredState | None) -> CheckContext:
    """Read the baselines; those that are learned come from the state.

    Raises as ``driftline run`` does for baselines.
    """
    baselines = configured_baselines(config)
    if stored is not None:
        baselines |= {
            name: baseline
            for name, baseline in stored.baselines.items()
            if name in baselines and config.models[name].learned
        }
    settings = settings_of(config)
    return CheckContext(
        config=config, baselines=baselines, times=settings, idle_ms=settings.idle_ms, stored=stored
    )
