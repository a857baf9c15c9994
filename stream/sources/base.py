"""The contract of a source: partitions, positions and raw records.

A source is one file or folder, whose name is its ``type`` in the configuration. It has two halves:
a :class:`Source`, its configuration, and a :class:`Reading`, which that configuration opens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Protocol, Self

import msgspec

from detectors.faults import Fault
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch


class Reading(Protocol):
    """An open source; implementations inherit from this class, for its defaults.

    The service opens one reading. With ``readers: N`` each reader process opens another one, and
    that of the service only discovers partitions. The calls come in this order::

        discover -> assign -> poll, poll, ... -> close

    :meth:`discover` is called again every two seconds, :meth:`assign` whenever a partition is new
    or has to be read again, :meth:`lag` and :meth:`publish_positions` after each commit.

    **Threads and time.** One thread uses a reading. Only :meth:`poll` may block, at most for its
    time-out; :meth:`assign` may wait up to two seconds for information about the log. Anything that
    takes longer belongs in a thread of the source: while a method blocks, the service neither
    commits nor delivers.

    **Positions.** A position is a point in the log of a partition. It must mean the same in another
    process and after a restart: a batch that ended with ``next`` is continued by an
    :class:`Assign` with that position. Only the source knows the order of positions; all other
    components compare them for equality. A position is never changed silently: if the log does not
    have it (any more), that is a gap.

    **Errors.** An outage is not an error. The methods return what they have, log the outage, and
    connect again by themselves. An error that no retry repairs, such as a missing permission,
    raises :class:`stream.errors.SourceUnavailable`, which ends the service with exit code 3.
    Records are not validated here: the format rejects those that it cannot decode.
    """

    def discover(self) -> list[DiscoveredPartition]:
        """Return all partitions that exist now, each with the position where a new job starts.

        Partitions that were returned before are returned again. ``parents`` names those partitions
        that must be read to their end first. The result may be some seconds old; the call must not
        wait for the network.
        """

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read these partitions from ``next`` on; other assigned partitions stay as they are.

        A partition that is assigned already continues from the new position, and records that were
        fetched for the old one are dropped. Returns a gap for each partition whose position the log
        does not have; such a partition is not read until it is assigned again. If that cannot be
        determined in time, a later :meth:`poll` returns the gap.
        """

    def assigned_elsewhere(self, partitions: Mapping[str, Position]) -> None:
        """Note that other readings read these partitions, from these positions on.

        Called before they are assigned there. Partitions that :meth:`discover` finds afterwards are
        new, and start at their first record, regardless of ``start``.
        """

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return new records of the assigned partitions, in any order of these.

        Waits at most ``timeout_s`` for the first record, and returns at most ``max_records``
        records in all; a source whose records contain others may exceed that by one such record.
        Each batch begins where the previous one of its partition ended, or at the assigned
        position. A partition has several batches only if their origins differ, as those of files.

        A batch without records may advance ``next`` (control records, compaction), or report that
        the partition is at its end. Every call reports ``at_end`` for each partition that is at its
        end, if the source knows this for sure: a partition without such reports is not idle and
        holds the watermark. ``ended`` is reported once, for a partition that never gets more
        records. A gap is returned once; its partition is not read until it is assigned again.
        """

    @property
    def finished(self) -> bool:
        """True when a bounded source is read to its end; always false for a log that may grow."""

    @property
    def trouble(self) -> str:
        """The reason for which the source does not respond now; empty if it does.

        Part of the readiness, where a partition is silent. By default none is known.
        """
        return ""

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return the ended partitions that the source does not have any more.

        It must never discover them again. By default none: partitions of most sources never end.
        """
        return []

    def unreadable(self) -> int:
        """Return the number of inputs that exist but cannot be read, and are passed over.

        Files without permission, for example. By default none.
        """
        return 0

    def found(self) -> dict[str, bytes]:
        """Return what became known of partitions that other readings read, by partition.

        Called several times a second in the process that discovers partitions, after
        :meth:`assigned_elsewhere`; the news of a partition are passed, in order, to :meth:`inform`
        of the reading that reads it. A partition that is assigned anew is told everything again. By
        default nothing: a reading finds all records by itself.
        """
        return {}

    def inform(self, found: Mapping[str, bytes]) -> None:
        """Take what the discovering reading has found.

        A reading in a reader process is first informed of nothing, before any assignment: another
        one discovers. By default it makes no difference.
        """
        return None  # noqa: RET501  # an empty body would make the method abstract

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Publish the committed positions for other tools, if the source can store them.

        Kafka: the offsets of the consumer group. Called after each commit; must not block. The
        positions are never read back, so a failure is logged, and repaired by the next call.
        """

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return the distance of each position from the end of its partition, as known now.

        In units of the source. Kafka: offsets, at least as many as records. Kinesis: milliseconds.
        Partitions with an unknown lag are left out; the call must not wait for the network.
        """

    def close(self) -> None:
        """Release connections, threads and files; safe to call twice."""


class Source(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a source.

    The fields of a subclass are the keys in the configuration file, its docstring describes them in
    the JSON schema, and ``tag`` is its ``type``. A text below a field describes that key.
    """

    record_fields: ClassVar[frozenset[str]] = frozenset()
    """The fields of a record, in addition to its value, that may name its model and variant:
    ``topic``, ``key``, ``header`` or ``file``.
    """
    dates_records: ClassVar[bool] = True
    """True if the arrival of a record is its own, false if all records of a file share one."""
    default_grace: ClassVar[str] = "2s"
    """The default of ``grace``: the usual out-of-order delay of this source."""

    @property
    def found_after_ms(self) -> int:
        """The longest usual time from an event until the source finds it; at most ``grace``.

        By default 0: the source finds a record when the log takes it.
        """
        return 0

    @property
    def identity(self) -> str:
        """The name of the log to which the positions belong, such as ``kafka events``.

        A stored state with another identity is refused: its positions have no meaning here.
        Addresses and credentials are not part of it, since they may change.
        """
        raise NotImplementedError

    def in_folder(self, folder: Path) -> Self:
        """Return this configuration with its relative paths resolved below ``folder``.

        ``folder`` is that of the configuration file. A source whose fields hold paths of files or
        folders overrides this; an empty path stays empty. By default nothing changes.
        """
        return self

    def check(self) -> list[Fault]:
        """Return all faults of the settings that can be found without network access."""
        return []

    def open(self, job: str) -> Reading:
        """Connect and return the reading.

        ``job`` is the name under which the source may publish positions. Retries transient errors
        for some time; raises :class:`stream.errors.SourceUnavailable` with the distinct causes.
        """
        raise NotImplementedError
