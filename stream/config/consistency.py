"""Checks between the keys of a configuration: unknown names, windows, shared destinations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.changes.base import series_fits
from detectors.durations import LONGEST, duration_ms
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Feature
from detectors.quality.error_detectors import error_detector_faults
from detectors.statistics.catalogue import DISTANCES, deciding_statistics
from sinks.s3 import S3
from stream.config.conditions import column_faults, syntax_faults
from stream.config.faults import mismatch, unknown_name
from stream.config.joint import joint_faults
from stream.config.label_keys import label_faults, quality_columns
from stream.config.renamed_keys import duration_text
from stream.config.seasons import season_faults, seasonal_baseline_faults
from stream.config.segments import segment_faults
from stream.config.weights import weight_faults
from stream.errors import ConfigFault
from stream.formats.base import NameConfig
from stream.formats.names import LONGEST_NAME, name_problem

if TYPE_CHECKING:
    from stream.config.model import Config, ModelConfig

MAX_PANES: Final = 10_000
"""The largest number of panes of a window. Each is a row of the state; each window sums them."""
NAMED_ORIGINS: Final = ("const", "header", "path", "file")
"""Origins that need the key ``name``."""

Faults = Iterator[ConfigFault]


def key_faults(config: Config) -> list[ConfigFault]:
    """Return all faults between keys that can be found without a baseline."""
    return [
        *_longest_durations(config),
        *_windows(config),
        *_grace(config),
        *_origin("model", config.model, config),
        *_origin("variant", config.variant, config),
        *_models(config),
        *_error_detectors(config),
        *season_faults(config),
        *weight_faults(config),
        *_rules(config),
        *_dedupe(config),
        *label_faults(config),
        *_schedules(config),
        *_destinations(config),
        *_endpoints(config),
        *_files(config),
        *_takeover(config),
    ]


def baseline_faults(
    config: Config, columns: Mapping[str, Sequence[str]], baselines: Mapping[str, Baseline]
) -> list[ConfigFault]:
    """Return the faults of unknown column names, and of statistics that do not fit a column.

    ``columns`` and ``baselines`` are by model. Other models are not checked.
    """
    faults: list[ConfigFault] = []
    for name in baselines:
        faults += _feature_rules(config, name, columns[name], baselines[name])
        faults += joint_faults(config.models[name], name, columns[name], baselines[name])
        faults += _change_detectors(config, name, columns[name], baselines[name])
        faults += quality_columns(config, name, columns[name])
        faults += seasonal_baseline_faults(config, name, baselines[name])
        faults += _quality_numbers(config, name, baselines[name])
    if baselines.keys() == config.models.keys():
        faults += _format_columns(config, columns)
        faults += column_faults(config.rules.conditions, columns, baselines)
    return faults


def _longest_durations(config: Config) -> Faults:
    keys = ("window", "every", "grace", "lateness", "idle", "tolerance")
    durations = {key: getattr(config, key) for key in keys}
    durations["learn.at_least"] = config.learn.at_least
    for name, model in config.models.items():
        if model.learn is not None:
            durations[f"models.{name}.learn.at_least"] = model.learn.at_least
    for key, text in durations.items():
        if text is not None and duration_ms(text) > duration_ms(LONGEST):
            yield mismatch(key, f"at most {LONGEST}", text)


def _grace(config: Config) -> Faults:
    """The fault of a source that finds events when they are too late for a silent partition."""
    found_ms = config.source.found_after_ms
    if config.grace_ms < found_ms:
        found = config.grace or f"the default {config.source.default_grace}"
        expected = f"at least {found_ms // 1000}s, after which this source finds an event"
        yield mismatch("grace", expected, found)


def _windows(config: Config) -> Faults:
    window_ms = duration_ms(config.window)
    every_ms = config.every_ms
    window = config.window
    if window_ms <= 0:
        yield mismatch("window", "a duration above 0", window)
    elif every_ms <= 0 or window_ms % every_ms:
        expected = f"a duration that divides window ({window}) evenly"
        yield mismatch("every", expected, str(config.every))
    elif window_ms > MAX_PANES * every_ms:
        expected = f"a duration that window ({window}) holds at most {MAX_PANES} times"
        yield mismatch("every", expected, str(config.every))


def _origin(path: str, origin: NameConfig, config: Config) -> Faults:
    """The faults of an origin that cannot yield a name."""
    possible = ["const", "path", *sorted(config.source.record_fields)]
    if origin.source not in possible:
        reason = f"records of this source have no {origin.source!r}; valid: {', '.join(possible)}"
        yield ConfigFault(
            path=f"{path}.from",
            reason=reason,
            expected="an origin that records of this source have",
            found=repr(origin.source),
            valid=tuple(possible),
        )
    elif origin.source in NAMED_ORIGINS and not origin.name:
        yield mismatch(f"{path}.name", f"a name, which `from: {origin.source}` needs", "nothing")
    elif origin.source == "file":
        yield from _pattern(f"{path}.name", origin.name)
    elif origin.source == "const":
        yield from _name(f"{path}.name", origin.name)


def _name(path: str, name: str) -> Faults:
    """The fault of a name of a model or variant that records could not have."""
    problem = name_problem(name)
    if problem:
        expected = f"printable Unicode of at most {LONGEST_NAME} characters"
        yield mismatch(path, expected, f"a name that {problem}")


def _pattern(path: str, pattern: str) -> Faults:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        yield mismatch(path, "a regular expression", f"{pattern!r} ({error})")
        return
    except (RecursionError, OverflowError):
        yield mismatch(path, "a regular expression", "one that is nested too deeply or too large")
        return
    if not groups:
        yield mismatch(path, "a regular expression with a group", repr(pattern))


def _models(config: Config) -> Faults:
    name = config.model.name
    if config.model.source == "const" and name and name not in config.models:
        yield unknown_name("model.name", "model", name, sorted(config.models))
    for model, settings in config.models.items():
        yield from _name("models", model)
        yield from _columns(f"models.{model}", settings)
        yield from segment_faults(f"models.{model}.segments", settings, config.rules)


def _columns(path: str, model: ModelConfig) -> Faults:
    named = [*(model.outputs or ()), *(model.inputs or ())]
    if model.learned and (model.outputs is None or model.inputs is None):
        reason = "outputs and inputs are required: `baseline: learn` has no file with their names"
        yield ConfigFault(path=path, reason=reason)
    elif model.learned and not named:
        reason = "at least one column is required in outputs or inputs"
        yield ConfigFault(path=path, reason=reason)
    for name in sorted({name for name in named if named.count(name) > 1}):
        reason = f"column {name!r} is named more than once in outputs and inputs"
        yield ConfigFault(path=path, reason=reason)


def _rules(config: Config) -> Faults:
    rules = config.rules
    if rules.k > rules.of:
        yield mismatch("rules.k", f"a number from 1 to rules.of ({rules.of})", str(rules.k))
    yield from syntax_faults(rules.conditions)
    for path, name in _statistics(config):
        if name not in deciding_statistics():
            yield unknown_name(path, "statistic", name, deciding_statistics())


def _statistics(config: Config) -> Iterator[tuple[str, str]]:
    yield "rules.statistic", config.rules.statistic
    for model, settings in config.models.items():
        for feature, rules in settings.features.items():
            if rules.statistic is not None:
                yield f"models.{model}.features.{feature}.statistic", rules.statistic


def _dedupe(config: Config) -> Faults:
    dedupe = config.dedupe
    if dedupe is None:
        return
    if not 0 < duration_ms(dedupe.horizon) <= duration_ms(LONGEST):
        yield mismatch("dedupe.horizon", f"a duration above 0, at most {LONGEST}", dedupe.horizon)
    if not config.format.has_id(dedupe.by):
        expected = "an id that the format reads (`format.id`, `format.inference_id`)"
        yield mismatch("dedupe.by", expected, dedupe.by)


def _schedules(config: Config) -> Faults:
    """The schedules of sinks whose periods do not consist of whole panes, or hold no window."""
    window_ms, every_ms = duration_ms(config.window), config.every_ms
    every = config.every or config.window
    for position, sink in enumerate(config.sinks):
        for schedule_ms in sink.schedules_ms() if every_ms > 0 else ():
            path, found = f"sinks[{position}].schedule", duration_text(schedule_ms)
            if schedule_ms < window_ms:
                yield mismatch(path, f"a duration of at least window ({config.window})", found)
            elif schedule_ms % every_ms:
                yield mismatch(path, f"a multiple of every ({every})", found)
            elif schedule_ms > duration_ms(LONGEST):
                yield mismatch(path, f"at most {LONGEST}", found)


def _destinations(config: Config) -> Faults:
    """Faults of sinks that write to the same destination."""
    writers: dict[str, str] = {}
    for position, sink in enumerate(config.sinks):
        path = f"sinks[{position}]"
        for destination in sink.destinations():
            if destination in writers:
                reason = f"writes to the same place as {writers[destination]} ({destination})"
                yield ConfigFault(path=path, reason=reason)
            writers.setdefault(destination, path)


def _endpoints(config: Config) -> Faults:
    """Faults of an endpoint's name under which several models would put the same files."""
    for position, sink in enumerate(config.sinks):
        if isinstance(sink, S3) and sink.endpoint and len(config.models) > 1:
            found = f"{sink.endpoint!r} for {len(config.models)} models"
            expected = "nothing, so that each model is an endpoint of its own"
            yield mismatch(f"sinks[{position}].endpoint", expected, found)


