"""The contract of a sink, which delivers window reports and signals. One file a sink; the name of
the file is its ``type`` in the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from detectors.faults import Fault
from detectors.report import Signal, WindowReport

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

Published = WindowReport | Signal


class Delivery:
    """Base of the running half of a sink. Called by one thread of its own; a call may block up to
    the sink's own time-out.

    Delivery is at least once: after a crash or a :class:`~sinks.errors.SinkRetry` the same items
    come again, with the same ids. The docstring of each sink says what a repeat does on the other
    side.

    ``left_out`` counts the parts of delivered items that the other side cannot hold.
    """

    left_out: int = 0

    def deliver(self, items: Sequence[Published]) -> None:
        """Deliver items in order; return when all of them are delivered.

        Raises :class:`sinks.errors.SinkRetry` if items must be sent again (all but those that it
        names as delivered), or :class:`sinks.errors.SinkRejected` if one item can never be
        delivered: it is left out, and those after it come again.
        """
        raise NotImplementedError

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Restore what the sink kept in memory before a restart, from the newest report of each
        model. Called once, before the first delivery. Does nothing by default.
        """

    def collector(self) -> Collector | None:
        """Return the collector of the sink's own metrics, which the service exports with its own;
        ``None`` if it has none.
        """
        return None

    def close(self) -> None:
        """Release all resources; safe to call twice."""


class Sink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of a sink's configuration: the fields are the keys in the file, ``open`` builds the
    running half.

    ``takes`` names the types of items that the sink delivers; others never reach it. If items of a
    ``lossless`` sink cannot be delivered for long, reading pauses; any other sink drops its oldest
    items and counts them.
    """

    takes: ClassVar[tuple[type[WindowReport | Signal], ...]] = (WindowReport, Signal)
    lossless: ClassVar[bool] = True

    def check(self) -> list[Fault]:
        """Return all faults of the settings that can be found without network access."""
        return []

    def destinations(self) -> list[str]:
        """Return names of what this sink writes to, if two sinks with the same destination would
        interfere with each other.
        """
        return []

    def open(self, job: str) -> Delivery:
        """Build the running half. Must not fail because the other side is down: connect lazily."""
        raise NotImplementedError
