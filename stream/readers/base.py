"""The contract between the service and its readers, in its own process or in others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from detectors.profiles.baseline import Baseline
from stream.events import Assign, CoveredRange, Gap, Partial, ReaderLost

OnCounted = Callable[[float, Sequence[CoveredRange]], None]
"""A callback for each batch: the seconds of decoding and counting, and the covered ranges."""


class Readers(Protocol):
    """The readers of a job: one in the service's own process, or several in worker processes."""

    def use(self, baselines: Mapping[str, Baseline]) -> None:
        """Count with these baselines, by model, from the next read on."""

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions; returns the gaps that are known immediately."""

    def read(self, timeout_s: float) -> Sequence[Partial | Gap | ReaderLost]:
        """Return new items, after at most ``timeout_s``.

        A call acknowledges all items that the call before returned.
        """

    @property
    def finished(self) -> bool:
        """True when a bounded source is read to its end."""

    def close(self) -> None:
        """Stop reading; safe to call twice."""
