"""Reads ``constraints.json``: each known key is obeyed, or refused with the reason and a remedy.

A key that is misspelt is refused. Any other unknown key is not read, so that a file of a newer
Model Monitor can be used: :func:`~.constraints_shape.unread_keys` names them.

See docs/sagemaker-compatibility.md for what each key means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from detectors.faults import nearest
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from detectors.profiles.domains import domain_problem
from detectors.profiles.layout import InferredType, Layout
from stream.baselining.constraints_shape import (
    FeatureEntry,
    File,
    Monitoring,
    Override,
    content_of,
    described,
    is_unread,
    without_nulls,
)
from stream.config.faults import key_path, mismatch, unknown_name
from stream.config.validation import type_faults
from stream.errors import ConfigError, ConfigFault

ANEW_WITH_VALUES: Final = "make it anew from training data that have them"
SWITCHES: Final = (("evaluate_constraints", "evaluateConstraints"), ("emit_metrics", "emitMetrics"))
"""The switches of a feature's override, each in its two spellings."""
LONGEST_LIST: Final = 20
"""The largest number of features that a message names."""

Faults = Iterator[ConfigFault]


Part = TypeVar("Part", File, FeatureEntry, Monitoring)


def load_constraints(path: Path, layout: Layout, columns: Sequence[str]) -> Constraints:
    """Read the constraints of a baseline with this layout and these columns.

    Raises :class:`~stream.errors.ConfigError` with all faults of the file.
    """
    try:
        return read_constraints(content_of(path), layout, columns)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except RecursionError:
        reason = "not a file of constraints: nested too deeply"
    except ValueError as error:
        reason = f"not JSON ({error})"
    except ConfigError as error:
        raise ConfigError(error.faults, str(path)) from None
    raise ConfigError([ConfigFault(path="", reason=reason)], str(path))


def read_constraints(data: object, layout: Layout, columns: Sequence[str]) -> Constraints:
    """Return the constraints in the content of a ``constraints.json``.

    Files of earlier versions, without categorical keys, are read too, and both spellings and all
    places of a feature's override. A key that is null has its default; one that is unknown is not
    read. Raises :class:`~stream.errors.ConfigError` with all faults: misspelt keys, unknown values,
    features without an entry or with two, and requirements that the counts of the baseline cannot
    decide.
    """
    faults: list[ConfigFault] = []
    file = _part(File, without_nulls(data), "", faults)
    if file is None:
        raise ConfigError(faults)
    features = {
        position: feature
        for position, raw in enumerate(file.features)
        if (feature := _feature(raw, f"features[{position}]", layout, columns, faults)) is not None
    }
    faults += _names(file.features, layout, columns)
    monitoring = _part(Monitoring, file.monitoring_config or {}, "monitoring_config", faults)
    faults += _monitoring_faults(monitoring or Monitoring())
    if faults:
        raise ConfigError(faults)
    return Constraints(
        {feature.name: _constraint(feature, layout) for feature in features.values()},
        _thresholds(monitoring or Monitoring()),
    )


def _part(kind: type[Part], raw: object, path: str, faults: list[ConfigFault]) -> Part | None:
    """The part of a file as a struct; its faults are added to ``faults``.

    A key at fault has its default there, so that the rest can be checked. ``None`` if it has no
    default. A key that is not read is no fault.
    """
    found = list(type_faults(described(kind), raw, path))
    told = [fault for fault in found if not is_unread(fault)]
    faults += told
    try:
        return msgspec.convert(_without(raw, path, {fault.path for fault in found}), kind)
    except msgspec.ValidationError:
        faults += [] if told else found  # a required key under another name
        return None


def _without(raw: object, path: str, wrong: Collection[str]) -> object:
    """The data at ``path`` without the keys at the paths ``wrong``."""
    if not isinstance(raw, dict):
        return raw
    items = ((key_path(path, key), key, value) for key, value in raw.items())
    return {key: _without(value, at, wrong) for at, key, value in items if at not in wrong}


