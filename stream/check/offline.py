"""What can be said of a configuration without network."""

from __future__ import annotations

from typing import Final

from detectors.profiles.baseline import Baseline
from stream.baselining.configured import configured_baselines
from stream.config.component_checks import check_parts
from stream.config.environment import Environment
from stream.config.model import Config

NO_SINKS: Final = (
    "there are none: windows and signals are told in the log only, and /metrics has no figures of"
    " features; add {type: prometheus}, or {type: jsonl, path: reports/}, which driftline explain"
    " needs"
)


def check(config: Config, variables: Environment) -> list[str]:
    """Lines about models and windows. Raises as ``driftline run`` would for baselines, and
    ``ConfigError`` for what a source or a sink finds wrong; what they say of a text with an unset
    variable in it does not count.
    """
    with variables.blamed():
        baselines = configured_baselines(config)
    check_parts(config, variables.unset)
    models = [f"model {name}: {_told(baseline)}" for name, baseline in baselines.items()]
    return [
        *models,
        (
            f"windows of {config.window}, reported {config.grace_ms / 1000:g} s after their end"
            " (grace)"
        ),
    ]


def warnings(config: Config, variables: Environment) -> list[str]:
    """What is worth a second look though it is no fault: variables that are not set, and results
    that go nowhere.
    """
    out = [
        f"{key}: the environment variable {name} is not set; driftline run needs it"
        for key, name in variables.unset.items()
    ]
    return out if config.sinks else [*out, f"sinks: {NO_SINKS}"]


def _told(baseline: Baseline) -> str:
    features = len(baseline.layout.features)
    return (
        f"baseline {baseline.fingerprint}, {features} features"
        if baseline.columns
        else "baseline will be learned"
    )
