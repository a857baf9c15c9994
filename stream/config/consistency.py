"""Faults between the keys of a configuration: names that nothing has, windows that cannot be, parts
that would meet in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.changes.base import series_fits
from detectors.durations import LONGEST, duration_ms
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Feature
from detectors.statistics.catalogue import deciding_statistics
from stream.errors import ConfigError
from stream.formats.base import NameConfig

if TYPE_CHECKING:
    from stream.config.model import Config, ModelConfig

MOST_PANES: Final = 10_000
"""Panes of a window at the most: each is a row of the state, and all are added up for each window.
"""


def check_keys(config: Config) -> None:
    """Raise :class:`~stream.errors.ConfigError` for the first fault that can be seen without a
    baseline.
    """
    _windows(config)
    for where, origin in (("model", config.model), ("variant", config.variant)):
        _origin(where, origin, config.source.record_fields)
    if config.model.source == "const" and config.model.name not in config.models:
        raise ConfigError(
            "model.name", "the name of a model", repr(config.model.name), sorted(config.models)
        )
    if not 1 <= config.rules.k <= config.rules.of:
        raise ConfigError(
            "rules.k", f"a number from 1 to rules.of ({config.rules.of})", str(config.rules.k)
        )
    for where, name in _statistics(config):
        if name not in deciding_statistics():
            raise ConfigError(
                where, "a statistic that can decide", repr(name), deciding_statistics()
            )
    for name, model in config.models.items():
        _columns(f"models.{name}", model)
    _dedupe(config)
    _places(config)
    _takeover(config)


def check_baselines(
    config: Config, columns: Mapping[str, Sequence[str]], baselines: Mapping[str, Baseline]
) -> None:
    """Raise :class:`~stream.errors.ConfigError` for the first name that no column of its model has,
    or that its values do not fit.
    """
    for name, model in config.models.items():
        for feature, rules in model.features.items():
            where = f"models.{name}.features.{feature}"
            _known(where, feature, columns[name])
            _fits(f"{where}.statistic", rules.statistic, _feature(baselines[name], feature))
        for k, change in enumerate(model.change_detectors):
            where = f"models.{name}.change_detectors[{k}]"
            _known(f"{where}.feature", change.feature, columns[name])
            _fits(f"{where}.series", change.series, _feature(baselines[name], change.feature))
    every = sorted({column for names in columns.values() for column in names})
    for key, names in config.format.named_columns().items():
        for one in names:
            _known(f"format.{key}.{one}", one, every)


def _windows(config: Config) -> None:
    for key in ("window", "every", "grace", "lateness", "idle", "tolerance"):
        text = getattr(config, key)
        if text is not None and duration_ms(text) > duration_ms(LONGEST):
            raise ConfigError(key, f"at most {LONGEST}", text)
    window, every = duration_ms(config.window), config.every_ms
    if window <= 0:
        raise ConfigError("window", "a duration above 0", config.window)
    if every <= 0 or window % every:
        raise ConfigError(
            "every", f"a duration that divides window ({config.window}) evenly", str(config.every)
        )
    if window > MOST_PANES * every:
        raise ConfigError(
            "every",
            f"a step that window ({config.window}) holds at most {MOST_PANES} times",
            str(config.every),
        )


def _dedupe(config: Config) -> None:
    """The id must be one that the format is told to read."""
    if config.dedupe is None:
        return
    if not 0 < duration_ms(config.dedupe.horizon) <= duration_ms(LONGEST):
        raise ConfigError(
            "dedupe.horizon", f"a duration above 0, at most {LONGEST}", config.dedupe.horizon
        )
    if not config.format.has_id(config.dedupe.by):
        raise ConfigError(
            "dedupe.by",
            "an id that the format reads (`format.id`, `format.inference_id`)",
            config.dedupe.by,
        )


def _origin(where: str, origin: NameConfig, tells: frozenset[str]) -> None:
    """Refuse an origin that could never give a name."""
    possible = ["const", "path", *sorted(tells)]
    if origin.source not in possible:
        raise ConfigError(
            f"{where}.from",
            "an origin that records of this source have",
            repr(origin.source),
            possible,
        )
    if origin.source in ("const", "header", "path", "file") and not origin.name:
        raise ConfigError(
            f"{where}.name", f"a name, which `from: {origin.source}` needs", "nothing"
        )
    if origin.source == "file":
        try:
            groups = re.compile(origin.name).groups
        except re.error as error:
            raise ConfigError(f"{where}.name", "a regular expression", str(error)) from error
        if not groups:
            raise ConfigError(
                f"{where}.name", "a regular expression with a group", repr(origin.name)
            )


def _statistics(config: Config) -> Iterator[tuple[str, str]]:
    yield "rules.statistic", config.rules.statistic
    for model, one in config.models.items():
        for name, rules in one.features.items():
            if rules.statistic is not None:
                yield f"models.{model}.features.{name}.statistic", rules.statistic


def _columns(where: str, model: ModelConfig) -> None:
    if model.learned and (model.outputs is None or model.inputs is None):
        raise ConfigError(
            where,
            "outputs and inputs, since `baseline: learn` has no file to take names from",
            "none",
        )
    named = [*(model.outputs or ()), *(model.inputs or ())]
    if model.learned and not named:
        raise ConfigError(where, "at least one column in outputs or inputs", "none")
    for name in named:
        if named.count(name) > 1:
            raise ConfigError(where, "each column once in outputs and inputs", f"{name!r} twice")


def _takeover(config: Config) -> None:
    """An owner must be able to show several times that it is alive before another one takes over."""
    if (
        config.state.s3 is not None
        and not 3_000 <= duration_ms(config.state.s3.take_over_after) <= 600_000
    ):
        raise ConfigError("state.s3.take_over_after", "3s to 10m", config.state.s3.take_over_after)


def _places(config: Config) -> None:
    """Two parts must not write to one place, and a file must not lie where a folder is."""
    seen: dict[object, str] = {}
    for k, sink in enumerate(config.sinks):
        for place in sink.destinations():
            if place in seen:
                raise ConfigError(f"sinks[{k}]", "a place of its own", f"the same as {seen[place]}")
            seen[place] = f"sinks[{k}]"
    for key, path in (
        ("state.path", config.state.path),
        ("dead_letters.path", config.dead_letters.path),
    ):
        if not path or Path(path).is_dir():
            raise ConfigError(key, "the path of a file", "a folder" if path else "nothing")


def _known(where: str, name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise ConfigError(where, "the name of a column", repr(name), list(names))


def _feature(baseline: Baseline, name: str) -> Feature | None:
    place = baseline.layout.index.get(name)
    return None if place is None else baseline.layout.features[place]


def _fits(where: str, statistic: str | None, feature: Feature | None) -> None:
    if (
        feature is not None
        and statistic is not None
        and not series_fits(statistic, feature.numeric)
    ):
        kind = "numbers" if feature.numeric else "text"
        valid = [name for name in deciding_statistics() if series_fits(name, feature.numeric)]
        raise ConfigError(where, f"a statistic of {kind}", repr(statistic), valid)