def _files(config: Config) -> Faults:
    for path, file in (
        ("state.path", config.state.path),
        ("dead_letters.path", config.dead_letters.path),
    ):
        try:
            if not file:
                yield mismatch(path, "the path of a file", "nothing")
            elif Path(file).is_dir():
                yield ConfigFault(path=path, reason=f"{file!r} is a folder; expected a file")
        except OSError as error:  # for example of a path that is too long for the file system
            yield ConfigFault(path=path, reason=f"cannot be a file: {error.strerror}")


def _takeover(config: Config) -> Faults:
    """Faults of ``take_over_after``, which must leave an owner time for several heartbeats."""
    s3 = config.state.s3
    if s3 is not None and not 3_000 <= duration_ms(s3.take_over_after) <= 600_000:
        yield mismatch("state.s3.take_over_after", "3s to 10m", s3.take_over_after)


def _feature_rules(
    config: Config, model: str, columns: Sequence[str], baseline: Baseline
) -> Faults:
    settings = config.models[model]
    for name in settings.weights if isinstance(settings.weights, dict) else ():
        if name not in columns:
            yield unknown_name(f"models.{model}.weights.{name}", "column", name, columns)
    for name, rules in settings.features.items():
        path = f"models.{model}.features.{name}"
        if name not in columns:
            yield unknown_name(path, "column", name, columns)
        elif rules.statistic is not None and rules.statistic in (valid := deciding_statistics()):
            yield from _fit(f"{path}.statistic", rules.statistic, _feature(baseline, name), valid)


