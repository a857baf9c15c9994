"""Incidents that are known to have happened, and which of them signals have found."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import yaml

from detectors.report import Signal
from stream.commands.backtest.judging import Backtest
from stream.config.faults import mismatch, missing, unknown_key, unknown_name
from stream.errors import ConfigError, ConfigFault
from stream.formats.timestamps import END_MS

KEYS: Final = ("model", "from", "to", "name")
REQUIRED: Final = ("model", "from", "to")
EXPECTED: Final = "a time from 1970 to 2099, like 2026-11-25T10:00"
WEEK_MS: Final = 7 * 86_400_000


class _Loader(yaml.SafeLoader):
    """The safe loader; what looks like a time and is none stays a text, which has its own fault."""


def _time_or_text(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except (ValueError, OverflowError, AttributeError):
        return str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _time_or_text)


class ListedIncident(msgspec.Struct, frozen=True, kw_only=True):
    """A time ``[from_ms, to_ms)`` in which something was wrong with the data of a model."""

    model: str
    from_ms: int
    to_ms: int
    name: str = ""

    def covers(self, signal: Signal) -> bool:
        """Whether the window of a signal lies in it, at least in part."""
        overlaps = signal.end_ms > self.from_ms and signal.start_ms < self.to_ms
        return signal.model == self.model and overlaps


class FoundIncident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident and its first signal; ``None`` if it was not found."""

    incident: ListedIncident
    signal: Signal | None

    @property
    def delay_ms(self) -> int | None:
        """From the start of the incident to the end of the window of its signal."""
        return None if self.signal is None else self.signal.end_ms - self.incident.from_ms


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the signals of a backtest say of the incidents, and those that are about none."""

    incidents: tuple[FoundIncident, ...]
    others: tuple[Signal, ...]
    weeks: float

    @property
    def found(self) -> int:
        """The number of incidents that were found."""
        return sum(each.signal is not None for each in self.incidents)

    @property
    def others_a_week(self) -> float:
        """Signals a week that are about no incident, of all models together."""
        return len(self.others) / self.weeks if self.weeks else 0.0

    @property
    def median_delay_ms(self) -> float | None:
        """The median delay of the incidents that were found; ``None`` without any."""
        delays = [each.delay_ms for each in self.incidents if each.delay_ms is not None]
        return median(delays) if delays else None


def findings_of(backtest: Backtest, incidents: Sequence[ListedIncident]) -> Findings:
    """Return which incidents the signals find.

    A signal is the opening or the worsening of an episode: a reminder tells nothing new. One whose
    window overlaps an incident of its model finds it. All others are about no incident.
    """
    raised = backtest.raised
    start_ms, end_ms = backtest.span_ms
    return Findings(
        incidents=tuple(
            FoundIncident(
                incident=incident, signal=next((s for s in raised if incident.covers(s)), None)
            )
            for incident in incidents
        ),
        others=tuple(s for s in raised if not any(each.covers(s) for each in incidents)),
        weeks=(end_ms - start_ms) / WEEK_MS,
    )


def read_incidents(path: Path, models: Sequence[str]) -> list[ListedIncident]:
    """Return the incidents in a YAML or CSV file, in order of time.

    Raises :class:`~stream.errors.ConfigError` with all faults of the file. Times without a zone
    are UTC; a ``to`` that is a date alone includes that day.
    """
    faults: list[ConfigFault] = []
    incidents = []
    for position, entry in enumerate(_entries(path)):
        found = list(_faults(f"[{position}]", entry, models))
        faults += found
        if not found:
            incidents.append(_incident(entry))
    if faults:
        raise ConfigError(faults, str(path))
    return sorted(incidents, key=lambda incident: incident.from_ms)


def _entries(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return [dict(row) for row in csv.DictReader(text.splitlines())]
        entries = yaml.load(text, Loader=_Loader) or []  # noqa: S506  # a safe loader
    except (OSError, ValueError, csv.Error, yaml.YAMLError) as error:
        reason = f"cannot be read: {' '.join(str(error).split())}"
        raise ConfigError([ConfigFault(path="", reason=reason)], str(path)) from error
    if isinstance(entries, dict):
        entries = entries.get("incidents", entries)
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        fault = mismatch("", f"a list of incidents, each with {', '.join(KEYS)}", "something else")
        raise ConfigError([fault], str(path))
    return entries


def _faults(path: str, entry: Mapping[str, Any], models: Sequence[str]) -> list[ConfigFault]:
    faults = [unknown_key(f"{path}.{key}", key, KEYS) for key in entry if key not in KEYS]
    faults += [missing(f"{path}.{key}") for key in REQUIRED if not entry.get(key)]
    model = entry.get("model")
    if model and model not in models:
        faults.append(unknown_name(f"{path}.model", "model", model, models))
    for key in ("from", "to"):
        if entry.get(key) and _ms(entry[key]) is None:
            faults.append(mismatch(f"{path}.{key}", EXPECTED, str(entry[key])))
    start_ms, end_ms = _ms(entry.get("from")), _end_ms(entry.get("to"))
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        faults.append(mismatch(f"{path}.to", "a time after `from`", str(entry["to"])))
    return faults


def _incident(entry: Mapping[str, Any]) -> ListedIncident:
    return ListedIncident(
        model=str(entry["model"]),
        from_ms=_ms(entry["from"]) or 0,
        to_ms=_end_ms(entry["to"]) or 0,
        name=str(entry.get("name") or ""),
    )


def _end_ms(value: object) -> int | None:
    """The time of an end: that of the next day where it is a date alone."""
    time_ms = _ms(value)
    is_date = (isinstance(value, date) and not isinstance(value, datetime)) or (
        isinstance(value, str) and len(value.strip()) == len("2026-11-25")
    )
    return time_ms + 86_400_000 if time_ms is not None and is_date else time_ms


def _ms(value: object) -> int | None:
    """A time in milliseconds; ``None`` if it is none, or of a year that no window lies in.

    YAML reads times and dates by itself.
    """
    try:
        at = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    time_ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return time_ms if 0 <= time_ms < END_MS else None
