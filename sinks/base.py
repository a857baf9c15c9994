"""The contract of a sink: verdicts go out, at least once, each sink at its own pace. One file a
sink; file name = ``type``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec

from detectors.faults import Fault
from detectors.report import Signal, WindowReport

Published = WindowReport | Signal


class Delivery(Protocol):
    """The running half of a sink. Used by one thread of its own; may block up to its own deadline."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Carry out items in order. Returns when all of them are delivered.

        Raises :class:`sinks.errors.SinkRetry` (the items come again, but for those it says are
        through) or :class:`sinks.errors.SinkRejected` (that item is left out, the ones behind it
        come again).
        """

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Called once before the first delivery with the newest report of each model: state that a
        restart has lost.
        """

    def close(self) -> None:
        """Let go of everything; safe to call twice."""


class Sink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of the configuration of a sink: its fields are the keys in the file, ``open`` builds the
    running half.

    ``takes`` names what it wants; other items never reach it. ``lossless`` items pause reading when
    they cannot be delivered for long; otherwise the oldest are dropped and counted.
    """

    takes: ClassVar[tuple[type[WindowReport | Signal], ...]] = (WindowReport, Signal)
    lossless: ClassVar[bool] = True

    def check(self) -> list[Fault]:
        """Return all faults of the settings that can be found without network access."""
        return []

    def destinations(self) -> list[str]:
        """Names of what this sink writes to, where two sinks would get into each other's way."""
        return []

    def open(self, job: str) -> Delivery:
        """Connect lazily: must not fail because the other side is down."""
        raise NotImplementedError
