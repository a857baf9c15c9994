"""Times in options of the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from detectors.durations import duration_ms
from stream.commands.usage import wrong_option

DURATION: Final = re.compile(r"[0-9]+(\.[0-9]+)?(s|m|h|d)")


def since(text: str | None, now_s: float) -> int | None:
    """Return the time that ``--since`` names, in milliseconds: a duration before now, or a time.

    >>> since("1h", 7_200.0), since("1970-01-01T00:30", 0.0), since(None, 0.0)
    (3600000, 1800000, None)
    """
    if text is None:
        return None
    if DURATION.fullmatch(text):
        return round(now_s * 1000) - duration_ms(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        expected = "a duration (14d) or a time (2026-11-29T17:00)"
        raise wrong_option("--since", f"expected {expected}, found {text!r}") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
