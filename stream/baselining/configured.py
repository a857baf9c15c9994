"""Loads the baselines that a configuration names, and checks that they fit it."""

from __future__ import annotations

from pathlib import Path

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from stream.baselining.build import empty_baseline, load_baseline
from stream.baselining.columns import columns_of
from stream.config.consistency import baseline_faults
from stream.config.model import Config
from stream.errors import BaselineMismatch, ConfigError, ConfigFault


def configured_baselines(config: Config) -> dict[str, Baseline]:
    """Return the baseline of each model from its folder, empty where it is to be learned.

    Raises :class:`~stream.errors.ConfigError` with all faults: a folder without a baseline, a
    baseline that does not fit the columns of its model, names and statistics that do not fit the
    baseline.
    """
    baselines = {}
    faults = []
    columns: dict[str, tuple[str, ...]] = {}
    for name, model in config.models.items():
        try:
            baseline = empty_baseline() if model.learned else load_baseline(Path(model.baseline))
            named = columns_of(name, baseline, model.outputs, model.inputs)
        except BaselineInvalid as error:
            reason = f"expected a folder with a baseline, or `learn`; {error}"
            faults.append(ConfigFault(path=f"models.{name}.baseline", reason=reason))
        except BaselineMismatch as error:
            reason = f"the baseline's {error.field} are in neither outputs nor inputs"
            faults.append(ConfigFault(path=f"models.{name}", reason=reason))
        else:
            baselines[name] = baseline
            columns[name] = (*named.outputs, *named.inputs)
    faults += baseline_faults(config, columns, baselines)
    if faults:
        raise ConfigError(faults)
    return baselines


def baselines_check(config: Config) -> list[ConfigFault]:
    """Return the faults of :func:`configured_baselines`, as a check of a configuration."""
    try:
        configured_baselines(config)
    except ConfigError as error:
        return list(error.faults)
    return []
