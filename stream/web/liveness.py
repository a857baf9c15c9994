"""Whether the loop of a service turns, and what it saw when it looked at itself last."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from stream.event_time import PartitionState
from stream.web.readiness import PartitionSilence, Readiness, Role, health, readiness, standing


class Liveness:
    """The loop says that it turns, and looks at its partitions; ``/healthz`` and ``/readyz`` ask in
    threads of their own.

    ``limit_s``: for how long a partition may be behind or silent, and the loop stand, before the
    service is not ready. ``silent_s`` is the longest silence of a partition at the last look.
    """

    def __init__(self, limit_s: float) -> None:
        self.silent_s = 0.0
        self._limit_s, self._heard = limit_s, PartitionSilence()
        self.begins()
        self._ready = readiness("starting", {}, 0, [], 0.0)

    def begins(self) -> None:
        """The job is owned from now on, however long it was waited for."""
        self._turned_s = self._looked_s = time.monotonic()

    def turns(self) -> None:
        """The loop goes on."""
        self._turned_s = time.monotonic()

    def waits(self) -> None:
        """The loop waits for the state's other home, which is no reason to kill it, however long it
        takes.
        """
        self._turned_s = float("inf")

    def look(
        self, partitions: Mapping[str, PartitionState], now_ms: int, full: Sequence[str]
    ) -> Readiness | None:
        """Look at the partitions and the sinks that are full; returns what came of it if the status
        is another one than before.
        """
        self._looked_s = time.monotonic()
        silent_s = self._heard.silent_s(partitions, self._looked_s)
        self.silent_s = max(silent_s.values(), default=0.0)
        before, self._ready = (
            self._ready,
            readiness("owner", partitions, now_ms, full, self._limit_s, silent_s),
        )
        return self._ready if self._ready.status != before.status else None

    def readiness(self, role: Role, alone: bool) -> Readiness:
        """The last look, if the loop still turns; for who is no owner, what the role says."""
        if role != "owner":
            return readiness(role, {}, 0, [], 0.0)
        return standing(self._ready, time.monotonic() - self._looked_s, alone, self._limit_s)

    def health(self, role: Role) -> Readiness:
        """Whether an owner's loop turns; others have none."""
        return health(time.monotonic() - self._turned_s if role == "owner" else 0.0)
