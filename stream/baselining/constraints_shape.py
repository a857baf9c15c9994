"""The keys of ``constraints.json``, and how its content is read from a file."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import inspect

from detectors.decisions.rules import Share
from detectors.profiles.layout import InferredType
from stream.config.faults import UNKNOWN_KEY
from stream.config.misspelling import is_misspelt
from stream.config.validation import type_faults
from stream.errors import ConfigFault

OBSERVATIONS: Final = ("approximate_num_distinct_values",)
"""Keys that state what was observed in the training data, and require nothing."""

Switch = Literal["Enabled", "Disabled"] | bool
Text = Annotated[str | int | float | bool, msgspec.Meta(extra={"expected": "text or a number"})]
Faults = Iterator[ConfigFault]


class Override(msgspec.Struct, frozen=True):
    """The override of a feature, in both spellings."""

    evaluate_constraints: Switch | None = None
    evaluateConstraints: Switch | None = None
    emit_metrics: Switch | None = None
    emitMetrics: Switch | None = None


class NumberRequirements(msgspec.Struct, frozen=True):
    """The requirements on numbers."""

    is_non_negative: bool | None = None
    monitoring_config_overrides: Override = Override()
    monitoringConfigOverrides: Override = Override()


class TextRequirements(msgspec.Struct, frozen=True):
    """The requirements on text."""

    domains: Annotated[list[Text], msgspec.Meta(min_length=1)] | None = None
    monitoring_config_overrides: Override = Override()
    monitoringConfigOverrides: Override = Override()


class FeatureEntry(msgspec.Struct, frozen=True):
    """The entry of one feature."""

    name: str
    inferred_type: InferredType | None = None
    completeness: Share | None = None
    num_constraints: NumberRequirements = NumberRequirements()
    string_constraints: TextRequirements = TextRequirements()
    monitoring_config_overrides: Override = Override()
    monitoringConfigOverrides: Override = Override()


class Drift(msgspec.Struct, frozen=True):
    """The limits of the comparison with the baseline."""

    perform_comparison: Switch | None = None
    enable_comparisons: Switch | None = None
    min_domain_mass: Share = 1.0
    comparison_threshold: Share = 0.1
    comparison_method: Literal["Robust", "Simple", "linf_robust", "linf_simple"] = "Robust"
    categorical_comparison_threshold: Share | None = None
    categorical_drift_method: Literal["LInfinity", "ChiSquared"] = "LInfinity"


class Monitoring(msgspec.Struct, frozen=True):
    """The limits for all features."""

    evaluate_constraints: Switch | None = None
    emit_metrics: Switch | None = None
    datatype_check_threshold: Share = 1.0
    domain_content_threshold: Share = 1.0
    distribution_constraints: Drift = Drift()


class File(msgspec.Struct, frozen=True):
    """The whole file; its features are read one by one."""

    features: list[Any]
    version: Text = 0.0
    monitoring_config: Any = None


def unread_keys(path: Path) -> list[str]:
    """The keys of a ``constraints.json`` that are not read, each with its place.

    One that features have in common is named once, with their number. Empty for a file that cannot
    be read: :func:`load_constraints` says why.
    """
    try:
        data = without_nulls(content_of(path))
    except (OSError, RecursionError, ValueError):
        return []
    places = Counter(re.sub(r"\[\d+\]", "[]", fault.path) for fault in _unread(data))
    return [place if count == 1 else f"{place} ({count} times)" for place, count in places.items()]


@functools.cache
def described(kind: type) -> inspect.Type:
    """The type as msgspec describes it: looked up once, since a file has thousands of features."""
    return inspect.type_info(kind)


def _unread(data: object) -> Faults:
    """The unknown keys of all parts of a file that are not misspelt."""
    if not isinstance(data, Mapping):
        return
    raw = data.get("features")
    features = raw if isinstance(raw, list) else []
    parts: list[tuple[type, object, str]] = [
        (File, data, ""),
        *((FeatureEntry, feature, f"features[{k}]") for k, feature in enumerate(features)),
        (Monitoring, data.get("monitoring_config", {}), "monitoring_config"),
    ]
    for kind, part, path in parts:
        yield from filter(is_unread, type_faults(described(kind), part, path))


def is_unread(fault: ConfigFault) -> bool:
    """Whether a fault is an unknown key that is not read: it is no misspelt name of a known one."""
    return fault.expected == UNKNOWN_KEY and not is_misspelt(fault.found, fault.valid)


def content_of(path: Path) -> Any:
    """The JSON of a file; raises ``ValueError`` for other content."""
    data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_object)
    json.dumps(data, ensure_ascii=False).encode()  # fails on half of a surrogate pair
    return data


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """The mapping of a JSON object; of two equal keys one would be passed over."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} twice in one object")
    return dict(pairs)


def without_nulls(data: object) -> object:
    """The same data without observations, and without keys that are null: they have defaults."""
    if isinstance(data, dict):
        return {
            key: without_nulls(value)
            for key, value in data.items()
            if value is not None and key not in OBSERVATIONS
        }
    return [without_nulls(item) for item in data] if isinstance(data, list) else data
