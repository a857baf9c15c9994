"""Warnings about names that a sink cannot use as they are, or that no model has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.components import type_of
from sinks.base import ConfiguredNames
from stream.baselining.columns import columns_by_model
from stream.baselining.configured import configured_baselines
from stream.config.model import Config

MAX_NAMED: Final = 5
MAX_SHOWN: Final = 60
"""The number of characters up to which a name is shown whole."""


def name_warnings(config: Config) -> Iterator[str]:
    """Yield a line for each sink that replaces names of job, models, features or variant.

    And one for each sink whose settings name features that no model has.

    Raises ``ConfigError`` as ``driftline run`` does if a baseline cannot be used.
    """
    columns = columns_by_model(config, configured_baselines(config))
    models = {model: [*known.outputs, *known.inputs] for model, known in columns.items()}
    variant = config.variant.name if config.variant.source == "const" else ""
    names = ConfiguredNames(config.job, models, variant)
    for position, sink in enumerate(config.sinks):
        if pairs := sink.replaced_names(names):
            shown = [f"{_shown(name)} becomes {_shown(other)}" for name, other in pairs[:MAX_NAMED]]
            if len(pairs) > MAX_NAMED:
                shown.append(f"and {len(pairs) - MAX_NAMED:,} more")
            yield (
                f"sinks[{position}]: {type_of(sink)} cannot hold these names: {'; '.join(shown)};"
                " rename them, or use the new names in alarms and dashboards"
            )
        if unknown := sink.unknown_names(names):
            named = ", ".join(map(_shown, unknown[:MAX_NAMED]))
            more = f", and {len(unknown) - MAX_NAMED:,} more" if len(unknown) > MAX_NAMED else ""
            yield f"sinks[{position}]: no model has these features: {named}{more}; correct them"


def _shown(name: str) -> str:
    return repr(name if len(name) <= MAX_SHOWN else f"{name[:30]}…{name[-20:]}")
