"""What every live look needs to know of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from detectors.baseline import Baseline
from stream.assembly import configured_baselines, settings_of, times_of
from stream.config import Config
from stream.doctor.stored import Stored
from stream.readers import Times


class Setup(NamedTuple):
    """A configuration, the baselines it names, its times, and what its state holds (``None``: nothing yet)."""

    config: Config
    baselines: Mapping[str, Baseline]
    times: Times
    idle_ms: int
    stored: Stored | None


def setup_of(config: Config, stored: Stored | None) -> Setup:
    """Read the baselines; raises as ``driftline run`` would."""
    return Setup(config, configured_baselines(config), times_of(config), settings_of(config).idle_ms, stored)
