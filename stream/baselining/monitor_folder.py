"""A folder that SageMaker Model Monitor wrote, as a baseline: its statistics and constraints."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from detectors.profiles.baseline import Baseline, Constraints
from detectors.sagemaker.constraints import constraints as suggested_constraints
from detectors.sagemaker.references import references
from detectors.statistics_file import Statistics
from stream.baselining.constraints_file import load_constraints, read_constraints
from stream.baselining.files import json_bytes
from stream.baselining.sketched import sketched
from stream.baselining.statistics_file import load_statistics

STATISTICS: Final = "statistics.json"
CONSTRAINTS: Final = "constraints.json"
COUNTS: Final = "baseline.msgpack"


class MonitoredBaseline(NamedTuple):
    """A baseline, and what its files do not say, in sentences."""

    baseline: Baseline
    notes: tuple[str, ...]


def is_monitor_folder(folder: Path) -> bool:
    """Return whether a folder has the statistics of SageMaker, and no counts of driftline."""
    return (folder / STATISTICS).is_file() and not (folder / COUNTS).exists()


def monitored(folder: Path, predictions: Collection[str] = ()) -> MonitoredBaseline:
    """Read the baseline of a folder with ``statistics.json``.

    Layout and counts come from the sketches (:func:`stream.baselining.sketched.sketched`). Without
    a ``constraints.json`` the constraints are those that SageMaker suggests for these statistics.

    Raises :class:`~stream.errors.ConfigError` with all faults of a file. A prediction that the
    files do not have is passed over: a model learns it.
    """
    statistics = load_statistics(folder / STATISTICS)
    columns = tuple(feature.name for feature in statistics.features)
    path = folder / CONSTRAINTS
    layout, profile, notes = sketched(statistics, predictions, _domains(path))
    constraints = _constraints(path, statistics, Baseline(layout, profile, Constraints(), columns))
    known = references(statistics)
    return MonitoredBaseline(Baseline(layout, profile, constraints, columns, known), notes)


def suggested(folder: Path) -> dict[str, bytes]:
    """Return the file of constraints that SageMaker suggests for the statistics in a folder."""
    written = suggested_constraints(load_statistics(folder / STATISTICS))
    return {CONSTRAINTS: json_bytes(written)}


def _constraints(path: Path, statistics: Statistics, counted: Baseline) -> Constraints:
    if path.exists():
        return load_constraints(path, counted.layout, counted.columns)
    written = suggested_constraints(statistics)
    return read_constraints(written, counted.layout, counted.columns)


def _domains(path: Path) -> dict[str, Sequence[str]]:
    """The domains by feature; what is wrong with the file is told when it is read as a whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        features = [entry for entry in content["features"] if isinstance(entry, Mapping)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {str(entry.get("name")): _domain(entry) for entry in features}


def _domain(entry: Mapping[str, Any]) -> list[str]:
    text = entry.get("string_constraints")
    domain = text.get("domains") if isinstance(text, Mapping) else None
    if not isinstance(domain, list):
        return []
    return [value for value in domain if isinstance(value, str)]
