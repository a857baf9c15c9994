"""The contract of a source: partitions, positions, raw records. One file a source; file name =
``type``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Protocol

import msgspec

from detectors.faults import Fault
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch


class Reading(Protocol):
    """An open source. Used by one thread; no method but :meth:`poll` blocks for longer than its
    time-out. A reading inherits from this class for the methods that have a default.
    """

    def discover(self) -> list[DiscoveredPartition]:
        """All partitions that exist now, with the position where a job without state would start."""

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read these partitions from ``next`` on; others that were assigned before stay as they
        are.

        Returns a gap for each partition whose position the log does not have (any more); such a
        partition is not read until it is assigned again.
        """

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """These partitions are read by others: what :meth:`discover` finds beside them from now on
        is new, whatever ``start`` says.
        """

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """What has come since: at most ``max_records`` records, at most one batch a partition and
        call.

        Waits at most ``timeout_s`` for the first record. A batch without values may move ``next``
        (control records, compaction) or say ``at_end``; a partition that is at its end says so in
        each call.
        """

    @property
    def finished(self) -> bool:
        """True when a bounded source has been read to its end. Always false for a log that may
        grow.
        """

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return those of the ended partitions that the source no longer has, and will never
        discover again. None, in a source whose partitions do not end.
        """
        return []

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Tell the outside world how far the job has committed (Kafka: the group's offsets, for lag
        tools); else nothing.
        """

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """How much lies between each position and the end of its partition, in units of the source
        (Kafka: offsets, which are at least as many as records; Kinesis: milliseconds), as known
        without asking anybody now; empty where it does not know.
        """

    def close(self) -> None:
        """Let go of everything; safe to call twice."""


class Source(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a source: its fields are the keys in the file, ``open`` builds
    the reading half.

    ``record_fields`` names what its records have beside their bytes, as a place to take model and variant
    from. ``default_grace`` is the grace where the configuration names none: how far out of order
    the records of this source usually are.
    """

    record_fields: ClassVar[frozenset[str]] = frozenset()
    default_grace: ClassVar[str] = "2s"
    """The ``grace`` of a job whose configuration sets none: the usual out-of-order delay."""

    @property
    def identity(self) -> str:
        """What the positions of this source are positions in: a state of another one cannot go on
        with them.
        """
        raise NotImplementedError

    def check(self) -> list[Fault]:
        """Return all faults of the settings that can be found without network access."""
        return []

    def open(self, job: str) -> Reading:
        """Connect. Raises :class:`stream.errors.SourceUnavailable` with the cause when it cannot."""
        raise NotImplementedError
