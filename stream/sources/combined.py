"""Several readings of one partition each, read in turn as one source."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading

LOOK_S = 0.05


class CombinedReading(Reading):
    """The readings of some partitions, by the partition's name; see
    :class:`stream.sources.base.Reading` for what each method promises.
    """

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = dict(readings)
        self._assigned: list[str] = []

    def discover(self) -> list[DiscoveredPartition]:
        """The partitions of all."""
        return [found for reading in self._readings.values() for found in reading.discover()]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Each to its own reading."""
        for one in assigns:
            if one.partition not in self._assigned:
                self._assigned.append(one.partition)
        return [gap for one in assigns for gap in self._readings[one.partition].assign([one])]

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Tell all."""
        for reading in self._readings.values():
            reading.assigned_elsewhere(partitions)

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """One batch of the next partition that has records; if none has, what all of them say."""
        deadline = time.monotonic() + timeout_s
        while True:
            said: list[RawBatch | Gap] = []
            for name in list(self._assigned):
                came = self._readings[name].poll(0.0, max_records)
                said += came
                if any(isinstance(one, RawBatch) and one.values for one in came):
                    self._assigned.remove(name)
                    self._assigned.append(name)  # the others come first now
                    return said
            left_s = deadline - time.monotonic()
            if self.finished or left_s <= 0 or any(isinstance(one, Gap) for one in said):
                return said
            time.sleep(min(LOOK_S, left_s))

    @property
    def finished(self) -> bool:
        """True when all that are read are at their end."""
        return bool(self._assigned) and all(
            self._readings[name].finished for name in self._assigned
        )

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Nobody asks."""
        for reading in self._readings.values():
            reading.publish_positions(positions)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Not known for files."""
        return {}

    def close(self) -> None:
        """Close all."""
        for reading in self._readings.values():
            reading.close()
