"""Which records of a span of event time are known to be missing."""

from __future__ import annotations

from stream.aggregation.partitions import began_inside
from stream.aggregation.state import JobState


def missing_reasons(state: JobState, start_ms: int, end_ms: int) -> list[str]:
    """Return the reasons why records of ``[start_ms, end_ms)`` may be missing, sorted by name."""
    reasons = {
        span.reason
        for span in state.spans
        if (span.from_ms is None or span.from_ms < end_ms)
        and (span.to_ms is None or span.to_ms >= start_ms)
    }
    reasons |= {
        f"gap in {name}"
        for name, since_ms in state.open_gaps.items()
        if since_ms is None or since_ms < end_ms
    }
    reasons |= {
        began_inside(name)
        for name, began_ms in state.open_starts.items()
        if began_ms is None or start_ms <= began_ms
    }
    return sorted(reasons)