def _feature(
    raw: object,
    path: str,
    layout: Layout,
    columns: Sequence[str],
    faults: list[ConfigFault],
) -> FeatureEntry | None:
    """The entry of a feature; ``None`` if it has faults, each of which names the feature."""
    found: list[ConfigFault] = []
    feature = _part(FeatureEntry, raw, path, found)
    if feature is not None and feature.name in columns:
        found += _feature_faults(feature, path, layout)
    name = raw.get("name") if isinstance(raw, Mapping) else None
    suffix = f" (feature {name!r})" if isinstance(name, str) else ""
    faults += [msgspec.structs.replace(fault, reason=fault.reason + suffix) for fault in found]
    return None if found else feature


def _names(raw: Sequence[object], layout: Layout, columns: Sequence[str]) -> Faults:
    """Faults of names: unknown ones, those given twice, and features without an entry."""
    positions: dict[str, int] = {}
    for position, item in enumerate(raw):
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str):
            continue
        path = f"features[{position}].name"
        if name in positions:
            reason = f"{name!r} has an entry already: features[{positions[name]}]"
            yield ConfigFault(path=path, reason=reason, found=name)
        elif name not in columns:
            yield unknown_name(path, "column", name, columns)
        positions.setdefault(name, position)
    yield from _absent(positions, layout, columns)


