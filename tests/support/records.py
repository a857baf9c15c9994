"""Covered ranges and settings, for tests that depend on few of their fields; and a
source without records.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stream.event_time import JobSettings
from stream.events import Assign, CoveredRange, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading


def covered_range(
    partition: str, first: int, count: int, mark_ms: int | None = None, **fields: Any
) -> CoveredRange:
    """A range of dated and accepted records of one row each, except where ``fields`` differ."""
    accepted = {
        "claim": 1,
        "at_end": False,
        "outcomes": {"accepted": count},
        "dated": count,
        "rows": count,
    }
    return CoveredRange(
        partition=partition,
        first=first,
        next=first + count,
        mark_ms=mark_ms,
        read=count,
        **{**accepted, **fields},
    )


def job_settings(**changes: Any) -> JobSettings:
    """Settings with windows and panes of a minute, and the changes."""
    minute = {
        "window_ms": 60_000,
        "every_ms": 60_000,
        "grace_ms": 2_000,
        "lateness_ms": 120_000,
        "idle_ms": 60_000,
        "tolerance_ms": 60_000,
    }
    return JobSettings(**{**minute, **changes})


class NoSource(Reading):
    """An open source for readers that receive their records from the test."""

    finished = True

    def discover(self) -> list[DiscoveredPartition]:
        return []

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        return []

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        pass

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        return []

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        pass

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass
