"""Reads the label log for the loop of the service, in its own process."""

from __future__ import annotations

from collections.abc import Sequence

from stream.aggregation.state import LabelState
from stream.config.model import Config
from stream.events import Assign, DiscoveredPartition, Gap, OfLabels, PartitionsExpired, Position
from stream.labels.rows import LabelRange
from stream.readers.build import label_reader_of
from stream.sources.base import Reading


class LabelFeed:
    """An open source of labels and its reader.

    Its methods return items for the aggregator. One thread, that of the loop, uses it.
    """

    def __init__(self, config: Config, reading: Reading) -> None:
        self._reading = reading
        self._reader = label_reader_of(config, reading)
        self.busy = False

    @property
    def finished(self) -> bool:
        """True when a bounded source of labels is read to its end."""
        return self._reading.finished

    def assign(self, assigns: Sequence[Assign]) -> list[OfLabels]:
        """Read these partitions; returns the gaps that are known immediately."""
        return [OfLabels(gap) for gap in self._reader.assign(assigns)]

    def read(self) -> list[LabelRange | OfLabels]:
        """Return what is there, without waiting; ``busy`` says whether more may follow at once."""
        items = self._reader.poll(0.0)
        self.busy = any(isinstance(item, LabelRange) and item.read for item in items)
        return [OfLabels(item) if isinstance(item, Gap) else item for item in items]

    def discover(self, state: LabelState) -> list[OfLabels]:
        """Return all partitions, and those that have ended and that the source no longer has."""
        items: list[DiscoveredPartition | PartitionsExpired] = [*self._reading.discover()]
        ended = [name for name, partition in state.log.partitions.items() if partition.ended]
        if expired := self._reading.expired(ended):
            items.append(PartitionsExpired(tuple(expired)))
        return [OfLabels(item) for item in items]

    def committed(self, state: LabelState) -> dict[str, int]:
        """Publish the committed positions; returns their lag, as far as it is known."""
        partitions = state.log.partitions
        positions: dict[str, Position] = {
            name: partition.next for name, partition in partitions.items() if partition.assignable
        }
        self._reading.publish_positions(positions)
        return self._reading.lag(positions)
