"""Keys of earlier versions: the fault of each names the current key, with its value converted."""

from __future__ import annotations

import re
from math import inf
from typing import Final, NamedTuple

from stream.errors import ConfigFault

UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class RenamedKey(NamedTuple):
    """An old key: the pattern of its ``path``, its current ``name``, and its unit in milliseconds.

    ``unit_ms`` is 0 where the value is no duration. ``values`` are the current values of old
    ``true`` and ``false``; empty where the form of the value has not changed.
    """

    path: str
    name: str
    unit_ms: int = 0
    values: tuple[str, str] = ("", "")


RENAMED: Final = (
    RenamedKey(r"format\.count_shadow", "skip", values=("[]", "[ShadowExperiment]")),
    RenamedKey(r"state\.commit_at_least", "commit_interval"),
    RenamedKey(r"models\..+\.changes", "change_detectors"),
    RenamedKey(r"rules\.cooldown_ms", "cooldown", 1),
    RenamedKey(r"source\.give_up_after_s", "give_up_after", 1_000),
    RenamedKey(r"sinks\[\d+\]\.every", "schedule"),
)
SCHEDULE: Final = r"sinks\[\d+\]\.schedule"
"""A key that was the name of a schedule, and is its length."""


def renamed_key(path: str, value: object) -> ConfigFault | None:
    """Return the fault of an old key at ``path``; ``None`` if there never was such a key.

    >>> str(renamed_key("rules.cooldown_ms", 1_800_000))
    'rules.cooldown_ms: renamed; write `cooldown: 30m`'
    """
    for old in RENAMED:
        if re.fullmatch(old.path, path):
            reason = f"renamed; write `{old.name}{_value(old, value)}`"
            return ConfigFault(path=path, reason=reason, expected=old.name, valid=(old.name,))
    return None


def former_meaning(path: str, value: object) -> ConfigFault | None:
    """Return the fault of a value at ``path`` that fits an earlier meaning of its key.

    ``None`` if the key never had another one, or if the value does not fit that either.

    >>> str(former_meaning("sinks[0].schedule", "churn-hourly"))
    'sinks[0].schedule: is now a length, such as 1h; write `schedule_name: churn-hourly`'
    """
    if not re.fullmatch(SCHEDULE, path) or not isinstance(value, str):
        return None
    reason = f"is now a length, such as 1h; write `schedule_name: {value}`"
    return ConfigFault(path=path, reason=reason, expected="schedule_name", valid=("schedule_name",))


def _value(old: RenamedKey, value: object) -> str:
    """The value in its current form; empty for a value of several lines."""
    if isinstance(value, bool) and any(old.values):
        return f": {old.values[not value]}"
    if not old.unit_ms:
        return f": {value}" if isinstance(value, str) else ""
    if isinstance(value, int | float) and 0 <= value < inf:
        return f": {duration_text(round(value * old.unit_ms))}"
    return ""


def duration_text(ms: int) -> str:
    """Return a duration in the form of the configuration, in the largest unit that divides it.

    >>> duration_text(1_800_000), duration_text(1_500), duration_text(0)
    ('30m', '1500ms', '0s')
    """
    if not ms:
        return "0s"
    unit, size = next((unit, size) for unit, size in UNITS if ms % size == 0)
    return f"{ms // size}{unit}"
