"""The contract of a sink, which delivers reports and signals.

A sink is one file, whose name is its ``type`` in the configuration. It has two halves: a
:class:`Sink`, its configuration, and a :class:`Delivery`, which that configuration opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from detectors.faults import Fault
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

Published = WindowReport | Signal | QualityReport | ScheduleReport


def line_of(item: Published) -> Published:
    """Return an item as it is written as a line: of a period without its statistics.

    These are large, hold values of features, and have a file of their own where they are wanted.
    """
    if isinstance(item, ScheduleReport):
        return msgspec.structs.replace(item, statistics=None)
    return item


class ConfiguredNames(NamedTuple):
    """The names of a configuration that a sink may use at its destination.

    ``models`` holds the names of the features of each model; ``variant`` is empty if it comes from
    the data.
    """

    job: str
    models: Mapping[str, Sequence[str]]
    variant: str = ""


class Delivery:
    """Base of the running half of a sink.

    A courier calls :meth:`deliver` in a thread of its own (:mod:`sinks.courier`), one call at a
    time; a call may block up to the sink's own time-out.

    Delivery is at least once: after a crash or a :class:`~sinks.errors.SinkRetry` the same items
    are delivered again, with the same ids. The docstring of each sink states the effect of a repeat
    at its destination.

    ``left_out`` counts the parts of delivered items that the destination cannot hold.
    """

    left_out: int = 0

    def deliver(self, items: Sequence[Published]) -> None:
        """Deliver items in order; return when all of them are delivered.

        ``items`` is not empty, and holds only the types that the sink ``takes``.

        Raises :class:`sinks.errors.SinkRetry` for a transient error: all items are sent again,
        except those that the error names as delivered. Raises :class:`sinks.errors.SinkRejected` if
        one item can never be delivered: it is counted and left out, and the items after it are sent
        again. Any other exception is logged and treated as transient.
        """
        raise NotImplementedError

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Restore what the sink kept in memory, from the newest report of each model and variant.

        Called once after a start, before the first delivery. Does nothing by default.
        """

    def rebuild_quality(self, newest: Sequence[QualityReport]) -> None:
        """Restore what the sink kept in memory of the quality of each model and variant.

        ``newest`` has the newest report of all, and the newest one that was judged, of each model
        and variant; that is one report where they are the same. Called once after
        :meth:`rebuild`. Does nothing by default.
        """

    def needs(self, item: Published) -> bool:
        """Return whether a delivered item must be delivered again after a restart.

        For a sink that collects items before it sends what they amount to: as long as it needs an
        item, that one and all later ones stay in the outbox. Asked in the thread of the courier,
        after deliveries. False by default.
        """
        return False

    def collector(self) -> Collector | None:
        """Return the collector of the sink's metrics, which the service exports with its own.

        ``None``, the default, if the sink has none.
        """
        return None

    def close(self) -> None:
        """Release all resources; safe to call twice."""


class Sink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of the configuration of a sink.

    The fields of a subclass are the keys in the configuration file, its docstring describes them in
    the JSON schema, and ``tag`` is its ``type``. ``takes`` lists the types of items that the sink
    delivers; it receives no others: reports on the quality of a model only if it names them. If
    items of a ``lossless`` sink cannot be delivered for long, reading pauses and nothing is lost;
    any other sink drops its oldest items and counts them. A subclass sets either as a class
    variable (``takes: ClassVar = (Signal,)``), or as a property if it depends on the settings.
    """

    @property
    def takes(self) -> tuple[type[Published], ...]:
        """The types of items that the sink delivers: by default windows and signals."""
        return (WindowReport, Signal)

    @property
    def lossless(self) -> bool:
        """Whether reading pauses, rather than that an item is dropped; by default true."""
        return True

    def in_folder(self, folder: Path) -> Self:
        """Return this configuration with its relative paths resolved below ``folder``.

        ``folder`` is that of the configuration file. A sink whose fields hold paths of files or
        folders overrides this; an empty path stays empty. By default nothing changes.
        """
        return self

    def check(self) -> list[Fault]:
        """Return all faults of the settings that can be found without network access."""
        return []

    def replaced_names(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return pairs of a name that the destination does not accept, and the one used instead.

        ``driftline check`` warns of each pair. By default none: every name is accepted.
        """
        return []

    def unknown_names(self, names: ConfiguredNames) -> list[str]:
        """Return the names in the settings that are no feature of any model.

        ``driftline check`` warns of each. By default none.
        """
        return []

    def destinations(self) -> list[str]:
        """Return names of the destinations that this sink must not share with another sink.

        Empty, the default, if two sinks with the same destination do not interfere.
        """
        return []

    def has_reports_of(self, job: str) -> bool:
        """Return whether the destination holds reports or signals of this job.

        A job without a state asks before it begins, so that it gives no id a second content. By
        default false, for destinations that keep nothing or cannot be read.
        """
        return False

    def schedules_ms(self) -> tuple[int, ...]:
        """Return the schedules, in milliseconds, whose reports this sink delivers.

        Of each, the job reports every period once more as a whole
        (:class:`~detectors.schedule_report.ScheduleReport`). A sink that takes these reports
        receives those of all sinks and leaves out the others. By default none.
        """
        return ()

    def open(self, job: str) -> Delivery:
        """Build the running half for ``job``.

        Must not fail because the destination is down: connect at the first delivery. Raises
        :class:`sinks.errors.ClientUnusable` if no client can be built from the settings.
        """
        raise NotImplementedError
