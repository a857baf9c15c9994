"""Liveness: the beat of the main loop, and the readiness at its last check."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from stream.event_time import PartitionState
from stream.web.readiness import (
    PartitionSilence,
    Readiness,
    ServiceRole,
    current_readiness,
    health,
    readiness,
)


class Liveness:
    """Written by the loop of the service, read by the threads that serve ``/healthz``, ``/readyz``.

    ``limit_s``: the time for which a partition may be behind or silent, and the loop may stop,
    before the service is not ready. ``silent_s`` is the longest silence of a partition at the last
    check.
    """

    def __init__(self, limit_s: float) -> None:
        self.silent_s = 0.0
        self._limit_s = limit_s
        self._silence = PartitionSilence()
        self._checked = readiness(role="starting", partitions={}, now_ms=0, full=[], limit_s=0.0)
        self.reset()

    def reset(self) -> None:
        """Restart the timers after ownership was acquired, which may take any length of time."""
        self._beat_s = self._checked_s = time.monotonic()

    def beat(self) -> None:
        """Record that the loop runs."""
        self._beat_s = time.monotonic()

    def suspend(self) -> None:
        """Expect no beat until the next :meth:`beat`.

        The loop is blocked writing the state to S3, which a restart would not repair.
        """
        self._beat_s = float("inf")

    def check(
        self,
        partitions: Mapping[str, PartitionState],
        now_ms: int,
        full: Sequence[str],
        trouble: str = "",
    ) -> Readiness | None:
        """Check the partitions and the sinks that are ``full``; ``trouble`` is that of the source.

        Returns the readiness if its status differs from that of the check before.
        """
        self._checked_s = time.monotonic()
        silent_s = self._silence.silent_s(partitions, self._checked_s)
        self.silent_s = max(silent_s.values(), default=0.0)
        before = self._checked
        self._checked = readiness(
            role="owner",
            partitions=partitions,
            now_ms=now_ms,
            full=full,
            limit_s=self._limit_s,
            silent_s=silent_s,
            trouble=trouble,
        )
        return self._checked if self._checked.status != before.status else None

    def readiness(self, role: ServiceRole, may_deliver: bool) -> Readiness:
        """Return the last check if it is recent; without ownership, the readiness of the role."""
        if role != "owner":
            return readiness(role=role, partitions={}, now_ms=0, full=[], limit_s=0.0)
        age_s = time.monotonic() - self._checked_s
        return current_readiness(self._checked, age_s, may_deliver, self._limit_s)

    def health(self, role: ServiceRole) -> Readiness:
        """Return whether the loop of an owner runs; a service without ownership has no loop."""
        return health(time.monotonic() - self._beat_s if role == "owner" else 0.0)