def _change_detectors(
    config: Config, model: str, columns: Sequence[str], baseline: Baseline
) -> Faults:
    for position, detector in enumerate(config.models[model].change_detectors):
        path = f"models.{model}.change_detectors[{position}]"
        if detector.feature not in columns:
            yield unknown_name(f"{path}.feature", "column", detector.feature, columns)
        else:
            feature = _feature(baseline, detector.feature)
            series = ("mean", "completeness", *DISTANCES)
            yield from _fit(f"{path}.series", detector.series, feature, series)


def _error_detectors(config: Config) -> Faults:
    for name, model in config.models.items():
        if model.quality is not None:
            detectors = model.quality.error_detectors
            for fault in error_detector_faults(detectors, model.quality.problem):
                path = f"models.{name}.quality.error_detectors{fault.key}"
                yield ConfigFault(path=path, reason=fault.message)


def _quality_numbers(config: Config, model: str, baseline: Baseline) -> Faults:
    """The faults of columns of text where the quality of a model needs numbers."""
    quality = config.models[model].quality
    if quality is None:
        return
    keys = ["probability", *(["prediction"] if quality.problem == "regression" else [])]
    for key in keys:
        feature = _feature(baseline, getattr(quality, key))
        if feature is not None and not feature.numeric:
            found = f"{feature.name!r}, a column of text"
            yield mismatch(f"models.{model}.quality.{key}", "a column of numbers", found)


def _format_columns(config: Config, columns: Mapping[str, Sequence[str]]) -> Faults:
    known = sorted({column for names in columns.values() for column in names})
    for key, names in config.format.named_columns().items():
        for name in names:
            if name not in known:
                yield unknown_name(f"format.{key}.{name}", "column", name, known)


def _feature(baseline: Baseline, name: str) -> Feature | None:
    """The feature of a column; ``None`` if it is still to be learned."""
    position = baseline.layout.index.get(name)
    return None if position is None else baseline.layout.features[position]


def _fit(path: str, statistic: str, feature: Feature | None, known: Sequence[str]) -> Faults:
    if feature is None or series_fits(statistic, feature.numeric):
        return
    kind = "numbers" if feature.numeric else "text"
    valid = [name for name in known if series_fits(name, feature.numeric)]
    yield ConfigFault(
        path=path,
        reason=f"{statistic!r} does not apply to {kind}; valid: {', '.join(valid)}",
        expected=f"a statistic of {kind}",
        found=repr(statistic),
        valid=tuple(valid),
    )
