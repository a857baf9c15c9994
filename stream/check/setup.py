"""What every live look needs to know of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from detectors.profiles.baseline import Baseline
from stream.baselining.configured import configured_baselines
from stream.check.stored_state import StoredState
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.event_time import JobSettings
from stream.readers.build import columns_now


class MonitoredFeatures(NamedTuple):
    """Features of a model: numbers, texts, and columns of which nobody knows before they are
    learned.
    """

    numbers: int
    texts: int
    unlearned: int

    @property
    def features(self) -> int:
        """All of them."""
        return sum(self)


class CheckContext(NamedTuple):
    """A configuration, the baselines it names, its times, and what its state holds (``None``:
    nothing yet).
    """

    config: Config
    baselines: Mapping[str, Baseline]
    times: JobSettings
    idle_ms: int
    stored: StoredState | None

    def watched(self) -> dict[str, MonitoredFeatures]:
        """What is counted of each model."""
        unlearned = {
            name: len(columns.unlearned)
            for name, columns in columns_now(self.config, self.baselines).items()
        }
        kinds = {
            name: [feature.numeric for feature in one.layout.features]
            for name, one in self.baselines.items()
        }
        return {
            name: MonitoredFeatures(
                sum(kinds[name]), len(kinds[name]) - sum(kinds[name]), unlearned[name]
            )
            for name in kinds
        }


def setup_of(config: Config, stored: StoredState | None) -> CheckContext:
    """Read the baselines, those that are learned from the state; raises as ``driftline run`` would."""
    baselines = configured_baselines(config)
    if stored is not None:
        baselines |= {
            name: one
            for name, one in stored.baselines.items()
            if name in baselines and config.models[name].learned
        }
    settings = settings_of(config)
    return CheckContext(config, baselines, settings, settings.idle_ms, stored)
