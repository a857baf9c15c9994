"""Combines several readings of one partition each into one source, and polls them in turn."""

from __future__ import annotations

import time
from collections.abc import Mapping

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading

RETRY_S = 0.05
"""The pause before all readings are polled again after none had a record."""


class CombinedReading(Reading):
    """Combines readings of bounded or followed files, keyed by the name of their partition.

    See :class:`stream.sources.base.Reading` for the contract.
    """

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = dict(readings)
        self._assigned: list[str] = []

    def discover(self) -> list[DiscoveredPartition]:
        """Return the partitions of all readings."""
        return [
            partition for reading in self._readings.values() for partition in reading.discover()
        ]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Pass each assignment to the reading of its partition."""
        gaps: list[Gap] = []
        for assign in assigns:
            if assign.partition not in self._assigned:
                self._assigned.append(assign.partition)
            gaps += self._readings[assign.partition].assign([assign])
        return gaps

    def assigned_elsewhere(self, partitions: Mapping[str, Position]) -> None:
        """Pass the partitions on to all readings."""
        for reading in self._readings.values():
            reading.assigned_elsewhere(partitions)

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return a batch of the next partition that has records, or what all readings report."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            results, has_records = self._poll_each(max_records)
            left_s = deadline_s - time.monotonic()
            done = self.finished or left_s <= 0 or any(isinstance(r, Gap) for r in results)
            if has_records or done:
                return results
            time.sleep(min(RETRY_S, left_s))

    @property
    def finished(self) -> bool:
        """True when all assigned partitions are at their end."""
        return bool(self._assigned) and all(
            self._readings[name].finished for name in self._assigned
        )

    def unreadable(self) -> int:
        """Return the inputs that all readings pass over."""
        return sum(reading.unreadable() for reading in self._readings.values())

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Pass the positions on to all readings."""
        for reading in self._readings.values():
            reading.publish_positions(positions)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return no lags: files do not report any."""
        return {}

    def close(self) -> None:
        """Close all readings."""
        for reading in self._readings.values():
            reading.close()

    def _poll_each(self, max_records: int) -> tuple[list[RawBatch | Gap], bool]:
        """Poll the partitions until one has records; that one is the last in the next turn."""
        results: list[RawBatch | Gap] = []
        for name in list(self._assigned):
            polled = self._readings[name].poll(0.0, max_records)
            results += polled
            if any(isinstance(result, RawBatch) and result.values for result in polled):
                self._assigned.remove(name)
                self._assigned.append(name)
                return results, True
        return results, False
