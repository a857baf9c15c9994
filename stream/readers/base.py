"""The contract between the service and whatever reads for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from detectors.profiles.baseline import Baseline
from stream.events import Assign, CoveredRange, Gap, Partial, ReaderLost

Counted = Callable[[float, Sequence[CoveredRange]], None]
"""Told of what was counted: how long it took, and the ranges that it covers."""


class Readers(Protocol):
    """What the service asks of its readers, be they one in its own process or some in others."""

    def use(self, baselines: Mapping[str, Baseline]) -> None:
        """Count with these baselines from now on."""

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        """Read these partitions; gaps that are seen at once."""

    def read(self, timeout_s: float) -> Sequence[Partial | Gap | ReaderLost]:
        """What has come; waits at most ``timeout_s``. What the call before returned counts as dealt
        with.
        """

    @property
    def finished(self) -> bool:
        """True when a bounded source is read to its end."""

    def close(self) -> None:
        """End; safe to call twice."""
