"""What can be said of a configuration without network."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from detectors.profiles.baseline import Baseline
from stream.config.environment import Variables
from stream.config.model import Config
from stream.errors import ConfigError
from stream.service.job import configured_baselines

NO_SINKS: Final = (
    "there are none: windows and signals are told in the log only, and /metrics has no figures of features; "
    "add {type: prometheus}, or {type: jsonl, path: reports/}, which driftline explain needs"
)


def check(config: Config, variables: Variables) -> list[str]:
    """Lines about models and windows. Raises as ``driftline run`` would for baselines, and ``ConfigError`` for what a source or a sink
    finds wrong; what they say of a text with an unset variable in it does not count.
    """
    with variables.blamed():
        baselines = configured_baselines(config)
    check_parts(config, variables.unset)
    models = [f"model {name}: {_told(baseline)}" for name, baseline in baselines.items()]
    return [*models, f"windows of {config.window}, reported {config.grace_ms / 1000:g} s after their end (grace)"]


def check_parts(config: Config, unset: Collection[str] = ()) -> None:
    """Raise ``ConfigError`` for what source, sinks or state find wrong with their own keys; those in ``unset`` do not count."""
    parts: list[tuple[str, Any]] = [("source", config.source)]
    parts += [(f"sinks[{k}]", sink) for k, sink in enumerate(config.sinks)]
    parts += [("state.s3", config.state.s3)] if config.state.s3 else []
    faults = [f"{where}.{fault}" for where, part in parts for fault in part.check()]
    faults = [fault for fault in faults if fault.partition(": ")[0] not in unset]
    if faults:
        where, _, found = faults[0].partition(": ")
        raise ConfigError(where, "a value that can work", "; ".join([found, *faults[1:]]))


def warnings(config: Config, variables: Variables) -> list[str]:
    """What is worth a second look though it is no fault: variables that are not set, and results that go nowhere."""
    out = [f"{key}: the environment variable {name} is not set; driftline run needs it" for key, name in variables.unset.items()]
    return out if config.sinks else [*out, f"sinks: {NO_SINKS}"]


def _told(baseline: Baseline) -> str:
    features = len(baseline.layout.features)
    return f"baseline {baseline.fingerprint}, {features} features" if baseline.columns else "baseline will be learned"
