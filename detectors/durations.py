"""Durations as the configuration has them: a number and a unit."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

Duration = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$",
        max_length=20,
        description="a number and a unit: 500ms, 60s, 10m, 2h, 1d",
        extra={"expected": "a number and a unit: 500ms, 60s, 10m, 2h, 1d"},
    ),
]
LONGEST: Final = "366d"
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    """Milliseconds of a duration.

    >>> duration_ms("1.5s"), duration_ms("10m")
    (1500, 600000)
    """
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # the type has the pattern
    return round(float(number) * _UNIT_MS[unit])
