"""The times of a report in a file: what makes them damaged."""

from __future__ import annotations

from typing import Final

import msgspec

LATEST_MS: Final = 7_258_118_400_000
"""No window ends after 2200: event times end with 2099, and windows are shorter than years."""


class TimedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What all reads of a report have in common: its times.

    Decoding raises ``msgspec.ValidationError``, as for any other damaged line, unless the start
    lies before the end, and both between 1970 and 2200. A silence that lasts has no end.
    """

    start_ms: int
    end_ms: int | None

    def __post_init__(self) -> None:
        """Check the times."""
        end_ms = LATEST_MS if self.end_ms is None else self.end_ms
        if not 0 <= self.start_ms < end_ms <= LATEST_MS:
            raise ValueError("the start of a report lies before its end, both from 1970 to 2200")
