"""Reads the ``constraints.json`` of model quality: thresholds, which users may edit."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast, get_args

from detectors.quality.baseline import ComparisonOperator, MetricConstraint
from detectors.quality.config import Problem
from stream.baselining.quality.sagemaker_files import CONSTRAINTS_KEYS
from stream.config.faults import key_path, mismatch, missing, quoted, unknown_key, unknown_name
from stream.errors import ConfigError, ConfigFault

OPERATORS: Final = get_args(ComparisonOperator)
OF_DATA: Final = (
    "these are the constraints of a baseline of the data; one of the quality is made with"
    " `driftline baseline FILE --quality PROBLEM --label NAME`"
)
Faults = Iterator[ConfigFault]


class RequiredQuality(NamedTuple):
    """The constraints in a file, and the problem that they are meant for."""

    problem: Problem
    constraints: dict[str, MetricConstraint]


def load_quality_constraints(
    path: Path, metrics: Mapping[Problem, Collection[str]]
) -> RequiredQuality:
    """Read the constraints in a file; ``metrics`` are the names that each problem has.

    Raises :class:`~stream.errors.ConfigError` with all faults of the file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_object)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except RecursionError:
        reason = "not a file of constraints: nested too deeply"
    except ValueError as error:
        reason = f"not JSON ({error})"
    else:
        try:
            return read_quality_constraints(data, metrics)
        except ConfigError as error:
            raise ConfigError(error.faults, str(path)) from None
    raise ConfigError([ConfigFault(path="", reason=reason)], str(path))


def read_quality_constraints(
    data: object, metrics: Mapping[Problem, Collection[str]]
) -> RequiredQuality:
    """Return the constraints in the content of a file.

    A metric that was removed has no constraint. Raises :class:`~stream.errors.ConfigError` with all
    faults: unknown keys, metrics and operators, thresholds that are no numbers, and no or several
    problems.
    """
    faults = list(_file_faults(data))
    if not isinstance(data, Mapping) or faults:
        raise ConfigError(faults)
    problem, key = next((name, key) for name, key in CONSTRAINTS_KEYS.items() if key in data)
    entries: Mapping[str, object] = data[key]
    for name, raw in entries.items():
        faults += _entry_faults(raw, f"{key}.{name}", name, sorted(metrics[problem]))
    if faults:
        raise ConfigError(faults)
    return RequiredQuality(problem, {name: _constraint(raw) for name, raw in entries.items()})


def _file_faults(data: object) -> Faults:
    if not isinstance(data, Mapping):
        yield mismatch("", "a mapping", quoted(data))
        return
    if "features" in data:
        yield ConfigFault(path="features", reason=OF_DATA, expected="constraints of model quality")
        return
    known = (*CONSTRAINTS_KEYS.values(), "version")
    yield from (unknown_key(str(key), key, known) for key in data if key not in known)
    present = [key for key in CONSTRAINTS_KEYS.values() if key in data]
    if len(present) != 1:
        expected = f"one of {', '.join(CONSTRAINTS_KEYS.values())}"
        yield mismatch("", expected, " and ".join(present) or "none")
    for key in present:
        if not isinstance(data[key], Mapping):
            yield mismatch(key, "a mapping of metrics", quoted(data[key]))


def _entry_faults(raw: object, path: str, name: str, valid: Sequence[str]) -> Faults:
    if name not in valid:
        yield unknown_name(path, "metric", name, valid)
    if not isinstance(raw, Mapping):
        yield mismatch(path, "a mapping of threshold and comparison_operator", quoted(raw))
        return
    known = ("threshold", "comparison_operator")
    yield from (unknown_key(key_path(path, key), key, known) for key in raw if key not in known)
    yield from (missing(key_path(path, key)) for key in known if key not in raw)
    threshold = raw.get("threshold", 0.0)
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not is_number or not math.isfinite(threshold):
        yield mismatch(f"{path}.threshold", "a finite number", quoted(threshold))
    operator = raw.get("comparison_operator", OPERATORS[0])
    if operator not in OPERATORS:
        yield unknown_name(f"{path}.comparison_operator", "operator", operator, OPERATORS)


def _constraint(raw: object) -> MetricConstraint:
    entry = cast("Mapping[str, float | ComparisonOperator]", raw)
    operator = cast("ComparisonOperator", entry["comparison_operator"])
    return MetricConstraint(float(entry["threshold"]), operator)


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """The mapping of a JSON object; of two equal keys one would be passed over."""
    keys = [key for key, _ in pairs]
    repeated = [key for key in keys if keys.count(key) > 1]
    if repeated:
        raise ValueError(f"the key {repeated[0]!r} twice in one object")
    return dict(pairs)