def _absent(positions: Mapping[str, int], layout: Layout, columns: Sequence[str]) -> Faults:
    """The fault of features without an entry; one whose name is misspelt is reported already."""
    meant = {nearest(name, columns) for name in positions if name not in columns}
    absent = [repr(name) for name in layout.index if name not in positions and name not in meant]
    if absent:
        more = len(absent) - LONGEST_LIST
        names = ", ".join(absent[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
        reason = (
            f"no entry for {names}, which the baseline has. To switch the checks of a feature off,"
            ' keep its entry and add "monitoringConfigOverrides": {"evaluate_constraints":'
            ' "Disabled"}; to leave a column out, make the baseline anew with --exclude'
        )
        yield ConfigFault(path="features", reason=reason, expected="an entry for each feature")


def _feature_faults(feature: FeatureEntry, path: str, layout: Layout) -> Faults:
    """Requirements on one feature that the counts of its baseline cannot decide."""
    yield from _switch_faults(_overrides(feature, path))
    is_empty = _counted_type(feature, layout) == "Unknown"
    if is_empty and feature.inferred_type not in (None, "Unknown"):
        expected = '"Unknown", since the training data have no value of it'
        yield mismatch(f"{path}.inferred_type", expected, repr(feature.inferred_type))
    if feature.name not in layout.index:
        return
    counted = layout.features[layout.index[feature.name]]
    yield from _type_faults(feature, path, counted.type)
    if feature.num_constraints.is_non_negative and not counted.numeric:
        advice = _anew("number", feature.name)
        reason = f"the baseline counted text, which has no sign: remove the key, or {advice}"
        yield ConfigFault(path=f"{path}.num_constraints.is_non_negative", reason=reason)
    problem = domain_problem(counted, _domain(feature) or ())
    if problem:
        advice = _anew("text", feature.name) if counted.numeric else ANEW_WITH_VALUES
        yield ConfigFault(path=f"{path}.string_constraints.domains", reason=f"{problem}: {advice}")


def _type_faults(feature: FeatureEntry, path: str, counted: InferredType) -> Faults:
    declared = feature.inferred_type
    numbers = ("Integral", "Fractional")
    if (
        counted == "Unknown"
        or declared in (None, counted)
        or (declared in numbers and counted in numbers)
    ):
        return
    noun = "numbers" if counted in numbers else "text"
    option = "number" if declared in numbers else "text"
    advice = _anew(option, feature.name) if declared != "Unknown" else f'write "{counted}"'
    reason = f'"{declared}", but the baseline counted {noun}: {advice}'
    expected = " or ".join(numbers) if counted in numbers else counted
    yield ConfigFault(
        path=f"{path}.inferred_type", reason=reason, expected=expected, found=str(declared)
    )


def _anew(option: str, name: str) -> str:
    """The advice to make the baseline anew with an option that names the column."""
    plain = name.replace("_", "").replace(".", "").isalnum()
    return f"make it anew from training data with --{option} {name if plain else repr(name)}"


def _monitoring_faults(monitoring: Monitoring) -> Faults:
    drift = monitoring.distribution_constraints
    path = "monitoring_config.distribution_constraints"
    if drift.min_domain_mass != 1.0:
        advice = "write the share as monitoring_config.domain_content_threshold"
        yield _refused(f"{path}.min_domain_mass", str(drift.min_domain_mass), advice)
    older, newer = drift.enable_comparisons, drift.perform_comparison
    if None not in (older, newer) and _is_on(older) != _is_on(newer):
        reason = "contradicts perform_comparison: remove one of the two"
        yield ConfigFault(path=f"{path}.enable_comparisons", reason=reason)


def _refused(path: str, value: str, reason: str) -> ConfigFault:
    return ConfigFault(path=path, reason=f"{value!r} cannot be obeyed: {reason}", found=value)


def _switch_faults(overrides: Mapping[str, Override]) -> Faults:
    """Switches of a feature that contradict each other, in two places or in two spellings."""
    for keys in SWITCHES:
        switches = {
            f"{path}.{key}": switch
            for path, override in overrides.items()
            for key in keys
            if (switch := getattr(override, key)) is not None
        }
        if len(set(map(_is_on, switches.values()))) > 1:
            reason = f"contradicts {next(iter(switches))}: remove one of the two"
            yield ConfigFault(path=list(switches)[-1], reason=reason)


def _overrides(feature: FeatureEntry, path: str = "") -> dict[str, Override]:
    """The overrides of a feature by their path."""
    places = {
        path: feature,
        f"{path}.string_constraints": feature.string_constraints,
        f"{path}.num_constraints": feature.num_constraints,
    }
    keys = ("monitoringConfigOverrides", "monitoring_config_overrides")
    return {
        f"{place}.{key}": getattr(struct, key) for place, struct in places.items() for key in keys
    }


def _constraint(feature: FeatureEntry, layout: Layout) -> Constraint:
    counted, declared = _counted_type(feature, layout), feature.inferred_type
    evaluate, emit = (
        all(_is_on(getattr(each, key)) for each in _overrides(feature).values() for key in keys)
        for keys in SWITCHES
    )
    return Constraint(
        feature.completeness,
        feature.num_constraints.is_non_negative,
        _domain(feature),
        evaluate,
        msgspec.UNSET if declared is None or declared == counted else declared,
        msgspec.UNSET if emit else False,
    )


def _domain(feature: FeatureEntry) -> tuple[str, ...] | None:
    """The allowed values as the text of events, where a boolean is ``true`` or ``false``."""
    domains = feature.string_constraints.domains
    if domains is None:
        return None
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in domains)


def _counted_type(feature: FeatureEntry, layout: Layout) -> InferredType:
    """The type in the layout; in a baseline of 0.1.0 a column without a value has no feature."""
    position = layout.index.get(feature.name)
    return "Unknown" if position is None else layout.features[position].type


def _thresholds(monitoring: Monitoring) -> Thresholds:
    drift = monitoring.distribution_constraints
    return Thresholds(
        evaluate_constraints=_is_on(monitoring.evaluate_constraints),
        datatype_check_threshold=monitoring.datatype_check_threshold,
        domain_content_threshold=monitoring.domain_content_threshold,
        perform_comparison=_is_on(drift.perform_comparison) and _is_on(drift.enable_comparisons),
        comparison_threshold=drift.comparison_threshold,
        categorical_comparison_threshold=drift.categorical_comparison_threshold,
        comparison_method=(
            "Simple" if drift.comparison_method in ("Simple", "linf_simple") else msgspec.UNSET
        ),
        categorical_drift_method=(
            "ChiSquared" if drift.categorical_drift_method == "ChiSquared" else msgspec.UNSET
        ),
        emit_metrics=msgspec.UNSET if _is_on(monitoring.emit_metrics) else False,
    )


def _is_on(switch: str | bool | None) -> bool:
    """The state of a switch, which is on unless it is set."""
    return switch not in ("Disabled", False)
