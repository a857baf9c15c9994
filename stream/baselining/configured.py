"""The baselines that a configuration names."""

from __future__ import annotations

from pathlib import Path

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from stream.baselining.build import empty_baseline, load_baseline
from stream.baselining.columns import columns_now
from stream.config.consistency import check_baselines
from stream.config.model import Config
from stream.errors import ConfigError


def configured_baselines(config: Config) -> dict[str, Baseline]:
    """The baseline of each model from its folder; an empty one where it is to be learned.

    Raises :class:`~stream.errors.ConfigError` naming the key if a folder holds none,
    :class:`~stream.errors.BaselineMismatch` if it does not fit the columns or the names in the
    configuration.
    """
    out = {}
    for name, model in config.models.items():
        try:
            out[name] = empty_baseline() if model.learned else load_baseline(Path(model.baseline))
        except BaselineInvalid as error:
            raise ConfigError(
                f"models.{name}.baseline", "a folder with a baseline, or `learn`", str(error)
            ) from error
    columns = columns_now(config, out)
    check_baselines(
        config, {name: (*one.outputs, *one.inputs) for name, one in columns.items()}, out
    )
    return out
